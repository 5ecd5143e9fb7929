"""The tables against upstream's own manifests, where a workspace keeps them: nobody has to believe the tables."""

from __future__ import annotations

import re

import pytest

from examples import upstream
from examples.tables import APPS, ONE_POD, edges, graph, no_edges, variables
from garrison import defaults as d
from garrison.declare.program import images
from harness.paths import REPO

here = pytest.mark.skipif(not all(map(upstream.here, APPS)), reason="no shared applications beside this checkout")
# Of the table, not of a workload: where upstream shows an edge that is in no variable.
ELSEWHERE = ("command", "config", "policy", "image", "empty", "secret", ONE_POD)
# Workloads of an edge that upstream installs by a chart.
CHART = {"petclinic": {"customers-db-mysql", "vets-db-mysql", "visits-db-mysql"}}
# What a name in upstream's policies selects: pods are called otherwise, so its policy selects nobody.
DANGLING = {"cart": "carts"}


@here
@pytest.mark.parametrize("app", APPS)
def test_every_variable_is_in_the_table_and_no_other(app: str) -> None:
    theirs = {(w.name, variable) for w in upstream.workloads(app).values() for variable in w.variables}
    assert theirs == {(one.workload, one.variable) for one in variables(app) if one.kind != "own"}


@here
@pytest.mark.parametrize("app", APPS)
def test_a_setting_has_upstreams_value_unless_it_says_why_not(app: str) -> None:
    by_name = {service.name: service for service in graph(app).services}
    for one in variables(app):
        if one.kind in ("setting", "changed") and one.workload in by_name:
            mine = dict(by_name[one.workload].container.env)[one.variable]
            same = mine == upstream.workloads(app)[one.workload].variables[one.variable]
            assert same == (one.kind == "setting"), one
        assert one.why or one.kind in ("setting", "edge", "port", "secret", "file"), one


@here
@pytest.mark.parametrize("app", APPS)
def test_every_name_of_a_service_is_an_edge_or_says_why_not(app: str) -> None:
    accounted = {(*one.pair, one.shown) for one in (*edges(app), *no_edges(app))}
    pairs = {one.pair for one in edges(app)}
    for caller, callee, variable in upstream.named(app):
        known = (caller, callee) in pairs if variable == "-" else (caller, callee, variable) in accounted
        assert known, f"{caller} names {callee} in {variable}"


@here
@pytest.mark.parametrize("app", APPS)
def test_an_edge_is_where_the_table_says(app: str) -> None:
    found = upstream.workloads(app)
    config = " ".join(str(item.get("data")) for item in upstream.documents(*upstream.FILES[app]))
    for one in (*edges(app), *no_edges(app)):
        if one.shown not in ELSEWHERE:
            assert _is_in(one.pair[1], found[one.caller].variables[one.shown]), one
        elif one.shown == "config":
            assert _is_in(one.pair[1], config), one
        elif one.shown == "command":
            assert any(_is_in(one.pair[1], text) for text in found[one.caller].texts), one
        assert one.why or one.shown not in ("image", "empty", "secret", ONE_POD), one


@here
def test_upstreams_policies_are_the_edges_they_know() -> None:
    boutique = {one.pair for one in edges("online_boutique")} - {("loadgenerator", "frontend")}  # anybody may, there
    assert upstream.permitted("online_boutique") == boutique
    shop = {(DANGLING.get(a, a), DANGLING.get(b, b)) for a, b in upstream.permitted("sock_shop")} - {("cortex", "")}
    assert shop == {one.pair for one in edges("sock_shop") if one.shown in ("policy", "mongo")}
    names = {*upstream.workloads("sock_shop")}
    assert {name for pair in upstream.permitted("sock_shop") for name in pair} - names == {"cart", "cortex", ""}


@here
@pytest.mark.parametrize("app", APPS)
def test_the_workloads_are_upstreams(app: str) -> None:
    its = graph(app)
    mine = {service.name for service in its.services} | {job.ref.name for job in getattr(its, "jobs", ())}
    added = {one.caller for one in edges(app) if one.shown == ONE_POD}
    assert mine - added == {*upstream.workloads(app)} | CHART.get(app, set())


@here
@pytest.mark.parametrize("app", APPS)
def test_the_images_are_upstreams(app: str) -> None:
    lock = {*images(REPO / "examples" / "images.lock", app.replace("_", "-")).values()}
    for workload in upstream.workloads(app).values():
        for image in workload.images:
            if not image.startswith(("bash@", "gcr.io/cloudsql", "postgres:16")):  # of the Jobs: see the program
                assert _upstreams(image) in lock, image


def _upstreams(image: str) -> str:
    """The whole name of what a manifest calls `redis:alpine`; pinned to nothing where upstream does not."""
    image = image.replace("${REPOSITORY_PREFIX}", "registry.example")
    first, slash, _ = image.partition("/")
    whole = image if slash and "." in first else f"docker.io/{image if slash else f'library/{image}'}"
    return whole if "@" in whole else f"{whole}@{d.UNPINNED}"


def _is_in(name: str, text: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text))

"""Jobs: what a program says of them, what holds, and that every layer knows them as callers and nobody as callees."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from garrison import App, Graph, IntentError, Job, Namespace, Service, render
from garrison import defaults as d
from garrison.derive.adjustment import adjust_all
from garrison.derive.secrets import PLATFORM, store_objects
from garrison.explain import diagram
from garrison.explain.allowed import allowed
from garrison.manifest import Manifest
from garrison.prove.expect.expected import expected, sources
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import pods, replicas
from garrison.prove.look.finding import Finder
from garrison.prove.look.session import Session
from garrison.prove.model import Kind, Party
from garrison.words import Ref
from unit.estates import DIGEST, any_app, apps, empty_app

IMAGE = "registry.example/job" + DIGEST


def shop() -> tuple[App, Service, Job]:
    """A service and a job that calls it."""
    app = empty_app()
    home = app.namespace("shop")
    catalog = home.service("catalog", image=IMAGE, port=8080)
    job = home.job("nightly", image=IMAGE, schedule="30 2 * * *")
    job.calls(catalog, "GET /items")
    return app, catalog, job


def found(graph: Graph, name: str) -> dict[str, Manifest]:
    return {m["kind"]: m for m in render(graph) if m["metadata"]["name"] == name}


def run_of(workload: Manifest) -> Any:
    return workload["spec"].get("jobTemplate", workload)["spec"]


def told(app: App) -> list[str]:
    with pytest.raises(IntentError) as caught:
        app.graph()
    return [f"{problem.what}; {problem.remedy}" for problem in caught.value.problems]


# --- what is derived -------------------------------------------------------------------------------------------------


def test_a_job_has_an_identity_and_edges_and_nothing_that_could_be_called() -> None:
    app, *_ = shop()
    made = found(app.graph(), "nightly")
    assert {*made} == {"CronJob", "Certificate", "ServiceAccount", "NetworkPolicy"}
    assert made["Certificate"]["spec"]["uris"] == ["spiffe://estate.example/ns/shop/sa/nightly"]
    policy = made["NetworkPolicy"]["spec"]
    assert policy["ingress"] == []
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert len(policy["egress"]) == 2, "names, and the callee"
    proxy = json.loads(found(app.graph(), "nightly-proxy")["ConfigMap"]["data"]["envoy.json"])
    names = [listener["name"] for listener in proxy["static_resources"]["listeners"]]
    assert names == ["health", "shop/catalog"], "no inbound listener"


def test_its_pod_ends_with_the_application() -> None:
    """Everything beside the application is a native sidecar, and nothing is started anew in the same pod."""
    for name in ("nightly", "once"):
        made = found(any_app().graph(), name)
        run = run_of(made.get("CronJob") or made["Job"])
        spec = run["template"]["spec"]
        assert spec["restartPolicy"] == "Never"
        assert [one["restartPolicy"] for one in spec["initContainers"]] == ["Always", "Always"]
        (application,) = spec["containers"]
        assert not {"readinessProbe", "livenessProbe", "startupProbe", "lifecycle", "ports"} & {*application}
        assert not {"HOST", "PORT"} & {one["name"] for one in application["env"]}
        assert spec["serviceAccountName"] == name


def test_time_and_tries_are_bounded_and_runs_do_not_overlap() -> None:
    made = found(any_app().graph(), "nightly")["CronJob"]["spec"]
    assert (made["schedule"], made["timeZone"], made["concurrencyPolicy"]) == ("30 2 * * mon-fri", "Etc/UTC", "Forbid")
    run = made["jobTemplate"]["spec"]
    assert (run["activeDeadlineSeconds"], run["backoffLimit"], run["podReplacementPolicy"]) == (3600, 2, "Failed")
    once = found(any_app().graph(), "once")["Job"]["spec"]
    assert (once["activeDeadlineSeconds"], once["backoffLimit"]) == (d.JOB_SECONDS, 0)
    assert "ttlSecondsAfterFinished" not in once, "a Job that is gone would be made, and run, again"


@pytest.mark.parametrize(("within", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), (45, 45), ("1440m", 86400)])
def test_a_time_is_said_in_words_or_seconds(within: str | int, seconds: int) -> None:
    app = empty_app()
    app.job("once", image=IMAGE, within=within)
    assert app.graph().jobs[0].seconds == seconds


def test_another_configuration_is_another_run() -> None:
    """What a pod mounts is in its template: files that changed are another state of the declaration."""

    def hashed(text: str) -> str:
        app = empty_app()
        app.job("once", image=IMAGE, files={"/etc/seed": text})
        notes = run_of(found(app.graph(), "once")["Job"])["template"]["metadata"]["annotations"]
        return str(notes[d.CONFIG_HASH])

    assert hashed("a") == hashed("a") != hashed("b")


def test_a_namespace_has_room_for_its_jobs() -> None:
    app, *_ = shop()
    quota = found(app.graph(), "quota")["ResourceQuota"]["spec"]["hard"]["pods"]
    assert int(quota) == d.QUOTA_HEADROOM * (d.REPLICAS + 1 + 1)


@settings(max_examples=20)
@given(apps())
def test_the_graph_of_jobs_is_read_back_as_it_was_written(app: App) -> None:
    graph = app.graph()
    assert Graph.from_json(graph.to_json()) == graph


@settings(max_examples=20)
@given(apps())
def test_jobs_reach_the_store_by_roles_of_their_own(app: App) -> None:
    graph = app.graph()
    roles = {item.path for item in store_objects(graph) if item.path.startswith("auth/kubernetes/role/")}
    needing = {ref for ref in graph.job_by_ref if ref in graph.uses_by or ref in graph.reads_by}
    assert {f"auth/kubernetes/role/{ref.namespace}.{ref.name}" for ref in needing} <= roles


# --- what may be adjusted --------------------------------------------------------------------------------------------


def adjusted(change: Callable[[Any], object]) -> list[Manifest]:
    app, *_ = shop()

    def adjust(item: Manifest) -> Manifest:
        if item["kind"] == "CronJob":
            change(item["spec"])
        return item

    return adjust_all(render(app.graph()), adjust)[1]


def test_where_a_job_runs_may_be_adjusted_and_what_protects_it_may_not() -> None:
    def where(spec: Any) -> None:
        spec["jobTemplate"]["spec"]["template"]["spec"]["nodeSelector"] = {"pool": "batch"}
        spec["jobTemplate"]["spec"]["template"]["metadata"]["labels"]["team"] = "shop"

    assert len(adjusted(where)) == 1
    for change in (
        lambda spec: spec["jobTemplate"]["spec"]["template"]["spec"].update(serviceAccountName="catalog"),
        lambda spec: spec["jobTemplate"]["spec"].update(activeDeadlineSeconds=10**6),
        lambda spec: spec.update(concurrencyPolicy="Allow"),
        lambda spec: spec["jobTemplate"]["spec"]["template"]["metadata"]["labels"].popitem(),
    ):
        with pytest.raises(IntentError, match="CronJob shop/nightly"):
            adjusted(change)


# --- laws ------------------------------------------------------------------------------------------------------------


def test_calling_a_job_is_one_problem() -> None:
    app, catalog, job = shop()
    catalog.calls(job, "POST /run")
    (problem,) = told(app)
    what = "'shop/catalog' calls job 'shop/nightly', and nobody can call a job"
    assert problem == f"{what}; let the job call, or make it a service with a port"


def test_a_job_shares_the_space_of_names_and_of_variables() -> None:
    app, *_ = shop()
    app.namespace("bank").job("nightly", image=IMAGE)
    assert app.graph(), "the control: another namespace"
    Namespace("shop", app).service("nightly", image=IMAGE, port=80)
    (problem,) = told(app)
    assert "'shop/nightly' was declared before" in problem
    other = empty_app()
    home = other.namespace("shop")
    callee = home.service("catalog", image=IMAGE, port=80)
    home.job("once", image=IMAGE, env={"CATALOG_URL": "x"}).calls(callee, "GET /")
    (problem,) = told(other)
    assert "two things under CATALOG_URL" in problem


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no fields": ({"schedule": "hourly"}, "has no five fields"),
    "a nickname": ({"schedule": "@hourly"}, "has no five fields"),
    "a zone": ({"schedule": "TZ=Europe/Berlin 0 0 * * *"}, "has no five fields"),
    "nothing": ({"schedule": ""}, "has no five fields"),
    "a minute": ({"schedule": "60 0 * * *"}, "'60' is no minute"),
    "an hour": ({"schedule": "0 24 * * *"}, "'24' is no hour"),
    "a day": ({"schedule": "0 0 0 * *"}, "'0' is no day of the month"),
    "a month": ({"schedule": "0 0 1 janu *"}, "did you mean 'jan'"),
    "a weekday": ({"schedule": "0 0 * * 7"}, "'7' is no day of the week"),
    "a range": ({"schedule": "0 9-8 * * *"}, "'9-8' is no hour"),
    "a step": ({"schedule": "*/0 * * * *"}, "'*/0' is no minute"),
    "never": ({"schedule": "0 0 30 2 *"}, "names a day that never comes"),
    "no time": ({"within": "soon"}, "has no time in which it could end"),
    "all the time": ({"within": "25h"}, "has no time in which it could end"),
    "tries": ({"retries": 11}, "would be tried again 11 times; use 0-10"),
    "an image": ({"image": "x:latest"}, "not pinned by digest"),
    "a secret": ({"env": {"API_KEY": "hunter2"}}, "looks like a credential"),
    "a type": ({"retries": "1"}, "is not a whole number"),
    "an address": ({"env": {"CATALOG": "http://catalog:8080"}}, "names 'shop/catalog'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_hold_is_said(name: str) -> None:
    said, text = BAD[name]
    app, *_ = shop()
    home = app.namespace("more")
    arguments: dict[str, Any] = {"image": IMAGE, **said}
    home.job("bad", **arguments)
    if name == "an address":
        arguments["env"] = {"CATALOG": "http://catalog.shop:8080"}
        app.namespace("last").job("bad", **arguments)
    assert any(text in problem for problem in told(app)), told(app)


GOOD = ("* * * * *", "*/5 0-6,22 1 JAN-mar,12 *", "0 0 29 2 *", "0 0 31 2 1", "5/10 * * * sun,wed-sat/2")


@pytest.mark.parametrize("schedule", GOOD)
def test_a_schedule_is_what_kubernetes_reads(schedule: str) -> None:
    app = empty_app()
    app.job("often", image=IMAGE, schedule=schedule)
    assert app.graph().jobs[0].schedule == schedule


@given(st.text(alphabet="0123456789*/-, janmon", max_size=30))
def test_no_schedule_breaks_the_reader(schedule: str) -> None:
    app = empty_app()
    app.job("often", image=IMAGE, schedule=schedule or None)
    try:
        app.graph()
    except IntentError as error:
        assert all(problem.what.startswith("schedule=") for problem in error.problems)


# --- the proof and the picture ---------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(apps())
def test_a_job_starts_probes_and_is_the_target_of_none(app: App) -> None:
    graph = app.graph()
    jobs = {Party("service", ref.namespace, ref.name) for ref in graph.job_by_ref}
    probes = expected(graph)
    assert jobs <= {*sources(graph, PLATFORM)}
    assert not jobs & {probe.target for probe in probes}
    for job in jobs:
        mine = {(p.target.ref, p.kind) for p in probes if p.source == job}
        for service in graph.services:
            declared = any(call.callee == service.ref and not call.port for call in graph.calls_from.get(job.ref, ()))
            assert ((service.ref, Kind.DIRECT) in mine) == declared


@pytest.mark.parametrize("name", ["nightly", "once"])
def test_a_clone_is_the_job_to_everybody_but_its_controller(name: str) -> None:
    """The API server writes into a Job's template by what its controller knows its pods: it would adopt a clone."""
    made = found(any_app().graph(), name)
    live = made.get("CronJob") or made["Job"]
    of_its_own = {"batch.kubernetes.io/controller-uid": "u", "controller-uid": "u", "job-name": name}
    run_of(live)["template"]["metadata"]["labels"] |= of_its_own
    (owner,) = replicas.distinct(replicas.made_by(live), ())
    pod = pods.clone(owner, name="probe", run="r", image="prober", port=0)
    assert not {*of_its_own} & {*pod["metadata"]["labels"]}
    assert pod["metadata"]["labels"][d.NAME] == name
    assert pod["spec"]["serviceAccountName"] == name
    assert "restartPolicy" not in pod["spec"]


@pytest.mark.parametrize(("name", "kind"), [("nightly", "cronjobs"), ("once", "jobs")])
def test_a_run_finds_the_job_and_speaks_for_it(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = any_app().graph()
    session = Session(Kubectl(), graph, "prober", lambda line: None)
    made = found(graph, name)

    def find(self: Finder, wanted: str, ref: Ref) -> Manifest:
        assert (wanted, ref) == (kind, Ref("shop", name))
        return made.get("CronJob") or made["Job"]

    monkeypatch.setattr(Finder, "find", find)
    (pod,) = session._speakers(Party("service", "shop", name), ())
    assert pod["metadata"]["labels"][d.NAME] == name
    assert session.pod_of(Party("service", "shop", name)) == Ref("shop", pod["metadata"]["name"])
    assert pod["spec"]["containers"][0]["command"][-1] == "0", "it is nobody's callee, and listens where nobody asks"


def test_the_picture_and_the_sentences_know_jobs() -> None:
    app, *_ = shop()
    assert "shop/nightly may GET /items at shop/catalog" in map(str, allowed(app.graph()))
    assert "nightly" in diagram.mermaid(app.graph())

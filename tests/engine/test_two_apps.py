"""Two Apps of two repositories on one cluster: no object is registered by both stacks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.test_run import Said, _machine, config, parts, under_pulumi
from garrison import defaults as d
from garrison.deployment import standing
from garrison.derive.names import admission_policy, guard_of
from garrison.manifest import identity
from garrison.settings import Settings, parse
from garrison_stack import beside, permitted, pulumi_program, run
from garrison_stack.whole import Whole, whole
from unit.authority import Authority
from unit.neighbours import shop, together

__all__ = ["_machine", "config", "under_pulumi"]
SECOND = {"installAdmission", "installCertManager", "installTrustManager", "installOpenbao"}
"""What the stack of every further App sets to false; and `issuer` to what the first one made."""


def settings(*, second: bool) -> Settings:
    said = {**dict.fromkeys(SECOND, "false"), "issuer": "garrison"} if second else {}
    return parse(said, os.environ)


def naive() -> Whole:
    """A further App with the settings of the first one."""
    return whole(together()[0], settings(second=False))


def made(what: Whole) -> set[tuple[str, ...]]:
    return {identity(item) for step in what.steps() for item in step.items}


def both(*, second: bool) -> tuple[Whole, Whole]:
    calling, admitting = together()
    return whole(admitting, settings(second=False)), whole(calling, settings(second=second))


def test_no_object_is_made_by_both_stacks() -> None:
    first, other = both(second=True)
    assert made(other)
    assert made(first) & made(other) == set()
    twice = both(second=False)
    clash = made(twice[0]) & made(twice[1])
    kinds = {kind for _, kind, *_ in clash}
    assert {"ValidatingAdmissionPolicy", "ClusterIssuer", "StatefulSet"} <= kinds, "the control: by default, both would"


def test_the_second_guards_its_own_namespaces_and_relies_on_the_rules_of_the_first() -> None:
    first, other = both(second=True)
    assert [item["metadata"]["name"] for item in other.admission] == [admission_policy(guard_of("shop"))] * 2
    assert other.platform == ()
    rules = {item["metadata"]["name"] for item in first.admission}
    assert {*other.relied} <= rules
    assert admission_policy("workloads") in other.relied
    assert (first.relied, admission_policy(guard_of("bank")) in rules) == ((), True)


def test_where_rules_hold_in_an_estate_alone_each_stack_makes_its_own_and_relies_on_nobodys() -> None:
    calling, admitting = together()
    first = whole(admitting, parse({"admissionScope": "estate"}, os.environ))
    other = whole(
        calling, parse({**dict.fromkeys(SECOND, "false"), "issuer": "garrison", "admissionScope": "estate"}, os.environ)
    )
    names = {item["metadata"]["name"] for item in other.admission}
    assert {"garrison-workloads-shop", "garrison-estate-shop"} <= names
    assert made(first) & made(other) == set()
    assert admission_policy("workloads") not in other.relied
    assert [*beside.problems(other, {item["metadata"]["name"] for item in first.admission})] == []
    cluster_wide = whole(calling, settings(second=True))
    (problem,) = beside.problems(cluster_wide, {item["metadata"]["name"] for item in first.admission})
    assert "nobody makes garrison-" in problem.what, "nobody judges its namespaces: refused"
    assert problem.remedy == (
        "the rules of App bank hold in its own namespaces alone: set admissionScope to estate, too"
    )
    (problem,) = beside.problems(naive(), {item["metadata"]["name"] for item in first.admission})
    assert "issuer to garrison and admissionScope to estate, without trustCa" in problem.remedy, "said the first time"


def test_what_is_on_the_cluster_decides_before_anything_is_registered() -> None:
    first, other = both(second=True)
    there = {item["metadata"]["name"] for item in first.admission}
    (problem,) = beside.problems(naive(), there)
    assert problem.what == "App bank is on this cluster, and its stack makes the admission rules and the platform"
    assert all(name in problem.remedy for name in SECOND)
    assert "issuer to garrison, without trustCa" in problem.remedy
    assert [*beside.problems(other, there)] == [], "the control"
    with_both = there | {item["metadata"]["name"] for item in other.admission}
    assert [*beside.problems(first, with_both)] == [], "the first one goes on as it was"
    assert [*beside.problems(other, with_both)] == []
    assert [*beside.problems(first, set())] == [], "an empty cluster"
    (problem,) = beside.problems(other, set())
    assert "nobody makes garrison-availability on this cluster" in problem.what
    (problem,) = beside.problems(other, there - {admission_policy("trust")})
    assert "nobody makes garrison-trust" in problem.what


def test_a_new_app_takes_over_no_part_of_the_platform_that_another_one_stands_on(tmp_path: Path) -> None:
    first, _ = both(second=True)
    there, spaces = {item["metadata"]["name"] for item in first.admission}, dict.fromkeys(("openbao",), d.PLATFORM)
    ca = tmp_path / "ca.pem"
    ca.write_text(Authority.fresh().pem)

    def taken(spaces: dict[str, str], **said: str) -> list[str]:
        what = whole(together()[0], parse({"installAdmission": "false", **said}, os.environ))
        return [f"{one.where}: {one.remedy}" for one in beside.twice(what, there, spaces)]

    wanted = [f"{name}: set {name} to false" for name in ("installCertManager", "installTrustManager")]
    assert taken(spaces) == [*wanted, "installOpenbao: set installOpenbao to false"]
    assert taken({}) == wanted, "the first one has its store elsewhere: this one may have its own"
    rest = {**dict.fromkeys(SECOND, "false"), "issuer": "garrison"}
    assert taken(spaces, **rest) == [], "the control"
    (line,) = taken(spaces, **rest, trustCa=str(ca))
    assert line == "trustCa: leave it out: a cluster has one, and it names whom both trust"
    there.add(admission_policy(guard_of("shop")))
    assert taken(spaces) == [], "one that stands already is not new, whatever it makes"


def test_no_namespace_is_taken_from_an_app_that_this_one_never_heard_of() -> None:
    what = whole(shop(), settings(second=False))
    (problem,) = beside.taken(what, {"shop": "store", "bank": "bank"})
    assert (problem.where, problem.what) == ("namespace shop", "belongs to App store on this cluster")
    assert "kubectl label namespace shop app.kubernetes.io/part-of=shop --overwrite" in problem.remedy
    assert [*beside.taken(what, {"shop": "shop", "bank": "bank"})] == [], "the control: its own, as every time"
    assert [*beside.taken(what, {})] == []
    serving = shop()
    serving.users()
    serving.host("api.shop.example")
    there = {"edge": "bank", "users": "garrison-platform"}
    assert [one.where for one in beside.taken(whole(serving, settings(second=False)), there)] == ["namespace edge"]


def test_an_update_asks_the_cluster_and_a_preview_does_not(
    under_pulumi: Callable[..., Said], config: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [item["metadata"]["name"] for item in both(second=True)[0].admission]
    answer = json.dumps({"items": [{"metadata": {"name": name, "labels": {}}} for name in names]})
    monkeypatch.setattr(pulumi_program, "check_reachable", lambda: None)
    monkeypatch.setattr(pulumi_program, "check_version", lambda: None)
    monkeypatch.setattr(standing, "check", lambda _: None)
    monkeypatch.setattr(pulumi_program, "check_deployer", lambda _: None)
    monkeypatch.setattr(permitted, "check", lambda *_, **__: None)
    monkeypatch.setattr(beside, "kubectl", lambda _: answer)
    app = shop(together()[1])
    assert "App bank is on this cluster" in under_pulumi(lambda: run(app), preview=False).errors
    config(**dict.fromkeys(SECOND, "false"), issuer="garrison")
    found = under_pulumi(lambda: run(app), preview=False)
    assert {*parts(found.seen)} == {"Admission", "Platform", "Estate"}
    assert {args.name for args in found.seen if args.typ.endswith("ValidatingAdmissionPolicy")} == {
        "garrison-estate-shop"
    }
    assert not [args.name for args in found.seen if args.name.startswith(("bank", "cert-manager", "openbao"))]

"""Exceptions: one rule, one object, an owner, a reason, a last day; and never the sibling."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from garrison_policies.exceptions.apply import Outcome, apply
from garrison_policies.exceptions.file import (
    ExceptionsError,
    PolicyException,
    load_exceptions,
    open_findings,
    parse_exceptions,
    validated,
)
from garrison_policies.language.evaluate import finding
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.own import EXTRA, MISSING

TODAY = datetime.date(2026, 6, 1)
RULE = MISSING.id
WEB = PolicyException(
    rule=RULE, kind="Deployment", namespace="shop", name="web", owner="ops", reason="until the move", expires=TODAY
)
ENTRY: Mapping[str, Any] = {
    "rule": RULE,
    "object": {"kind": "Deployment", "namespace": "shop", "name": "web"},
    "owner": "ops",
    "reason": "until the move",
    "expires": "2026-06-01",
}


def thing(
    kind: str, name: str, namespace: str = "shop", *, owner: Object | None = None, controller: bool = True
) -> Object:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "uid": f"{kind}/{namespace}/{name}"}
    if owner is not None:
        reference = {"kind": owner.kind, "name": owner.name, "uid": owner.metadata["uid"], "controller": controller}
        metadata["ownerReferences"] = [reference]
    return Object({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata})


def outcome(
    *items: Object, rule: Any = MISSING, exception: PolicyException = WEB, today: datetime.date = TODAY
) -> Outcome:
    """Every object breaks the rule."""
    return apply([finding(rule, item, "", "broken") for item in items], [exception], Inventory(items), today)


def test_an_entry_is_read(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.yaml"
    path.write_text(
        f"exceptions:\n- rule: {RULE}\n  object: {{kind: Deployment, namespace: shop, name: web}}\n"
        "  owner: ops\n  reason: until the move\n  expires: 2026-06-01\n"
    )
    assert load_exceptions(path) == (WEB,) == validated([WEB])


def test_exceptions_in_code(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.py"
    program = f"""
import datetime
from garrison_policies.exceptions.file import PolicyException
WEB = PolicyException(rule={RULE!r}, kind="Deployment", namespace="shop", name="web", owner="ops",
                      reason="until the move", expires=datetime.date(2026, 6, 1))
OTHERS = [PolicyException(rule={RULE!r}, kind="Deployment", namespace="shop", name="other", owner=OWNER,
                          reason="until the move", expires=datetime.date(2026, 6, 1))]
"""
    path.write_text(program.replace("OWNER", "'ops'"))
    assert [one.name for one in load_exceptions(path)] == ["web", "other"]
    path.write_text(program.replace("OWNER", "''"))
    with pytest.raises(ExceptionsError, match="entry 2: owner is missing"):
        load_exceptions(path)
    path.write_text(program)
    with pytest.raises(ExceptionsError, match="the program failed: NameError"):
        load_exceptions(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"owner": " "}, "owner is missing; name the person or team"),
        ({"reason": None}, "reason is missing"),
        ({"expires": None}, "expires '' is not a date"),
        ({"expires": "next year"}, "'next year' is not a date"),
        ({"rule": "estate-mising"}, "did you mean 'estate-missing'?"),
        ({"rule": "*"}, "is a pattern; write one entry for each"),
        ({"rule": "unreadable-document"}, "there is no rule"),
        ({"object": {"kind": "Deployment", "namespace": "shop", "name": "web-*"}}, "name 'web-*' is a pattern"),
        ({"object": {"kind": "Deployment", "namespace": "*", "name": "web"}}, "namespace '*' is a pattern"),
        ({"object": {"kind": "Deployment", "name": "web"}}, "the namespace of Deployment 'web' is missing"),
        ({"object": {"namespace": "shop", "name": "web"}}, "kind is missing"),
        ({"object": None}, "name is missing"),
        ({"onwer": "ops"}, "did you mean 'owner'?"),
    ],
)
def test_what_cannot_be_honoured_is_refused(change: Mapping[str, Any], says: str) -> None:
    assert parse_exceptions([ENTRY]) == (WEB,), "the control"
    entry = {key: value for key, value in {**ENTRY, **change}.items() if value is not None}
    with pytest.raises(ExceptionsError, match=r"entry 2") as caught:
        parse_exceptions([{**ENTRY, "rule": EXTRA.id}, entry])
    assert says in str(caught.value)


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(ExceptionsError) as caught:
        parse_exceptions([{**ENTRY, "owner": "", "reason": ""}, 3, ENTRY, ENTRY])
    places = [problem.where for problem in caught.value.problems]
    assert places.count("exceptions: entry 1") == 2
    assert "exceptions: entry 2" in places
    assert "is there twice" in caught.value.problems[-1].what


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: 1", "no list `exceptions`"), ("exceptions: {a: 1}", "no list"), ("a: 1\na: 2", "written twice")],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "exceptions.yaml"
    path.write_text(text)
    with pytest.raises(ExceptionsError, match=says):
        load_exceptions(path)
    with pytest.raises(ExceptionsError, match="cannot be read"):
        load_exceptions(tmp_path / "missing.yaml")


def test_a_kind_of_the_cluster_has_no_namespace() -> None:
    entry = {**ENTRY, "object": {"kind": "ClusterRole", "name": "reader"}}
    assert parse_exceptions([entry])[0].namespace == ""


def test_one_object_and_never_its_sibling() -> None:
    web = thing("Deployment", "web")
    siblings = (
        thing("Deployment", "web-admin"),
        thing("Deployment", "we"),
        thing("Deployment", "web", "bank"),
        thing("Deployment", "web", ""),
        thing("StatefulSet", "web"),
    )
    found = outcome(web, *siblings)
    assert [one.object for one, _ in found.covered] == [web]
    assert [one.object for one in found.open] == list(siblings)
    assert [one.object for one in open_findings([*found.open, found.covered[0][0]], [WEB], today=TODAY)] == list(
        siblings
    )


def test_another_rule_is_not_covered() -> None:
    web = thing("Deployment", "web")
    assert outcome(web).covered
    found = outcome(web, rule=EXTRA)
    assert [one.rule for one in found.open] == [EXTRA.id]
    assert found.unused == (WEB,)


def test_what_controllers_make_of_it_is_covered() -> None:
    web = thing("Deployment", "web")
    replicas = thing("ReplicaSet", "web-5d4f", owner=web)
    pod = thing("Pod", "web-5d4f-x2x9z", owner=replicas)
    assert [one.object for one, _ in outcome(web, replicas, pod).covered] == [web, replicas, pod]


def test_who_only_claims_to_be_made_of_it_is_not() -> None:
    web = thing("Deployment", "web")
    gone = thing("Deployment", "web", "elsewhere")
    forged = (
        thing("Pod", "web-5d4f-x2x9z"),  # the name alone
        thing("Pod", "direct", owner=web),  # a Deployment makes no pods itself
        thing("ReplicaSet", "loose", owner=web, controller=False),
        thing("ReplicaSet", "orphan", owner=thing("Deployment", "web", "nowhere")),
        thing("ReplicaSet", "stranger", owner=gone),
        thing("ReplicaSet", "across", "bank", owner=web),
    )
    found = outcome(web, gone, *forged)
    assert [one.object for one, _ in found.covered] == [web]
    assert [one.object for one in found.open] == [gone, *forged]


def test_the_last_day_holds_and_the_next_does_not() -> None:
    web = thing("Deployment", "web")
    assert not outcome(web).open
    found = outcome(web, today=TODAY + datetime.timedelta(days=1))
    assert [one.rule for one in found.open] == [RULE, "exception-expired"]
    assert "expired on 2026-06-01; its owner is ops" in found.open[1].message
    assert str(found.open[1].object) == "Deployment shop/web"
    assert list(open_findings(found.open[:1], [WEB], today=TODAY + datetime.timedelta(days=1)))


def test_unused_and_absent_are_told_apart() -> None:
    web = thing("Deployment", "web")
    kept = apply([], [WEB], Inventory((web,)), TODAY)
    assert (kept.unused, kept.absent) == ((WEB,), ())
    elsewhere = apply([], [WEB], Inventory((thing("Deployment", "other"),)), TODAY)
    assert (elsewhere.unused, elsewhere.absent) == ((), (WEB,))
    assert outcome(web).unused == ()

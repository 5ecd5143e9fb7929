"""Manifests that nobody means well with: a verdict comes soon, and a traceback never."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrison_policies.commands import check
from garrison_policies.language.objects import Object
from garrison_policies.rules import RULES
from policies.fixtures import findings, objects
from policies.written import config, env_of, starts

LONG = 100_000
ODD: tuple[Any, ...] = ([], {}, "word", "", 1e308, float("inf"), -1, True, [1], [[]], [{}], {"a": {}}, "²", "9" * 5000)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every mapping and list inside, with each of its keys."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(pairs):
        yield value, key
        yield from places(part)


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES])
def test_any_field_may_hold_anything(rule: Any) -> None:
    """Each field of each example in turn; positive control: as it stands the rule is broken."""
    found = objects(rule.bad)
    assert findings([rule], found)
    for number, item in enumerate(found):
        for index in range(len(list(places(item.body)))):
            for odd in ODD:
                body = copy.deepcopy(item.body)
                holder, key = list(places(body))[index]
                holder[key] = odd
                findings([rule], [*found[:number], Object(body), *found[number + 1 :]])


@pytest.mark.parametrize(
    "text",
    [
        env_of("SIGNING_KEY", "../" * 40 + "signing key.pem"),
        env_of("TOKEN", "/.." * 40 + "!"),
        env_of("NOTE", "a" * LONG),
        env_of("NOTE", "eyJ-" * (LONG // 4)),
        env_of("NOTE", "password=" * (LONG // 9)),
        env_of("NOTE", "a://:" * (LONG // 5)),
        starts("mysql " * (LONG // 6)),
        starts("--a-" * (LONG // 4)),
        starts("curl -u " * (LONG // 8)),
        starts(*["--password"] * 3000),
        config(f"a: '{'token ' * (LONG // 6)}'"),
        config(f"a: '{'_key' * (LONG // 4)}'"),
        f"{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: a, annotations: "
        f"{{a: '{'alias ' * (LONG // 6)}', nginx.ingress.kubernetes.io/b: '{'${' * (LONG // 2)}'}}}}, spec: {{}}}}",
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {podSelector: {}, ingress: "
        f"[{{ports: [{', '.join(f'{{port: {n}}}' for n in range(1, 20000))}]}}]}}}}",
    ],
)
def test_a_verdict_comes_soon(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(text)
    start = time.process_time()
    assert check.main([str(path), "--format", "json"]) in (0, 1)
    assert isinstance(json.loads(capsys.readouterr().out)["findings"], list)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("form", ["table", "json", "sarif"])
def test_a_name_in_another_encoding(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "\udcff.yaml"
    path.write_text("{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostPID: true, containers: [{name: a}]}}")
    assert check.main([str(tmp_path), "--format", form]) == 1
    said = capsys.readouterr().out
    said.encode()
    assert "host-namespaces" in said

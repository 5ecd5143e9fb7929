"""`garrison check` and `garrison exceptions` as a user runs them: output, exit codes, one clear line for bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from garrison import render
from garrison.cli import main as garrison
from garrison_policies.commands.check import LEVELS
from garrison_policies.rules import RULES
from unit.estates import shop_app
from unit.verbs import check as main

POD = """
apiVersion: v1
kind: Pod
metadata: {name: app, namespace: shop}
spec: {containers: [{name: app, image: x, securityContext: {privileged: PRIVILEGED}}]}
"""
ONLY = ["--rules", "privileged-container"]
EXCEPTION = """
exceptions:
- rule: privileged-container
  object: {kind: Pod, namespace: shop, name: app}
  owner: platform
  reason: it mounts volumes
  expires: EXPIRES
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, with a good and a bad pod."""
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(POD.replace("PRIVILEGED", "false"))
    Path("bad.yaml").write_text(POD.replace("PRIVILEGED", "true"))


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, str]]]:
    code = main([*arguments, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)["findings"]


def test_clean_and_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys, "good.yaml", *ONLY) == (0, [])
    code, found = rows(capsys, "good.yaml", "bad.yaml", *ONLY)
    assert code == 1
    assert [(row["rule"], row["file"], row["path"]) for row in found] == [
        ("privileged-container", "bad.yaml", "spec.containers[0].securityContext.privileged")
    ]


def test_the_verb_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert garrison(["check", "bad.yaml", *ONLY]) == 1
    assert "CRITICAL  privileged-container  Pod shop/app" in capsys.readouterr().out


@pytest.mark.parametrize(("threshold", "code"), [("low", 1), ("high", 1), ("critical", 0)])
def test_fail_on(capsys: pytest.CaptureFixture[str], threshold: str, code: int) -> None:
    Path("broken.yaml").write_text("a: 1\na: 2")  # unreadable: high
    got, found = rows(capsys, "broken.yaml", "--fail-on", threshold)
    assert (got, [row["severity"] for row in found]) == (code, ["high"])


def test_what_cannot_be_read_is_found_whatever_is_selected(capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken.yaml").write_text("a: 1\na: 2")
    for selection in (ONLY, ["--level", "baseline"]):
        code, found = rows(capsys, "broken.yaml", *selection)
        assert (code, [row["rule"] for row in found]) == (1, ["unreadable-document"])


def test_levels_of_pod_security() -> None:
    for level, tags in LEVELS.items():
        assert any(rule.tags & tags for rule in RULES), level
    assert main(["good.yaml", "--level", "baseline"]) == 0
    assert main(["bad.yaml", "--level", "baseline"]) == 1
    assert main(["good.yaml", "--level", "restricted"]) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to check; name PATHs"),
        (["missing.yaml"], "missing.yaml: no such file"),
        (["bad.yaml", "--rules", "nonsense"], "there is no rule 'nonsense'"),
        (["bad.yaml", "--exceptions", "missing.yaml"], "missing.yaml: cannot be read"),
        (["--app", "missing.py"], "missing.py: no such program"),
        (["--app", "missing.json"], "No such file"),
        (["bad.yaml", "--live"], "two checks; run them one after the other"),
    ],
)
def test_what_cannot_be_checked_is_two_and_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert said.err.count("\n") == 1


def test_exceptions_where_the_command_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policies").mkdir()
    Path("policies/exceptions.yaml").write_text(EXCEPTION.replace("EXPIRES", "9999-12-31"))
    assert rows(capsys, "bad.yaml", *ONLY) == (0, [])
    code, found = rows(capsys, "bad.yaml", "--show-excepted", *ONLY)
    assert (code, len(found)) == (0, 1)
    assert main(["good.yaml", *ONLY]) == 0
    assert "unused exception: privileged-container for Pod shop/app; platform can remove it" in capsys.readouterr().err
    Path("policies/exceptions.yaml").write_text(EXCEPTION.replace("EXPIRES", "2020-01-01"))
    code, found = rows(capsys, "bad.yaml", *ONLY)
    assert (code, [row["rule"] for row in found]) == (1, ["privileged-container", "exception-expired"])
    Path("policies/exceptions.yaml").write_text(EXCEPTION.replace("owner: platform", "owner:"))
    assert main(["bad.yaml", *ONLY]) == 2
    assert "entry 1: owner is missing" in capsys.readouterr().err


def test_exceptions_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert garrison(["exceptions"]) == 0
    assert "no exceptions" in capsys.readouterr().out
    Path("mine.yaml").write_text(EXCEPTION.replace("EXPIRES", "9999-12-31"))
    assert garrison(["exceptions", "--exceptions", "mine.yaml", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["object"] == {"kind": "Pod", "namespace": "shop", "name": "app"}
    assert row["daysLeft"] > 365
    Path("mine.yaml").write_text(EXCEPTION.replace("EXPIRES", "2020-01-01"))
    assert garrison(["exceptions", "--exceptions", "mine.yaml"]) == 1
    assert "EXPIRED" in capsys.readouterr().out
    assert garrison(["exceptions", "--exceptions", "good.yaml"]) == 2
    assert "holds no list `exceptions`" in capsys.readouterr().err


@pytest.fixture
def graph() -> Path:
    path = Path("graph.json")
    path.write_text(shop_app().graph().to_json())
    return path


def test_what_a_program_derives(capsys: pytest.CaptureFixture[str], graph: Path) -> None:
    assert rows(capsys, "--app", str(graph), *ONLY) == (0, [])


def test_files_are_what_a_program_derives(capsys: pytest.CaptureFixture[str], graph: Path) -> None:
    manifests = render(shop_app().graph())
    Path("all.yaml").write_text(yaml.safe_dump_all(manifests))
    selection = ["--app", str(graph), "--rules", "estate-missing,estate-changed,estate-extra"]
    assert rows(capsys, "all.yaml", *selection) == (0, [])
    Path("all.yaml").write_text(yaml.safe_dump_all(manifests[1:]))
    code, found = rows(capsys, "all.yaml", *selection)
    assert (code, [row["rule"] for row in found]) == (1, ["estate-missing"])
    assert found[0]["file"] == str(graph)
    assert rows(capsys, "all.yaml", "--app", str(graph), *ONLY) == (0, []), "not asked for"


def test_every_rule_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert {*listed} >= {rule.id for rule in RULES} | {"estate-extra", "unreadable-document"}


def test_the_identities_of_a_cluster_are_its_issuers(capsys: pytest.CaptureFixture[str]) -> None:
    """The rules about who may be called what speak of the issuer that the stack's file names."""
    reference = {"name": "mine", "kind": "StepIssuer", "group": "certmanager.step.sm"}
    spec = {"uris": ["spiffe://shop.example/ns/bank/sa/payments"], "duration": "24h", "issuerRef": reference}
    item = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "spec": spec}
    Path("certificate.yaml").write_text(json.dumps(item | {"metadata": {"name": "eve", "namespace": "shop"}}))
    issuer = {"name": "corp", "kind": "StepClusterIssuer", "group": reference["group"], "account": "step/issuer"}
    Path("stack.yaml").write_text(yaml.safe_dump({"config": {"garrison:issuer": issuer}}))
    only = ("--rules", "identity-of-another")
    assert rows(capsys, "certificate.yaml", *only) == (0, []), "the control: it is no issuer of the estate's"
    code, found = rows(capsys, "certificate.yaml", "--cluster", "stack.yaml", *only)
    assert (code, len(found)) == (1, 1)


def test_it_starts_without_what_it_does_not_need() -> None:
    """The start is fast because of what is not imported; a timed assertion would only be flaky."""
    code = "import sys; from garrison_policies.commands.check import main; main(['good.yaml']); print(*sys.modules)"
    where = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=where)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "garrison_policies.rules" in loaded
    assert not loaded & {
        "pulumi",
        "hvac",
        "garrison.prove",
        "garrison_policies.places.estate",
        "garrison_policies.places.live",
    }

"""One call: `run(app)` registers everything in order, or says what is wrong and registers nothing."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pulumi
import pytest
import yaml
from pulumi.runtime.mocks import MockResourceArgs

from engine.test_resources import Recorder, kubernetes
from garrison import App, kube
from garrison import defaults as d
from garrison.declare.program import load
from garrison.deployment import standing
from garrison.derive import adjustment
from garrison.manifest import identity
from garrison.settings import Settings
from garrison_stack import pulumi_program, run
from garrison_stack.program import SAID
from garrison_stack.whole import whole
from harness import build
from harness.documents import blocks
from unit.estates import DIGEST, IMAGES, empty_app, shop_app
from unit.served import served_app
from unit.test_standing import BUNDLE, SOUND, answers

REPO = Path(__file__).parents[2]
SETTINGS: dict[str, str] = {}


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The charts, helm, and no cluster."""
    monkeypatch.setenv("PATH", f"{build.binary('helm').parent}:/usr/bin:/bin")
    monkeypatch.setenv("GARRISON_CHARTS", str(build.obtain("charts")))
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    for name in ("GARRISON_SIGNED_IMAGES", "GARRISON_EXCEPTIONS", "GARRISON_SETTINGS", "PULUMI_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def say(**values: str) -> None:
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps({f"garrison:{key}": value for key, value in values.items()}))

    return say


class Said(Recorder):
    """Remembers what was said as an error, too."""

    errors: str = ""


@pytest.fixture
def under_pulumi(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Said]]:
    """Runs a program as a preview or an update would, and returns what it registered and said."""
    recorder = Said()

    def log(text: str) -> None:
        recorder.errors += text

    monkeypatch.setattr(pulumi.log, "error", log)

    def go(act: Callable[[], object], *, preview: bool = True) -> Said:
        def program() -> None:
            act()  # what it returns would be waited for

        pulumi.runtime.set_mocks(recorder, preview=preview)
        pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]
        return recorder

    def either(act: Callable[[], object], *, preview: bool = True) -> Said:
        try:
            return go(act, preview=preview)
        except SystemExit as end:
            assert end.code == SAID
            assert recorder.seen == [], "nothing is registered"
            return recorder

    yield either
    pulumi.runtime.settings.reset_options()


def parts(seen: list[MockResourceArgs]) -> list[str]:
    """The branches of the tree in the order in which they were registered, without those of the estate."""
    kinds = [args.typ.rpartition(":")[2] for args in seen if args.typ.startswith("garrison:")]
    return [kind for kind in kinds if kind != "Part"]


def test_a_program_of_ten_lines_deploys(under_pulumi: Callable[..., Said], tmp_path: Path) -> None:
    text = f"""
from garrison import App, kube
from garrison_stack import pulumi_program, run
images = {IMAGES!r}
image = "registry.example/x{DIGEST}"
app = App("shop", trust_domain="shop.example", images=images)
orders = app.service("orders", image=image, port=8080)
orders.calls(app.service("catalog", image=image, port=8080), "GET /items/{{id}}")
run(app)
"""
    assert len(text.strip().splitlines()) <= 10
    (tmp_path / "__main__.py").write_text(text)
    said = under_pulumi(lambda: runpy.run_path(str(tmp_path)))
    assert said.errors == ""
    assert parts(said.seen) == ["Admission", "Platform", "Estate"]
    wanted = whole(load(tmp_path / "__main__.py"), Settings(charts=build.obtain("charts")))
    steps = [item for step in wanted.platform for item in step.items]
    everything = [*wanted.admission, *steps, *wanted.estate.manifests]
    assert sorted(kubernetes(said), key=identity) == sorted(everything, key=identity), "each once, and nothing beside"


def test_the_example_stack_is_one_call(under_pulumi: Callable[..., Said], config: Callable[..., None]) -> None:
    text = (REPO / "stacks" / "__main__.py").read_text()
    assert len([line for line in text.splitlines() if line]) <= 10
    config(generatedSecrets='["psp/api-key"]')
    said = under_pulumi(lambda: runpy.run_path(str(REPO / "stacks" / "__main__.py"), run_name="__main__"))
    assert said.errors == ""
    names = {args.name for args in said.seen if args.typ.endswith((":GeneratedSecret", ":SealKey"))}
    assert {"secret/psp/api-key", "openbao/openbao-seal-key", "users/users-seal-key"} <= names
    first, last = said.seen.index, parts(said.seen)
    assert last == ["Admission", "Platform", "Estate"]
    assert first(next(a for a in said.seen if a.typ.endswith(":Admission"))) == min(map(first, said.seen))


def test_the_readmes_first_program_is_ten_lines_and_deploys(under_pulumi: Callable[..., Said], tmp_path: Path) -> None:
    page = (REPO / "README.md").read_text()
    program = blocks(page, "python")[0]
    assert len([line for line in program.splitlines() if line]) <= 10
    (tmp_path / "__main__.py").write_text(program)
    assert parts(under_pulumi(lambda: runpy.run_path(str(tmp_path))).seen) == ["Admission", "Platform", "Estate"]


def test_the_page_is_true(under_pulumi: Callable[..., Said], tmp_path: Path) -> None:
    page = (REPO / "docs" / "run.md").read_text()
    (program,) = blocks(page, "python")
    (project,) = blocks(page, "yaml")
    assert yaml.safe_load(project)["config"] == yaml.safe_load((REPO / "Pulumi.yaml").read_text())["config"]
    (tmp_path / "__main__.py").write_text(program)
    assert parts(under_pulumi(lambda: runpy.run_path(str(tmp_path))).seen) == ["Admission", "Platform", "Estate"]
    adjusted = page.partition("## What may be adjusted")[2].partition("##")[0]
    named = {place[-1] for place in adjustment.ALLOWED if place[-1] != "storageClassName"}
    assert named <= set(re.findall(r"`(\w+)`", adjusted))


# --- refusals: each in one line, before anything is registered -----------------------------------------------------


def unpinned() -> App:
    app = empty_app()
    app.namespace("shop").service("orders", image="registry.example/orders@" + d.UNPINNED, port=8080)
    return app


def broken() -> App:
    app = shop_app()
    app.service("x", image="registry.example/x" + DIGEST, port=8080).calls("nobody", "GET /")
    return app


@pytest.mark.parametrize(
    ("app", "settings", "said"),
    [
        (shop_app, {"isuer": "corporate"}, r"isuer: no such setting; did you mean 'issuer'\?"),
        (shop_app, {"charts": "/nowhere"}, "charts: '/nowhere' is not usable; there is no such folder"),
        (broken, {}, "the declaration has 1 problem"),
        (unpinned, {}, "shop/orders: registry.example/orders is not pinned yet"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_registered(
    under_pulumi: Callable[..., Said],
    config: Callable[..., None],
    app: Callable[[], App],
    settings: dict[str, str],
    said: str,
) -> None:
    config(**settings)
    found = under_pulumi(lambda: run(app()))
    assert re.search(said, found.errors), found.errors


def test_a_missing_tool_too(under_pulumi: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "helm is not in PATH" in under_pulumi(lambda: run(shop_app())).errors


def test_and_exceptions_that_cannot_be_read(under_pulumi: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("exceptions: 7\n")
    assert (
        "holds no list `exceptions`" in under_pulumi(lambda: run(shop_app(), exceptions=tmp_path / "mine.yaml")).errors
    )


def test_and_what_adjust_may_not_change(under_pulumi: Callable[..., Said]) -> None:
    found = under_pulumi(lambda: run(shop_app(), adjust=lambda item: {**item, "spec": {}}))
    assert "leave it as it was derived" in found.errors


def test_and_a_cluster_that_does_not_answer(under_pulumi: Callable[..., Said]) -> None:
    assert under_pulumi(lambda: run(shop_app())).seen, "the control: a preview needs none"


def test_and_a_cluster_that_does_not_answer_an_update(
    under_pulumi: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(build.binary("kubectl").parent), prepend=":")
    assert "the cluster does not answer (" in under_pulumi(lambda: run(shop_app()), preview=False).errors


@pytest.mark.parametrize(("minor", "refused"), [("32", True), ("32+", True), ("33", False), ("33+", False)])
def test_and_a_cluster_that_is_too_old(
    under_pulumi: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, minor: str, refused: bool
) -> None:
    answers = {"/readyz": "ok", "/version": {"major": "1", "minor": minor}}
    said = "".join(
        f'case "$*" in *{path}*) echo {json.dumps(json.dumps(text))};; esac\n' for path, text in answers.items()
    )
    whoami = json.dumps({"status": {"userInfo": {"username": "eve", "groups": []}}})
    (tmp_path / "kubectl").write_text(f"#!/bin/sh\n{said}case $1 in auth) echo '{whoami}';; esac\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    errors = under_pulumi(lambda: run(shop_app()), preview=False).errors
    old = "Kubernetes 1.32 is too old: Garrison needs 1.33 or later; upgrade the cluster"
    assert (errors == old) is refused, "the control: a new one goes on to who deploys"
    assert ("'eve' is not among the deployers" in errors) is not refused


def test_and_what_is_no_app(under_pulumi: Callable[..., Said]) -> None:
    found = under_pulumi(lambda: run("estate.py"))  # type: ignore[arg-type]
    assert found.errors == "run('estate.py'): is neither an App nor the Path of a program that declares one"


def test_and_a_program_file_that_fails(under_pulumi: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "estate.py").write_text("from garrison import images\nlock = images('none.lock')\n")
    found = under_pulumi(lambda: run(tmp_path / "estate.py"))
    assert "no such lock file" in found.errors


def test_what_others_should_have_made_is_looked_for_at_preview(
    under_pulumi: Callable[..., Said], config: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    config(issuer="corp", installCertManager="false", installTrustManager="false")
    without = under_pulumi(lambda: run(shop_app()))
    assert parts(without.seen) == ["Admission", "Platform", "Estate"], "without a cluster a preview works"
    without.seen.clear()
    monkeypatch.setattr(pulumi_program, "check_reachable", lambda: None)
    for module in (kube, standing):
        monkeypatch.setattr(module, "attempt", answers({**SOUND, BUNDLE: None}))
    said = under_pulumi(lambda: run(shop_app()))
    assert (
        "trustCa: not given, and there is no Bundle trust-bundle: nobody would be trusted; give the CA" in said.errors
    )
    for module in (kube, standing):
        monkeypatch.setattr(module, "attempt", answers(SOUND))
    assert parts(under_pulumi(lambda: run(shop_app())).seen) == ["Admission", "Platform", "Estate"]


# --- read, and run by hand -----------------------------------------------------------------------------------------


def test_who_reads_the_program_gets_the_declaration_and_nothing_is_done(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from garrison_stack import run\nfrom unit.estates import shop_app\napp = shop_app()\nrun(app)\n"
    )
    assert load(tmp_path / "app.py").graph() == shop_app().graph()


def test_by_hand_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from garrison_stack import run\nfrom unit.estates import shop_app\nrun(shop_app())\n"
    )
    done = subprocess.run([sys.executable, "app.py"], cwd=tmp_path, env=_here(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the program was run by hand: `pulumi preview` and `pulumi up` run it\n"


def _here() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(str(REPO / name) for name in ("components", "policies", "tests"))}


def test_an_estate_with_users_has_their_server(under_pulumi: Callable[..., Said]) -> None:
    said = under_pulumi(lambda: run(served_app()))
    assert {"openbao", "users"} <= {args.name for args in said.seen if args.typ == "kubernetes:core/v1:Namespace"}

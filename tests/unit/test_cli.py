"""The command line: what it prints, and that bad input ends in one line and not in a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from garrison.cli import main
from unit.estates import IMAGES

PROGRAM = f"""
from garrison import App
app = App("estate", trust_domain="estate.example", images={IMAGES!r})
shop = app.namespace("shop")
image = "registry.example/x@sha256:{"0" * 64}"
orders = shop.service("orders", image=image, port=8080)
orders.calls("catalog", "GET /items/{{id}}")
"""
CATALOG = 'shop.service("catalog", image=image, port=8080)\n'


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "estate.py"
    path.write_text(PROGRAM + CATALOG)
    return path


def test_render_writes_manifests(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--app", str(program)]) == 0
    kinds = [m["kind"] for m in yaml.safe_load_all(capsys.readouterr().out)]
    assert kinds[0] == "Namespace"
    assert kinds.count("Deployment") == 2


@pytest.mark.parametrize(
    ("form", "start"), [("table", "FROM"), ("mermaid", "flowchart"), ("svg", "<svg"), ("json", "{")]
)
def test_graph_in_each_form(program: Path, capsys: pytest.CaptureFixture[str], form: str, start: str) -> None:
    assert main(["graph", "--app", str(program), "--format", form]) == 0
    assert capsys.readouterr().out.startswith(start)


def test_a_written_graph_can_be_rendered(program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["graph", "--app", str(program), "--format", "json"])
    saved = tmp_path / "graph.json"
    saved.write_text(capsys.readouterr().out)
    main(["render", "--app", str(program)])
    direct = capsys.readouterr().out
    assert main(["render", "--app", str(saved)]) == 0
    assert capsys.readouterr().out == direct


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PROGRAM, "did you mean"),
        (PROGRAM.replace('"catalog"', '"catalgo"') + CATALOG, "did you mean 'catalog'?"),
        ("x = 1", "declares 0 Apps"),
        ("raise RuntimeError('broken')", "the program failed: RuntimeError: broken"),
        ("import", "SyntaxError"),
    ],
)
def test_a_bad_program_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    assert main(["render", "--app", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says.replace("did you mean", "which nobody declared") in err if text == PROGRAM else says in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "text"), [("none.py", None), ("none.json", None), ("bad.json", "{}"), ("bad.json", "[")]
)
def test_a_missing_or_foreign_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    assert main(["graph", "--app", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_json_is_stable(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for _ in range(2):
        main(["graph", "--app", str(program), "--format", "json"])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["name"] == "estate"

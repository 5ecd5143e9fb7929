"""The documents are true: their programs run, their links lead somewhere, and they name no machine."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from garrison import App, cli, guest, render
from garrison.declare.program import load
from garrison.explain import drawing
from harness import floors
from harness.documents import blocks
from unit import neighbours
from unit.estates import IMAGES
from unit.tickets import tickets

REPO = Path(__file__).parents[2]
PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").glob("*.md")])


@pytest.mark.parametrize(
    ("page", "text"),
    [(p.name, text) for p in PAGES for text in blocks(p.read_text(), "python")],
    ids=lambda v: str(v)[:30],
)
def test_each_program_runs_and_declares_an_app(
    page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, graph in zip(("shop", "bank"), neighbours.together(), strict=True):  # what a program reads of another
        (tmp_path / f"{name}.json").write_text(graph.to_json())
    lock = {**IMAGES, "python": IMAGES["prober"]}
    (tmp_path / "images.lock").write_text("".join(f'{name} = "{image}"\n' for name, image in lock.items()))
    names: dict[str, object] = {}
    with guest.guest():  # as whoever reads a program for what it declares: `run` deploys nothing
        exec(compile(text, page, "exec"), names)
    apps = [value for value in names.values() if isinstance(value, App)]
    assert apps, "a program in a document declares an App"
    assert render(apps[0].graph())


def test_the_readme_has_a_program() -> None:
    assert blocks((REPO / "README.md").read_text(), "python")


def test_the_readmes_program_goes_through_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program.py"
    program.write_text(blocks((REPO / "README.md").read_text(), "python")[0])
    monkeypatch.chdir(tmp_path)  # as a newcomer, who has no exceptions
    for words in ("render", "check", "graph", "graph --format svg", "graph --format mermaid"):
        assert cli.main([*words.split(), "--app", str(program)]) == 0, capsys.readouterr()
        said = capsys.readouterr().out
        assert words == "check" or "orders" in said, words


def test_the_picture_of_the_estate_is_the_estate() -> None:
    """Renewed with `garrison graph --format svg > docs/estate.svg`."""
    graph = load(REPO / "stacks" / "estate.py").graph()
    assert (REPO / "docs" / "estate.svg").read_text() == drawing.svg(graph)


def test_the_picture_of_a_large_application_is_that_application() -> None:
    """Renewed with `PYTHONPATH=components:tests python -m unit.tickets > docs/graph.svg`."""
    assert (REPO / "docs" / "graph.svg").read_text() == drawing.svg(tickets().graph())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_named_files_and_verbs_exist(page: Path) -> None:
    text = page.read_text()
    verbs = set(re.findall(r"^([a-z]+):", (REPO / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= verbs
    for name in re.findall(r"`((?:docs|components|policies|stacks|services|tests|benchmarks)/[\w./-]+)`", text):
        assert (REPO / name).exists(), f"{page.name} names {name}"


def test_no_file_names_a_machine() -> None:
    """Nothing that is committed holds a path of the machine it was written on."""
    files = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=True).stdout.split()
    home = str(Path.home())
    pattern = re.compile(r"(?<![\w.])/" + r"work/main|" + re.escape(home) + r"/[a-z.]")
    for name in files:
        if home == "/" or not (REPO / name).is_file():
            continue
        text = (REPO / name).read_text(errors="ignore")
        assert not pattern.search(text), f"{name} names a path of this machine"


def test_the_picture_of_the_packages_is_drawn_from_the_contracts() -> None:
    assert (REPO / "docs" / "packages.svg").read_text() == floors.svg(), "python -m harness.floors > docs/packages.svg"


def test_nothing_is_said_twice_where_branches_meet() -> None:
    """Merging by union leaves doubles: numbers of decisions, attacks, sections and entries of the changelog."""
    decisions = re.findall(r"^(\d+)\. ", (REPO / "docs" / "decisions.md").read_text(), re.MULTILINE)
    assert decisions == [str(number) for number in range(1, len(decisions) + 1)]
    attacks = re.findall(r"^\| (.+?) \| ", (REPO / "SECURITY.md").read_text(), re.MULTILINE)
    assert not [attack for attack, times in Counter(attacks).items() if times > 1]
    for version in re.split(r"^## ", (REPO / "CHANGELOG.md").read_text(), flags=re.MULTILINE):
        for kind in (r"^### (\w+)$", r"^- (.+)$"):
            assert not [what for what, times in Counter(re.findall(kind, version, re.MULTILINE)).items() if times > 1]

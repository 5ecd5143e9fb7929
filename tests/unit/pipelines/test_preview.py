"""The preview: what a change does to the manifests, and the comment that is made of untrusted data."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import garrison
from garrison_supply.pipelines import changes, comment, cost
from garrison_supply.pipelines.errors import PipelineError
from garrison_supply.pipelines.report import Report
from garrison_supply.pipelines.subject import Subject
from unit.estates import IMAGES
from unit.pipelines.conftest import NOW, git
from unit.verbs import ci as main

Say = Callable[..., Report]
DIFF = "--- before\n+++ after\n-a\n+b"
ROW = {"change": "update", "kind": "Service", "namespace": "shop", "name": "orders", "diff": DIFF}
PROGRAM = f"""
from garrison import App
app = App("estate", trust_domain="estate.example", images={IMAGES!r})
shop = app.namespace("shop")
image = "registry.example/x@sha256:{"0" * 64}"
shop.service("orders", image=image, port=8080)
"""


def test_objects_that_differ_are_listed() -> None:
    old: changes.Objects = {("Service", "a", "x"): {"port": 1}, ("Service", "a", "y"): {"port": 1}}
    new: changes.Objects = {("Service", "a", "x"): {"port": 2}, ("Role", "a", "z"): {"rules": []}}
    rows = list(changes.compare(old, new))
    assert [(row["change"], row["kind"], row["name"]) for row in rows] == [
        ("create", "Role", "z"),
        ("update", "Service", "x"),
        ("delete", "Service", "y"),
    ]
    assert rows[1]["diff"].splitlines()[-2:] == ["-port: 1", "+port: 2"]
    assert list(changes.compare(new, new)) == []


def test_what_lies_in_a_configuration_as_json_differs_by_its_own_lines() -> None:
    maps = [{"kind": "ConfigMap", "data": {"a.json": json.dumps({"x": 1, "y": y}), "b": "{", "c": "7"}} for y in (2, 3)]
    (row,) = changes.compare({("ConfigMap", "a", "x"): maps[0]}, {("ConfigMap", "a", "x"): maps[1]})
    assert [line for line in row["diff"].splitlines()[3:] if line[0] in "+-"] == ["-    y: 2", "+    y: 3"]


def test_a_new_service_is_seen_against_the_commit_before(checkout: Subject, capsys: pytest.CaptureFixture[str]) -> None:
    Path("stacks/estate.py").write_text(PROGRAM)
    git("add", ".")
    git("commit", "--quiet", "-m", "two")
    assert main(["changes", "HEAD"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == []
    Path("stacks/estate.py").write_text(PROGRAM + 'shop.service("catalog", image=image, port=8080)\n')
    assert main(["changes", "HEAD"]) == 0
    said = json.loads(capsys.readouterr().out)
    rows = said["changes"]
    assert said["words"] == ["+ service shop/catalog"]
    assert ("create", "Deployment", "shop", "catalog") in {
        (row["change"], row["kind"], row["namespace"], row["name"]) for row in rows
    }
    assert main(["changes", "no-such-commit"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_comment_shows_the_changes(say: Say, checkout: Subject) -> None:
    say("preview/changes", output={"base": "x", "changes": [ROW]})
    text = comment.comment(Path("build/reports"), checkout.commit)
    assert text.startswith(comment.MARK)
    assert "1 to update" in text
    assert "<code>update Service shop/orders</code>" in text
    assert f"```diff\n{DIFF}\n```" in text


def shown(output: object, told: list[str] | None = None, scanned: list[str] | None = None) -> str:
    made = Report(
        name="preview/changes",
        commit="a" * 40,
        images={},
        started=NOW,
        finished=NOW,
        command=["true"],
        exit=0,
        output=output,
        lines=[],
    )
    return comment.markdown(made, told or ["+ policy/manifests: passed"], scanned or ["+ scan/images: passed"])


def test_nothing_inside_of_a_fence_ends_it() -> None:
    text = shown({"changes": [{**ROW, "diff": "```\n@everyone ![x](https://a.example/x)\n````"}]})
    lines = text.splitlines()
    start = lines.index("`````diff")
    end = lines.index("`````")
    assert start < lines.index("@everyone ![x](https://a.example/x)") < end
    found = shown({"changes": []}, ["- a", "  ```", "  @everyone"]).splitlines()
    assert found.index("````diff") < found.index("  @everyone") < found.index("````")


def test_what_a_change_means_comes_first_and_is_data() -> None:
    added = "+ shop/orders may DELETE /items/{id} at shop/catalog"
    text = shown({"changes": [ROW], "words": [added, "``` @everyone"]})
    lines = text.splitlines()
    assert lines.index("````diff") < lines.index(added) < lines.index("``` @everyone") < lines.index("````")
    assert "… and 5 more lines" in shown({"changes": [], "words": ["+ x"] * (comment.MAX_WORDS + 5)})
    assert "nobody may do more or less than before" in shown({"changes": [ROW]})
    for wrong in (7, ["x" * 3000], [1], {"a": "b"}):
        with pytest.raises(PipelineError, match="its words are none"):
            comment.words({"words": wrong})


CVE = {"kind": "vulnerability", "id": "CVE-1", "where": "openssl", "installed": "1", "fixed": "2", "target": "app"}
RULE = {"rule": "resource-limits", "message": "no limit", "file": "a.yaml", "remedy": "set one"}


def test_words_findings_scan_and_objects_stand_in_this_order(say: Say, checkout: Subject) -> None:
    """All four in fewer than 60 lines, though every check has found something."""
    added = "+ shop/orders may DELETE /items/{id} at shop/catalog"
    say("preview/changes", output={"words": [added], "objects": {"before": 51, "after": 52}, "changes": [ROW] * 3})
    say("policy/manifests", exit=0, output={"report": "check", "findings": [RULE]})
    say("policy/files", exit=1, output={"report": "check", "findings": [RULE] * 12})
    say("scan/images", exit=1, output={"report": "scan", "clean": False, "failing": [CVE]})
    say("opinion/security", exit=2, lines=["the index does not answer"])
    text = comment.comment(Path("build/reports"), checkout.commit)
    told = [
        "**What changes**",
        added,
        "**Findings**",
        "+ policy/manifests: passed, with 1 below its threshold",
        "  resource-limits: no limit (a.yaml); set one",
        "- policy/files: refused",
        "  … and 4 more",
        "**Scan**",
        "- scan/images: refused",
        "  vulnerability CVE-1: openssl 1 (fixed in 2) in app; ",
        "- scan/sources: no report yet",
        "- opinion/security: could not be done",
        "  could not be done (exit code 2): the index does not answer",
        "**Cost in objects**",
        "51 objects before, 52 after: 3 to update",
        "update Service shop/orders +1 -1",
    ]
    lines = [line.rstrip() for line in text.splitlines()]
    places = [lines.index(line.rstrip()) for line in told]
    assert places == sorted(places)
    assert len(lines) < 60


def test_a_report_of_another_commit_says_nothing_about_this_one(say: Say, checkout: Subject) -> None:
    say("preview/changes", output={"changes": []})
    say("scan/images", output={"report": "scan", "clean": True})
    assert "+ scan/images: passed" in comment.comment(Path("build/reports"))
    say("scan/images", commit="b" * 40, output={"report": "scan", "clean": True})
    assert "- scan/images: its report is about commit bbbbbbbbbbbb" in comment.comment(Path("build/reports"))
    Path("build/reports/scan/images.json").write_text("{}")
    assert "- scan/images: the report is of no known schema" in comment.comment(Path("build/reports"))


def test_one_operation_more_is_a_comment_of_fewer_than_sixty_lines(
    say: Say, checkout: Subject, capsys: pytest.CaptureFixture[str]
) -> None:
    """From two commits of a real program, with nothing made up but the other checks' reports."""
    program = PROGRAM.replace('shop.service("orders"', 'orders = shop.service("orders"')
    call = 'orders.calls(shop.service("catalog", image=image, port=8080), {})\n'
    Path("stacks/estate.py").write_text(program + call.format('"GET /items/{id}"'))
    git("add", ".")
    git("commit", "--quiet", "-m", "two")
    Path("stacks/estate.py").write_text(program + call.format('"GET /items/{id}", "DELETE /items/{id}"'))
    assert main(["changes", "HEAD"]) == 0
    say("preview/changes", output=json.loads(capsys.readouterr().out))
    for name in ("policy/manifests", "scan/images", "scan/sources", "opinion/security"):
        say(name)
    text = comment.comment(Path("build/reports"), checkout.commit)
    assert "\n+ shop/orders may DELETE /items/{id} at shop/catalog\n" in text
    assert re.search(r"(\d+) objects before, \1 after: \d+ to update\n", text)
    assert re.search(r"\n\+ +exact: DELETE\n", text), "the difference says so, too"
    assert len(text.splitlines()) < 60, text


def test_what_cannot_be_seen_is_shown() -> None:
    text = shown({"changes": [{**ROW, "diff": "a\u202eb\x1b[31mc\u200bd\re"}]})
    assert "a\ufffdb\ufffd[31mc\ufffdd\ufffde" in text


def test_a_long_comment_is_cut_with_a_count() -> None:
    text = shown({"changes": [{**ROW, "diff": "x" * 20_000}] * 5})
    assert len(text) < 65_536
    assert "Differences only in the report preview/changes: 3" in text
    many = shown({"changes": [{**ROW, "diff": "x\n" * 30}] * 30})
    assert len(many.splitlines()) < 60
    assert "… and 18 more lines" in many


@pytest.mark.parametrize(
    "output",
    [
        None,
        [],
        {"changes": "x"},
        {"changes": [1]},
        {"changes": [{**ROW, "change": "approve"}]},
        {"changes": [{**ROW, "name": "a</code><img src=x>"}]},
        {"changes": [{**ROW, "kind": "@everyone"}]},
        {"changes": [{**ROW, "namespace": "a b"}]},
        {"changes": [{**ROW, "diff": 1}]},
    ],
)
def test_what_is_no_change_is_not_posted(output: object) -> None:
    assert cost.rows({"changes": [ROW]}) == [ROW]
    with pytest.raises(PipelineError, match="preview/changes: "):
        cost.rows(output)


def test_the_preview_of_another_commit_is_not_posted(say: Say, checkout: Subject) -> None:
    say("preview/changes", output={"changes": []})
    assert comment.comment(Path("build/reports"), checkout.commit)
    with pytest.raises(PipelineError, match="is about commit"):
        comment.comment(Path("build/reports"), "b" * 40)


def test_the_job_that_may_write_needs_nothing_installed(say: Say, checkout: Subject) -> None:
    """The comment is made by the standard library alone: whatever else is imported would end this process."""
    say("preview/changes", output={"changes": [ROW]})
    program = """
import sys
for name in ("yaml", "pulumi", "pulumi_kubernetes", "hvac"):
    sys.modules[name] = None
from garrison_supply.pipelines.comment import main
sys.argv[1:] = ["build/reports"]
sys.exit(main())
"""
    source = Path(garrison.__file__).parents[1]
    command = [sys.executable, "-S", "-c", program]
    done = subprocess.run(command, env={"PYTHONPATH": str(source)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(comment.MARK)

"""The preview: what a change does to the manifests, and the comment that is made of untrusted data."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import garrison
from garrison_supply.pipelines import changes, comment
from garrison_supply.pipelines.errors import PipelineError
from garrison_supply.pipelines.report import Report
from garrison_supply.pipelines.subject import Subject
from unit.estates import IMAGES
from unit.pipelines.conftest import git
from unit.verbs import ci as main

Say = Callable[..., Report]
ROW = {"change": "update", "kind": "Service", "namespace": "shop", "name": "orders", "diff": "-a\n+b"}
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
    assert "```diff\n-a\n+b\n```" in text


def test_nothing_inside_of_a_fence_ends_it() -> None:
    text = comment.markdown("a" * 40, [{**ROW, "diff": "```\n@everyone ![x](https://a.example/x)\n````"}])
    lines = text.splitlines()
    start = lines.index("`````diff")
    end = lines.index("`````")
    assert start < lines.index("@everyone ![x](https://a.example/x)") < end


def test_what_a_change_means_comes_first_and_is_data() -> None:
    added = "+ shop/orders may DELETE /items/{id} at shop/catalog"
    text = comment.markdown("a" * 40, [ROW], [added, "```\n@everyone"])
    assert text.splitlines().index(added) < text.index("1 to update")
    lines = text.splitlines()
    assert lines.index("````diff") < lines.index("@everyone") < lines.index("````")
    assert "… and 5 more lines" in comment.markdown("a" * 40, [], ["+ x"] * (comment.MAX_WORDS + 5))
    for wrong in (7, ["x" * 3000], [1], {"a": "b"}):
        with pytest.raises(PipelineError, match="its words are none"):
            comment.words({"words": wrong})


def test_what_cannot_be_seen_is_shown() -> None:
    text = comment.markdown("a" * 40, [{**ROW, "diff": "a\u202eb\x1b[31mc\u200bd\re"}])
    assert "a\ufffdb\ufffd[31mc\ufffdd\ufffde" in text


def test_a_long_comment_is_cut_with_a_count() -> None:
    text = comment.markdown("a" * 40, [{**ROW, "diff": "x" * 20_000}] * 5)
    assert len(text) < 65_536
    assert "… and 3 more" in text


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
    assert comment.rows({"changes": [ROW]}) == [ROW]
    with pytest.raises(PipelineError, match="preview/changes: "):
        comment.rows(output)


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

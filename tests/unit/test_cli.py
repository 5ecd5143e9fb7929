"""The command line: what it prints, and that bad input ends in one line and not in a traceback."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import garrison
from garrison import completion, errors, exits
from garrison.cli import ELSEWHERE, main
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
        ("x = 1\nraise RuntimeError('broken')", "bad.py:2: the program failed: RuntimeError: broken"),
        (PROGRAM.replace("image=", "imge=", 1), "takes no 'imge'; did you mean 'image'?"),
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


ROOT = Path(garrison.__file__).parents[2]
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {hostNetwork: true, containers: [{name: a, image: x}]}\n"


def start(*arguments: str | Path, **streams: object) -> subprocess.Popen[str]:
    """The command in a process of its own, as a shell starts it."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}/components:{ROOT}/policies"}
    command = [sys.executable, "-m", "garrison", *map(str, arguments)]
    return subprocess.Popen(command, env=env, text=True, **streams)  # type: ignore[call-overload, no-any-return]


def ran(*arguments: str | Path) -> tuple[int, str, str]:
    with start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate()
    return process.returncode, out, err


ENDINGS = ["import sys; sys.exit(0)", "import sys; sys.exit('done')", "exit()", "raise SystemExit", "quit(3)"]


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("verb", ["graph", "render", "check", "prove", "exceptions"])
def test_a_program_that_ends_itself_could_not_be_used(
    verb: str, end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.py"
    path.write_text(PROGRAM + CATALOG + end)
    assert main([verb, "--exceptions" if verb == "exceptions" else "--app", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("garrison")
    assert "ended itself" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "talk",
    [
        "print('hello')",
        "import os; os.write(1, b'hello\\n')",
        "import subprocess; subprocess.run(['echo', 'hello'])",
        "import sys; sys.__stdout__.write('hello\\n')",
    ],
)
@pytest.mark.parametrize("verb", ["render", "graph"])
def test_what_a_program_prints_is_not_in_the_output(verb: str, talk: str, tmp_path: Path, program: Path) -> None:
    loud = tmp_path / "loud.py"
    loud.write_text(program.read_text() + talk)
    quiet = ran(verb, "--app", program)
    code, out, err = ran(verb, "--app", loud)
    assert (code, out) == quiet[:2]
    assert "hello" in err


def test_findings_are_not_lost_with_the_reader(tmp_path: Path) -> None:
    pod = tmp_path / "bad.yaml"
    pod.write_text(POD)
    assert ran("check", pod)[0] == exits.Exit.FOUND
    read, write = os.pipe()
    os.close(read)
    with start("check", pod, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        _, err = process.communicate()
    assert (process.returncode, err) == (exits.Exit.READER_GONE, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["check", "POD"], ["check", "--list"], ["graph", "--app", "APP"]])
def test_a_full_disk_is_one_line_and_two(arguments: list[str], tmp_path: Path, program: Path) -> None:
    pod = tmp_path / "bad.yaml"
    pod.write_text(POD)
    words = [{"POD": str(pod), "APP": str(program)}.get(word, word) for word in arguments]
    with Path("/dev/full").open("w") as full, start(*words, stdout=full, stderr=subprocess.PIPE) as process:
        _, err = process.communicate()
    assert process.returncode == exits.Exit.COULD_NOT
    assert [line for line in err.splitlines() if "findings" not in line] == [
        f"garrison{' check' if 'check' in words else ''}: the output: {os.strerror(errno.ENOSPC)}"
    ]


def test_an_interrupt_is_said_and_counted(tmp_path: Path) -> None:
    waits = tmp_path / "waits.py"
    waits.write_text("import sys, time\nprint('here', flush=True)\nwhile True: time.sleep(0.01)\n")
    with start("graph", "--app", waits, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "here\n"
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
    assert process.returncode == exits.Exit.INTERRUPTED
    assert err == "garrison: interrupted; run the same command again\n"


@pytest.mark.parametrize("text", ["x", "", "0", "61", "nan", "-1"])
def test_a_bad_number_of_seconds_is_refused_in_words(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["prove", f"--timeout={text}"])
    assert ended.value.code == 2
    assert f"{text!r} is not a number of seconds between 0.1 and 60" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ELSEWHERE)
def test_help_speaks_to_users(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    said = capsys.readouterr().out
    assert "usage: garrison " in said
    assert not {"session", "classify", "``", "garrison_", "_parser"} & set(said.split())
    assert "`" not in said.partition("options:")[0]


def test_help_has_examples_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert exits.table() in said
    assert set(exits.MEANINGS) == set(exits.Exit)
    assert "examples:" in said
    page = (ROOT / "docs/verbs.md").read_text()
    for code, meaning in exits.MEANINGS.items():
        assert f"| {code.value} | {meaning} |" in page


def test_every_error_of_ours_is_one_the_command_line_catches() -> None:
    """The tree drawn in the docstring is the tree there is."""
    for verb in ELSEWHERE.values():
        __import__(verb[0])
    import garrison.deployment.deploying
    import garrison.deployment.platform.charts  # noqa: F401

    def below(kind: type[Exception]) -> set[str]:
        return {kind.__name__}.union(*(below(sub) for sub in kind.__subclasses__()))

    drawn = errors.GarrisonError.__doc__ or ""
    ours = {name for name in below(errors.GarrisonError) if name != "FailedError"}  # becomes one of the others
    assert {name for name in ours if name not in drawn} == set()


def completed(*typed: str) -> list[str]:
    """What bash offers for the last word typed."""
    script = (
        f"source <({sys.executable} -m garrison completion bash); COMP_WORDS=({' '.join(map(repr, typed))}); "
        f'COMP_CWORD={len(typed) - 1}; _garrison; echo "${{COMPREPLY[@]}}"'
    )
    env = {**os.environ, "PYTHONPATH": f"{ROOT}/components:{ROOT}/policies"}
    done = subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_verbs_options_and_values() -> None:
    assert completed("garrison", "che") == ["check"]
    assert completed("garrison", "ci", "l") == ["lint"]
    assert completed("garrison", "check", "--app", "x.py", "--li") == ["--live", "--list"]
    assert completed("garrison", "check", "--format", "") == ["table", "json", "sarif"]
    assert completed("garrison", "completion", "f") == ["fish"]


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_each_shell_knows_every_verb(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert all(verb in said for verb in (*ELSEWHERE, "render", "graph", "lint", "verify"))


def test_the_rules_are_listed_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--list", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert main(["check", "--list"]) == 0
    assert len(rows) == len(capsys.readouterr().out.splitlines())
    assert {"rule", "severity", "title", "remedy", "controls", "references", "tags"} == rows[0].keys()


def test_files_that_are_exactly_the_graph_are_called_so(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["render", "--app", str(program)])
    manifests = tmp_path / "estate.yaml"
    manifests.write_text(capsys.readouterr().out)
    main(["check", "--app", str(program), str(manifests)])
    assert f"the files are what {program} derives" in capsys.readouterr().err
    manifests.write_text(manifests.read_text().replace("runAsNonRoot: true", "runAsNonRoot: false"))
    main(["check", "--app", str(program), str(manifests)])
    assert "the files are what" not in capsys.readouterr().err


def test_check_asks_the_cluster_that_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from garrison_policies.places import live

    asked: list[list[str]] = []

    def kubectl(words: list[str]) -> str:
        asked.append(words)
        return " ".join(live.BUILT_IN)

    monkeypatch.setattr(live, "kubectl", kubectl)
    monkeypatch.setattr(live, "_objects", lambda text: ())
    assert main(["check", "--live", "--context", "other", "--kubeconfig", "file"]) == 0
    assert all(words[-2:] == ["--context=other", "--kubeconfig=file"] for words in asked)
    assert main(["check", "--context", "other", "x.yaml"]) == 2
    assert "add --live" in capsys.readouterr().err

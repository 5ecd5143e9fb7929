"""The command: what it reads, what it writes, and that bad input is one clear line and leaves nothing behind."""

from __future__ import annotations

import ast
import io
import json
import sys
from pathlib import Path

import pytest

from garrison import cli
from unit.imported.manifests import SHOP, Json, configmap, env, peer, policy, service, workload, written

WEB = workload("web", env=env(CART="cart:7070", DB_PASSWORD="s3cr3t-value"))


def run(*arguments: str) -> int:
    return cli.main(["import", *arguments])


def test_program_to_standard_output_and_report_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(written(tmp_path, WEB, *SHOP)) == 0
    out, err = capsys.readouterr()
    ast.parse(out)
    assert 'web.calls(cart, env="CART")  # open: operations' in out
    assert '# web = "registry.example/web:1@pin-me"' in out, "no file is written beside standard output"
    assert "app/web  app/cart  7070  http  open: operations" in err
    assert "5 workloads, 1 edge, of which 1 open;" in err
    assert "s3cr3t-value" not in out + err


def test_a_file_and_its_lock_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, report = tmp_path / "out" / "shop.py", tmp_path / "report.json"
    out.parent.mkdir()
    source = written(tmp_path, WEB, *SHOP)
    assert run(source, "-o", str(out), "--report", str(report), "--format", "json", "--name", "shop") == 0
    assert capsys.readouterr() == ("", "")
    assert {file.name for file in out.parent.iterdir()} == {"shop.py", "images.lock"}
    said = json.loads(report.read_text())
    assert said["report"] == "import"
    assert said["edges"] == [
        {
            "caller": "shop/web",
            "callee": "shop/cart",
            "port": 7070,
            "protocol": "http",
            "because": "the port's name http",
            "operations": [],
            "open": "operations",
            "evidence": ["CART (env)"],
        }
    ]
    assert said["secrets"] == [{"path": "shop/web/db-password", "from": "DB_PASSWORD (env)"}]
    assert "s3cr3t-value" not in report.read_text() + out.read_text()


def test_several_files_folders_and_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / "values.yaml").write_text("image: {tag: 1}\n")  # of a chart, beside the manifests
    (folder / "web.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [WEB]}))
    assert run(str(folder), written(tmp_path, *SHOP)) == 0
    assert "values.yaml: passed over, it holds no Kubernetes object" in capsys.readouterr().err


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(written(tmp_path, WEB, *SHOP)).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"# Source: shop/templates/web.yaml\n" + text)))
    assert run("-", "--name", "boutique") == 0
    assert 'App("boutique", trust_domain="boutique.example", images=lock)' in capsys.readouterr().out


def test_the_name_is_the_namespace_where_there_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    web = workload("web")
    web["metadata"]["namespace"] = "pets"
    assert run(written(tmp_path, web)) == 0
    assert 'pets = app.namespace("pets")' in capsys.readouterr().out


BAD: list[tuple[str, str, str]] = [
    ("nothing", "", "no Kubernetes object in it; give rendered manifests"),
    ("no YAML", "a: [", "is not YAML"),
    ("a template", "kind: {{ .Values.kind }}\n", "a template is checked after it is rendered"),
    ("no object", "a: 1\n", ":1: is not a Kubernetes object: it has no apiVersion or no kind"),
    ("no workload", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", "there is no Deployment, StatefulSet"),
    (
        "no containers",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {}\n",
        "a Deployment without a pod",
    ),
    ("an alias of nothing", "a: *b\n", "alias"),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_one_line_and_leaves_nothing(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, out = tmp_path / "bad.yaml", tmp_path / "out"
    bad.write_text(text)
    out.mkdir()
    assert run(str(bad), "-o", str(out / "p.py"), "--report", str(out / "r.txt")) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (one,) = said.err.splitlines()
    assert one.startswith("garrison import: ") and expected in one
    assert not list(out.iterdir())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing.yaml"], "missing.yaml: no such file or folder"),
        (["GOOD", "-"], "- is standard input, and stands alone"),
        (["GOOD", "--name", "Shop"], "--name 'Shop': use a DNS label"),
        (["GOOD", "--namespace", "kube-system"], "--namespace 'kube-system': use a DNS label"),
        (["GOOD", "-o", "no/such/place.py"], "there is no folder no/such"),
        (["GOOD", "-o", "."], ".: is a folder; name a file"),
        (["GOOD", "--openapi", "cart"], "--openapi cart: say NAME=FILE, where NAME is one of web, cart"),
        (["GOOD", "--openapi", "nobody=x.json"], "--openapi nobody=x.json: say NAME=FILE"),
        (["GOOD", "--openapi", "cart=missing.json"], "missing.json: cannot be read (No such file or directory)"),
        (["GOOD", "--openapi", "cart=GOOD"], "is no document of OpenAPI"),
        (["GOOD", "--proto", "missing.proto"], "missing.proto: cannot be read"),
        (["GOOD", "--proto", "GOOD"], "GOOD:1: has "),
    ],
    ids=str,
)
def test_wrong_arguments_are_one_line(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    good = Path(written(tmp_path, WEB, *SHOP)).name
    assert run(*(argument.replace("GOOD", good) for argument in arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (one,) = said.err.splitlines()
    assert one.startswith("garrison import: ") and expected.replace("GOOD", good) in one
    assert [file.name for file in tmp_path.iterdir()] == [good]


def test_what_is_there_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = written(tmp_path, WEB, *SHOP), tmp_path / "shop.py"
    (tmp_path / "images.lock").write_text("mine")
    assert run(source, "-o", str(out)) == 2
    assert "images.lock: is there already; move it away, or say --force" in capsys.readouterr().err
    assert not out.exists() and (tmp_path / "images.lock").read_text() == "mine"
    assert run(source, "-o", str(out), "--force") == 0
    assert "@pin-me" in (tmp_path / "images.lock").read_text()


def test_a_disk_that_is_full_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = written(tmp_path, WEB, *SHOP), tmp_path / "out"
    out.mkdir()
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).name == "images.lock":
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    assert run(source, "-o", str(out / "p.py")) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not list(out.iterdir()), "not the program without its lock, nor what was being written"


def test_contradictions_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hpa: Json = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "carts"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "carts"}},
    }
    objects = (
        WEB,
        *SHOP,
        hpa,
        policy("lost", "carts", ingress=[{"from": [peer("web")]}]),
        policy("peer", "cart", ingress=[{"from": [peer("webs")]}]),
        service("nobody", 80),
        service("named", 80, app="web", targetPort="metrics"),
        configmap("unread", **{"app.yaml": "url: http://cart:7070\nlost: http://gone.shop.svc.cluster.local\n"}),
    )
    file = written(tmp_path, *objects)
    with Path(file).open("a") as more:
        more.write("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice}\ndata: {a: '1', a: '2'}\n")
    assert run(file, "--name", "shop") == 0
    said = capsys.readouterr().err
    for rule, text in {
        "network-policy-dangling": "selects no pod of its namespace",
        "network-policy-peer-dangling": "",
        "autoscaler-dangling": "scales Deployment carts, which is not there",
        "service-dangling": "",
        "service-port-dangling": "its port 80 leads to no port of web",
        "configmap-unread": "no pod has it, and it names cart, and gone.shop.svc.cluster.local, which is no Service",
        "duplicate-key": "the key 'a' is written twice, and the later counts",
    }.items():
        assert rule in said and text in said, rule


def test_completion_and_help_know_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "bash"]) == 0
    assert '"import") found="' in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main(["import", "--help"])
    assert ended.value.code == 0
    assert "NAME=FILE" in capsys.readouterr().out

"""The wheel in an empty environment: what a user gets who has nothing of this repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.test_package import wheel  # noqa: F401 the fixture
from harness import build, environment, paths
from harness.documents import blocks
from unit.estates import DIGEST, IMAGES

PULLED = {
    "python": "python",
    "envoy": "envoyproxy/envoy",
    "openbao": "openbao/openbao",
    "prober": "localhost/prober",
}  # as `docker image inspect` names them
CREATED = r"\+ (\d+) to create"
TEN_MINUTES = (paths.REPO / "docs" / "ten-minutes.md").read_text()
PROGRAM = f"""
from garrison import App
image = "registry.example/x@sha256:{"0" * 64}"
estate = App("estate", trust_domain="estate.example", images={IMAGES!r})
shop = estate.namespace("shop")
orders = shop.service("orders", image=image, port=8080)
orders.calls(shop.service("catalog", image=image, port=8080), "GET /items/{{id}}")
"""
# An issuer of the cluster's own and a way to its API server: the pack derives both again from what is registered.
STACK = f"""{PROGRAM}
from garrison import deploy
from garrison.cluster import Cluster
orders.may("get", "configmaps", "orders-flags")
there = Cluster(issuer="corporate", api_server=("10.0.0.0/24",))
deploy(estate, guard="elsewhere", cluster=there, adjust=ADJUST)
"""


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The bin folder of an environment that holds the wheel with its extras, and nothing else."""
    place = tmp_path_factory.mktemp("installed")
    install, *_ = blocks(TEN_MINUTES, "sh")
    script = f"{install}\npip install --quiet '{wheel}[pulumi,pack]'"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "WHEEL": str(wheel)}
    done = subprocess.run(["bash", "-ec", script], cwd=place, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"garrison {wheel.name.split('-')[1]}\n"
    return place / "venv" / "bin"


def garrison(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{installed}{os.pathsep}{os.defpath}", "HOME": str(folder)}
    return subprocess.run(
        [str(installed / "garrison"), *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "estate.py").write_text(PROGRAM)
    return tmp_path


def test_pulumi_finds_the_package(installed: Path, tmp_path: Path) -> None:
    command = [str(build.binary("pulumi")), "package", "get-schema", str(installed / "pulumi-resource-garrison")]
    env = {"PATH": f"{installed}{os.pathsep}{os.defpath}", "HOME": str(tmp_path), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [*json.loads(done.stdout)["resources"]] == ["garrison:index:App"]


def test_every_verb_of_a_program_works(installed: Path, folder: Path) -> None:
    app = ("--app", "estate.py")
    rendered = garrison(installed, folder, "render", *app)
    assert rendered.stdout.count("kind: NetworkPolicy") == 3, rendered.stderr
    assert "GET /items/{id}" in garrison(installed, folder, "graph", *app).stdout
    checked = garrison(installed, folder, "check", *app, "--format", "json")
    assert checked.returncode in (0, 1) and json.loads(checked.stdout)["report"] == "check", checked.stderr
    assert "--source" in garrison(installed, folder, "prove", "--help").stdout
    assert garrison(installed, folder, "changes", "estate.py", "estate.py").stdout == "Nothing changes.\n"


def test_what_is_no_module_is_there(installed: Path, folder: Path) -> None:
    pack = Path(garrison(installed, folder, "files", "pack").stdout.strip())
    assert os.access(pack, os.X_OK)
    assert (pack.parent / "PulumiPolicy.yaml").is_file()
    tool = Path(garrison(installed, folder, "files", "probe-tool").stdout.strip())
    assert (tool / "__main__.py").is_file()
    assert Path(garrison(installed, folder, "files", "exceptions").stdout.strip()).is_file()
    missing = garrison(installed, folder, "files", "charts")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "set GARRISON_CHARTS" in missing.stderr


def test_an_editor_sees_the_types(installed: Path, folder: Path) -> None:
    (folder / "wrong.py").write_text(PROGRAM + 'shop.service("a", imge=image, port=8080)\n')
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--python-executable",
        str(installed / "python3"),
        "--cache-dir",
        os.devnull,
    ]
    done = subprocess.run([*command, "wrong.py"], cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert 'Unexpected keyword argument "imge"' in done.stdout, done.stdout


def test_the_ten_minutes_go_as_far_as_they_need_no_cluster(installed: Path, tmp_path: Path) -> None:
    """The page's own blocks: the program in the commands, and a preview of all that `pulumi up` makes."""
    _, look, deploy = blocks(TEN_MINUTES, "sh")
    (program,), (settings, project) = blocks(TEN_MINUTES, "python"), blocks(TEN_MINUTES, "yaml")
    lock = "".join(f'{name} = "{image}{DIGEST}"\n' for name, image in PULLED.items())
    for name, text in {"__main__.py": program, "Pulumi.yaml": project, "Pulumi.dev.yaml": settings}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "images.lock").write_text(lock)
    (tmp_path / "charts").symlink_to(build.obtain("charts"))
    tools = environment.full(environment.TEST)["PATH"]
    env = {"PATH": f"{installed}{os.pathsep}{tools}", "HOME": str(tmp_path), "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def shell(script: str) -> str:
        command = ["bash", "-ec", script]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for line in shell(look).splitlines():
        assert line in TEN_MINUTES
    made, said = (int(number) for text in (shell(deploy), TEN_MINUTES) for number in re.findall(CREATED, text))
    assert abs(made - said) <= 10, "about as many objects as the page says"


Pulumi = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def pulumi(installed: Path, folder: Path) -> Pulumi:
    """Pulumi in the folder, with a state of its own and a new stack."""
    (folder / "Pulumi.yaml").write_text("name: own\nruntime: python\n")
    (folder / "state").mkdir()
    tools = environment.full(environment.TEST)
    env = {
        "PATH": f"{installed}{os.pathsep}{tools['PATH']}",
        "HOME": str(folder),
        "PULUMI_BACKEND_URL": f"file://{folder}/state",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["pulumi", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)

    assert run("stack", "init", "dev").returncode == 0
    return run


def test_one_call_previews_everything(folder: Path, pulumi: Pulumi) -> None:
    """The program's own configuration beside Garrison's; the exceptions are the wheel's."""
    own = 'import pulumi\nassert pulumi.Config().require("imageTag") == "1.2"\n'
    (folder / "__main__.py").write_text(f"from garrison_stack import run\n{own}{PROGRAM}\nrun(estate)\n")
    config = {"own:imageTag": "1.2", "garrison:issuer": "corporate", "garrison:installOpenbao": "false"}
    config |= {"garrison:installCertManager": "false", "garrison:installTrustManager": "false"}
    for key, value in config.items():
        assert pulumi("config", "set", key, value).returncode == 0
    done = pulumi("preview", "--non-interactive")
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("Admission", "Platform", "Estate"):
        assert f"garrison:index:{part}" in done.stdout
    assert pulumi("config", "set", "garrison:isuer", "corporate").returncode == 0
    done = pulumi("preview", "--non-interactive")
    assert done.returncode != 0
    assert "isuer: no such setting; did you mean 'issuer'?" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "kubernetes:" not in done.stdout, "nothing is registered"


def test_a_preview_with_the_pack(installed: Path, folder: Path, pulumi: Pulumi) -> None:
    (folder / "__main__.py").write_text(STACK.replace("ADJUST", "None"))
    pack = garrison(installed, folder, "files", "pack").stdout.strip()
    done = pulumi("preview", "--non-interactive", "--policy-pack", pack)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "garrison:index:Estate" in done.stdout
    assert "Policies:" in done.stdout
    assert "estate-changed" not in done.stdout + done.stderr
    opens = "lambda m: m['spec'].update(ingress=[{}]) or m if m['kind'] == 'NetworkPolicy' else m"
    (folder / "__main__.py").write_text(STACK.replace("ADJUST", opens))
    done = pulumi("preview", "--non-interactive")
    assert done.returncode != 0, "refused without a pack, too"
    assert "changes spec.ingress" in done.stdout + done.stderr

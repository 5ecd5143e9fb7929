"""The package as others get it: the wheel holds it whole, imports without Pulumi, and keeps its layers."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(REPO)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    packages = {
        "garrison": REPO / "components",
        "garrison_import": REPO / "components",
        "garrison_stack": REPO / "components",
        "garrison_supply": REPO / "components",
        "garrison_policies": REPO / "policies",
    }
    expected = {str(path.relative_to(root)) for name, root in packages.items() for path in (root / name).rglob("*.py")}
    expected |= {f"garrison/prove/tool/prober/{path.name}" for path in (REPO / "services" / "prober").glob("*.py")}
    expected |= {"garrison_policies/pack/__main__.py"}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    assert packed == expected
    assert {f"{name}/py.typed" for name in packages} <= set(zipfile.ZipFile(wheel).namelist())


def test_render_works_from_the_wheel_without_pulumi(wheel: Path, tmp_path: Path) -> None:
    """`garrison render` needs neither a cluster nor Pulumi: importing either would end this process."""
    program = f"""
import sys
sys.path.insert(0, {str(wheel)!r})
for name in ("pulumi", "pulumi_kubernetes", "hvac"):
    sys.modules[name] = None
from garrison import App, render
import garrison
assert {str(wheel)!r} in garrison.__file__
image = "registry.example/x@sha256:" + "0" * 64
app = App("shop", trust_domain="shop.example", images={{"envoy": image, "openbao": image}})
app.service("orders", image=image, port=8080).calls("catalog", "GET /items/{{id}}")
app.service("catalog", image=image, port=8080)
print(len(render(app.graph())))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


@pytest.mark.parametrize(
    ("then", "said", "code"),
    [
        (
            "sys.exit(main(['store', 'apply', 'store.json']))",
            "garrison store: this needs hvac and Pulumi: pip install",
            2,
        ),
        ("from garrison_stack import run; run(None)", "this needs hvac and Pulumi: pip install", 1),
        ("sys.exit(main(['store', 'policies']))", "", 0),
    ],
)
def test_what_needs_pulumi_says_so_where_it_is_missing(then: str, said: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"schema": "garrison.dev/store/v1", "keys": [], "servers": []}')
    program = f"""
import sys
for name in ("pulumi", "pulumi_kubernetes", "hvac"):
    sys.modules[name] = None
from garrison.cli import main
{then}
"""
    env = {"PYTHONPATH": f"{REPO}/components:{REPO}/policies"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1 if said else 0), done.stderr
    assert done.stderr.startswith(said)

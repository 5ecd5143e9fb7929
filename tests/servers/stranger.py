"""A repository of somebody else: a small service, its program, and what they write where the templates tell them to."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import yaml

from harness import build, paths
from servers import advisories, tiny

MARK = "REPLACE THIS BY YOUR OWN"
SERVICE = '''"""Where a parcel is."""
import http.server
import json

PARCELS = {"7": "in the post"}


def find(path: str) -> tuple[int, str]:
    """Status and answer for a path."""
    name = path.removeprefix("/parcels/")
    return (200, PARCELS[name]) if name in PARCELS else (404, "unknown")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, answer = find(self.path)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())
'''
TESTS = """import unittest

from tracking import find


class Test(unittest.TestCase):
    def test_a_parcel_is_found(self) -> None:
        self.assertEqual(find("/parcels/7"), (200, "in the post"))
        self.assertEqual(find("/parcels/8")[0], 404)
"""
PROGRAM = """from pathlib import Path

from garrison import App, images
from garrison_stack import run

lock = images(Path(__file__).with_name("images.lock"))
app = App("parcels", trust_domain="parcels.example", images=lock)
tracking = app.service("tracking", image=lock["tracking"], port=8080)
desk = app.service("desk", image=lock["desk"], port=8080)
desk.calls(tracking, "GET /parcels/{id}")

run(app)
"""
ONE_MORE = '"GET /parcels/{id}", "DELETE /parcels/{id}"'
WORDS = "+ parcels/desk may DELETE /parcels/{id} at parcels/tracking"
PULUMI = "name: parcels\nruntime: python\nmain: stacks/estate.py\n"
# Somebody else's cluster: its cert-manager and its issuer; there is nothing that needs a secret store.
SETTINGS = {
    "issuer": "corporate",
    "installCertManager": "false",
    "installTrustManager": "false",
    "installOpenbao": "false",
}
# The steps that say so are written anew, and only these. Each installs what it calls; python3 is there for all.
OWN = {
    # The images are made before: what is asked here is that the others take what a build leaves.
    "images": '#!/bin/sh\nset -eu\nmkdir -p "$IMAGES" && cp -r made/. "$IMAGES"\n',
    "lint": """#!/bin/sh
. "${0%/*}/common.sh"
check lint/format -- python3 -m tabnanny service
check lint/code -- python3 -m py_compile service/tracking.py
check lint/types -- python3 -m compileall -q service
check --json lint/workflows -- garrison ci lint --format json
exit "$failed"
""",
    "test": """#!/bin/sh
. "${0%/*}/common.sh"
check test/unit -- python3 -m unittest discover -s service
exit "$failed"
""",
    # No container engine is here. What stands in derives the estate and checks it; that is no proof of a cluster.
    "cluster": """#!/bin/sh
. "${0%/*}/common.sh"
check cluster/up -- garrison render --app "$APP"
check --json cluster/probes -- garrison check --app "$APP" --format json
exit "$failed"
""",
}


def marked(folder: Path) -> set[str]:
    """The steps that say that they are to be replaced."""
    return {file.name for file in (folder / "ci/steps").iterdir() if MARK in file.read_text()}


def repository(folder: Path, kubeconfig: Path) -> Path:
    """An empty repository, then the service, then the templates, then their own steps: two commits, one of a change."""
    folder.mkdir()
    _git(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in {
        "service/tracking.py": SERVICE,
        "service/test_tracking.py": TESTS,
        "stacks/estate.py": PROGRAM,
        "Pulumi.yaml": PULUMI,
        ".gitignore": "build/\n__pycache__/\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    # No `prober`: there is no pod to put it beside, and `garrison prove` says so at once.
    pins = {name: _image(folder, name) for name in ("tracking", "desk", "envoy", "openbao")}
    (folder / "stacks/images.lock").write_text("".join(f'{name} = "{pin}"\n' for name, pin in pins.items()))
    copied = subprocess.run([paths.REPO / "ci/copy", folder, "github"], capture_output=True, text=True, check=False)
    assert copied.returncode == 0, copied.stderr
    for name in marked(folder):
        (folder / "ci/steps" / name).write_text(OWN[name])
    _own_job(folder / ".github/workflows/checks.yml")
    (folder / "ci/kubeconfig.yaml").write_text(_whole(kubeconfig))
    _settings(folder)
    _stack(folder)
    _commit(folder, "A service and its pipeline")
    (folder / "stacks/estate.py").write_text(PROGRAM.replace('"GET /parcels/{id}"', ONE_MORE))
    _commit(folder, "Parcels can be cancelled")
    return folder


def _whole(kubeconfig: Path) -> str:
    """With its authority inside: the file of this machine is not in a container."""
    found = yaml.safe_load(kubeconfig.read_text())
    for row in found["clusters"]:
        authority = Path(row["cluster"].pop("certificate-authority")).read_bytes()
        row["cluster"]["certificate-authority-data"] = base64.b64encode(authority).decode()
    return str(yaml.safe_dump(found))


def _own_job(workflow: Path) -> None:
    """The job `cluster`, which says so, too: theirs begins like all others, since it starts no container."""
    text = workflow.read_text()
    begin = next(line for line in text.splitlines() if "- run: apt-get" in line)
    head, mark, job = text.partition(f"# On the runner itself, where a container engine is. {MARK}")
    assert mark
    job = job.replace("    steps:\n", f"    steps:\n{begin}\n", 1)
    own = job.replace("      - run: ci/steps/cluster", "      - run: ci/steps/install\n      - run: ci/steps/cluster")
    workflow.write_text(head + mark + own)


def _image(folder: Path, name: str) -> str:
    return tiny.image(name, folder / "made" / name, folder.parent / f"{folder.name}-{name}")


def _settings(folder: Path) -> None:
    """scan.toml as it was copied, with whom they trust and advisories from a folder.

    They have no dependencies, so `opinion` has nothing to look up: the package index gives no advisories here.
    """
    made = advisories.database(folder.parent / f"{folder.name}-advisories")
    shutil.copytree(made, folder / "advisories")
    file = folder / "scan.toml"
    file.write_text(
        file.read_text().replace("keys = []", 'keys = ["team.pub"]') + '\n[database]\nfolder = "advisories"\n'
    )
    pair = ["generate-key-pair", f"--output-key-prefix={folder.parent / folder.name}-team"]
    subprocess.run([build.binary("cosign"), *pair], env={**os.environ, "COSIGN_PASSWORD": "x"}, check=True)
    shutil.copy(folder.parent / f"{folder.name}-team.pub", folder / "team.pub")


def _stack(folder: Path) -> None:
    """A stack of Pulumi's in which nothing is yet; its state lies in the repository."""
    (folder / "state").mkdir()
    env = {"HOME": str(folder.parent), "PULUMI_BACKEND_URL": f"file://{folder}/state", "PULUMI_CONFIG_PASSPHRASE": "x"}
    settings = [("config", "set", f"garrison:{key}", value) for key, value in SETTINGS.items()]
    for words in (("stack", "init", "live", "--non-interactive"), *settings):
        command = [str(build.binary("pulumi")), *words]
        subprocess.run(command, cwd=folder, env={"PATH": os.environ["PATH"], **env}, check=True, capture_output=True)
    shutil.rmtree(folder / "state/.pulumi/backups", ignore_errors=True)


def key(folder: Path) -> str:
    """The private key of those who sign; its password is x."""
    return (folder.parent / f"{folder.name}-team.key").read_text()


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "--all")
    _git(folder, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", message)


def commit(folder: Path, name: str = "HEAD") -> str:
    """The full name of a commit."""
    return _git(folder, "rev-parse", name).strip()


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout

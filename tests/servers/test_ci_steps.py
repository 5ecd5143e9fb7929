"""The CI steps as a team copies them, with the real Trivy, cosign and rules: each seeded fault closes the gate alone.

A small project is made once: a program, three images, a lock, a clean run of all steps. Every test copies it, seeds
one fault, runs the steps that would see it again, and asks the gate for its reasons.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec

from harness import build, paths
from servers import advisories, tiny
from servers.tiny import FIXED, VULNERABLE

PROGRAM = """
from pathlib import Path
from garrison import App, images
lock = images(Path(__file__).with_name("images.lock"))
estate = App("estate", trust_domain="estate.example", images=lock)
estate.namespace("shop").service("app", image=lock["app"], port=8080)
"""
# What a team writes in place of ours: here the images are made already, and the build only hands them on.
IMAGES_STEP = """#!/bin/sh
set -eu
mkdir -p "$IMAGES" && cp -r made/. "$IMAGES"
"""
GATE = """
max-age-hours = 24
[gates]
change = ["build/images", "build/bills", "sign/images", "scan/sources", "scan/images",
          "policy/manifests", "policy/files", "preview/changes"]
release = ["scan/images", "policy/manifests"]
"""
# Not in git, so that a test may change them and the reports still are about this commit.
UNTRACKED = "build/\nmade/\nk8s/\nscan.toml\n.*/\n.*.pub\n"


@dataclass(frozen=True)
class Project:
    """A checkout of a team, and the machine its steps run on."""

    folder: Path
    tools: Path

    def step(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a step with nothing in its environment that is not named here."""
        env = {"PATH": f"{self.tools}:{os.defpath}", "HOME": str(self.folder), "BASE": "HEAD", **variables}
        words = [str(self.folder / "ci/steps" / command[0]), *command[1:]]
        return subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True, check=False)

    def gate(self, **variables: str) -> list[str]:
        """The reasons against; none when it is open."""
        done = self.step("gate", **variables)
        assert done.returncode in (0, 1), done.stderr
        *reasons, verdict = done.stdout.splitlines()
        assert ("open" in verdict) == (done.returncode == 0) == (not reasons)
        return reasons

    def commit(self) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        for command in (("add", "--all"), ("commit", "--quiet", "--allow-empty", "--message", "x")):
            subprocess.run(["git", *identity, *command], cwd=self.folder, check=True, capture_output=True)

    def image(self, name: str, *, openssl: str = FIXED, user: str = "65532") -> str:
        """Make an image with one package, and its bill of materials; returns NAME@DIGEST."""
        scratch = self.folder.parent / f"{self.folder.name}-{name}"
        return tiny.image(name, self.folder / "made" / name, scratch, openssl=openssl, user=user)

    def lock(self, **pins: str) -> None:
        """Write these images into the lock, beside those that are there."""
        file = self.folder / "stacks/images.lock"
        lines = file.read_text().splitlines() if file.exists() else []
        kept = [line for line in lines if line.partition(" ")[0] not in pins]
        file.write_text("\n".join([*kept, *(f'{name} = "{pin}"' for name, pin in pins.items())]) + "\n")

    def report(self, name: str) -> Path:
        return self.folder / f"build/reports/{name}.json"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def settings(database: Path) -> str:
    lines = ["[database]", f'folder = "{database}"', "[signature]", "required = true"]
    for table, tool, version in (("scanner", "trivy", "0.69.3"), ("cosign", "cosign", "3.1.3")):
        path = build.binary(tool)
        lines += [f"[{table}]", f'path = "{path}"', f'version = "{version}"', f'sha256 = ["{sha256(path)}"]']
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after all its steps have passed."""
    root = tmp_path_factory.mktemp("ci")
    (root / "tools").mkdir()
    roots = ":".join(str(paths.REPO / name) for name in ("components", "policies"))
    garrison = root / "tools/garrison"
    garrison.write_text(f'#!/bin/sh\nPYTHONPATH={roots} exec {sys.executable} -m garrison "$@"\n')
    garrison.chmod(0o755)
    made = Project(root / "project", root / "tools")
    shutil.copytree(paths.REPO / "ci", made.folder / "ci")
    (made.folder / "stacks").mkdir()
    (made.folder / "stacks/estate.py").write_text(PROGRAM)
    made.lock(**{name: made.image(name) for name in ("app", "envoy", "openbao")})
    (made.folder / "ci/steps/images").write_text(IMAGES_STEP)
    (made.folder / "ci/gate.toml").write_text(GATE)
    (made.folder / "requirements.txt").write_text("jinja2==2.10.1\n")
    (made.folder / ".gitignore").write_text(UNTRACKED)
    (made.folder / "scan.toml").write_text(settings(advisories.database(root / "advisories")))
    rendered = subprocess.run([garrison, "render"], cwd=made.folder, capture_output=True, text=True, check=True).stdout
    (made.folder / "k8s").mkdir()
    (made.folder / "k8s/estate.yaml").write_text(rendered)
    subprocess.run(["git", "init", "--quiet"], cwd=made.folder, check=True)
    made.commit()
    for command in STEPS:
        done = made.step(*command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    return made


# `lint` and `test` are other people's tools; of `lint`, what is ours runs in the unit tests.
STEPS = (("build",), ("sign",), ("scan",), ("policy", "k8s"), ("preview",))
IMAGES = STEPS[:3]


@pytest.fixture
def project(clean: Project, tmp_path: Path) -> Project:
    shutil.copytree(clean.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project", clean.tools)


def test_the_clean_project_passes(project: Project) -> None:
    assert project.gate() == []
    assert project.step("summary").returncode == 0
    assert (project.folder / "build/preview.md").read_text().startswith("<!-- garrison preview -->")


def _vulnerable(project: Project) -> None:
    project.lock(app=project.image("app", openssl=VULNERABLE))


def _root(project: Project) -> None:
    project.lock(app=project.image("app", user=""))


def _key(project: Project) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption())
    (project.folder / "deploy.pem").write_bytes(text)


def _privileged(project: Project) -> None:
    _edit(project, "allowPrivilegeEscalation: false", "privileged: true")


def _tag(project: Project) -> None:
    pins = tomllib.loads((project.folder / "stacks/images.lock").read_text())
    _edit(project, pins["app"], "shop.example/app:1.0")


def _edit(project: Project, old: str, new: str) -> None:
    file = project.folder / "k8s/estate.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


# fault: what seeds it, the steps that must see it, the report that must say so, and its words
Fault = tuple[Callable[[Project], None], Sequence[tuple[str, ...]], str, str]
FAULTS: Mapping[str, Fault] = {
    "vulnerable package": (_vulnerable, IMAGES, "scan/images", "vulnerability CVE-2022-0778: libssl3"),
    "leaked key": (_key, [("scan",)], "scan/sources", "secret private-key: deploy.pem"),
    "root user": (_root, IMAGES, "scan/images", "misconfiguration root-user: User"),
    "privileged pod": (_privileged, [("policy", "k8s")], "policy/files", "privileged-container: "),
    "tag instead of digest": (_tag, [("policy", "k8s")], "policy/files", "image-"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_project_closes_the_gate_for_its_own_reason(project: Project, fault: str) -> None:
    assert project.gate() == []
    seed, steps, report, words = FAULTS[fault]
    seed(project)
    codes = [project.step(*step).returncode for step in steps]
    assert codes == [*(0 for _ in steps[1:]), 1]
    # The steps that did not run again are about the project as it was: that is their own reason, and not asked here.
    reasons = [line for line in project.gate() if ": is about " not in line]
    assert any(line.startswith(f"{report}: {words}") for line in reasons), reasons
    assert {line.partition(": ")[0] for line in reasons} == {report}, reasons


def test_an_unsigned_image_closes_the_gate(project: Project) -> None:
    digest = tomllib.loads((project.folder / "stacks/images.lock").read_text())["app"].partition("@")[2]
    shutil.rmtree(project.folder / "build/signatures" / digest.replace(":", "-"))
    assert project.step("scan").returncode == 1
    (reason,) = project.gate()
    assert reason.startswith("scan/images: signature unsigned: shop.example/app@")


def public_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)


def deployed(project: Project) -> list[str]:
    """What `deploy` asks of Pulumi, which here only writes it down."""
    calls, pulumi = project.folder / "build/calls", project.folder / ".bin/pulumi"
    calls.unlink(missing_ok=True)
    pulumi.parent.mkdir(exist_ok=True)
    pulumi.write_text(f'#!/bin/sh\necho "$1" >> {calls}\n')
    pulumi.chmod(0o755)
    project.step("deploy", STACK="live", PATH=f"{pulumi.parent}:{project.tools}:{os.defpath}")
    return calls.read_text().split() if calls.exists() else []


def test_nothing_is_deployed_without_a_signature_that_counts_and_an_open_gate(project: Project) -> None:
    """That the throw-away key lies with the signatures makes it count for nothing: scan.toml names the keys."""
    file = project.folder / "scan.toml"
    text = file.read_text()
    for name, key in (
        ("ours", (project.folder / "build/signatures/throw-away.pub").read_bytes()),
        ("other", public_key()),
    ):
        (project.folder / f".{name}.pub").write_bytes(key)
    file.write_text(text.replace("required = true", 'required = true\nkeys = [".ours.pub"]'))
    assert deployed(project) == ["preview", "up"]
    file.write_text(text.replace("required = true", 'required = true\nkeys = [".other.pub"]'))
    assert deployed(project) == []
    file.write_text(text.replace("required = true", 'required = true\nkeys = [".ours.pub"]'))
    project.report("scan/images").unlink()
    assert deployed(project) == []


def test_a_missing_report_closes_the_gate(project: Project) -> None:
    project.report("scan/images").unlink()
    assert project.gate() == ["scan/images: there is no report; run ci/steps/scan"]


def test_a_stale_report_closes_the_gate(project: Project) -> None:
    file = project.report("policy/manifests")
    said = json.loads(file.read_text())
    for key in ("started", "finished"):
        said[key] = (datetime.datetime.fromisoformat(said[key]) - datetime.timedelta(hours=25)).isoformat()
    file.write_text(json.dumps(said))
    assert project.gate() == ["policy/manifests: is stale: 25 h old, the limit is 24 h; run the step again"]


def test_an_old_database_closes_the_gate(project: Project) -> None:
    """The database itself is shared: a copy of it grows old."""
    settings = project.folder / "scan.toml"
    folder = tomllib.loads(settings.read_text())["database"]["folder"]
    shutil.copytree(folder, project.folder / ".old")
    settings.write_text(settings.read_text().replace(folder, str(project.folder / ".old")))
    assert project.step("scan").returncode == 0
    metadata = project.folder / ".old/metadata.json"
    said = json.loads(metadata.read_text())
    for key in ("UpdatedAt", "NextUpdate", "DownloadedAt"):
        said[key] = "2020-01-01T00:00:00Z"
    metadata.write_text(json.dumps(said))
    assert project.step("scan").returncode == 1
    reasons = project.gate()
    assert {line.partition(": ")[0] for line in reasons} == {"scan/sources", "scan/images"}
    assert all("could not be done (exit code 2): garrison scan: " in line and "old" in line for line in reasons), (
        reasons
    )


def test_a_tampered_scanner_closes_the_gate_and_never_runs(project: Project) -> None:
    """It would say that everything is clean, and leave a mark; one byte more than the pinned binary is enough."""
    settings = project.folder / "scan.toml"
    trivy = tomllib.loads(settings.read_text())["scanner"]["path"]
    fake = project.folder / ".trivy"
    fake.write_text(f"#!/bin/sh\ntouch {project.folder}/.ran\necho '{{}}'\n")
    fake.chmod(0o755)
    settings.write_text(settings.read_text().replace(trivy, str(fake)))
    assert project.step("scan").returncode == 1
    reasons = project.gate()
    assert {line.partition(": ")[0] for line in reasons} == {"scan/sources", "scan/images"}
    assert all("not run: its SHA-256" in line for line in reasons), reasons
    assert not (project.folder / ".ran").exists()


def test_a_scanner_that_is_made_to_see_less_is_contradicted(project: Project) -> None:
    file = project.report("build/bills")
    said = json.loads(file.read_text())
    said["output"]["app"]["packages"] += 40
    file.write_text(json.dumps(said))
    image = said["output"]["app"]["image"]
    assert project.gate() == [f"scan/images: saw 1 packages in {image}, its bill of materials lists 41"]


def test_an_image_that_is_not_the_locks_closes_the_gate(project: Project) -> None:
    project.image("app", user="65533")
    shutil.rmtree(project.folder / "build/images")
    assert project.step("build").returncode == 1
    assert any(line.startswith("build/bills: could not be done (exit code 2): ") for line in project.gate())

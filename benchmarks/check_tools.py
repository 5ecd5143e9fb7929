"""The programs that `check.py` compares: how each is had, called and read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.paths import cache

HERE = Path(__file__).parent
CHECKOV, KYVERNO = "3.3.30", "v1.19.1"
KYVERNO_KINDS = (
    "Pod",
    "Deployment",
    "DaemonSet",
    "StatefulSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
)
KYVERNO_CLI = "github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno"

Key = tuple[str, str, str]  # file, kind, name
Verdicts = dict[str, set[Key]]  # the objects that break a control, or whatever the tool calls it

# checkov's checks that ask what a control of the corpora asks.
CHECKS: dict[str, tuple[int, ...]] = {
    "avail.probes": (8, 9),
    "caps.drop_all": (37,),
    "caps.drop_net_raw": (28,),
    "fs.readonly_root": (22,),
    "img.digest": (43,),
    "img.pull_always": (15,),
    "img.tag_latest": (14,),
    "ingress.nginx_injection": (152, 153, 154),
    "node.runtime_socket": (27,),
    "ns.default": (21,),
    "pss.baseline.host_namespaces": (17, 18, 19),
    "pss.baseline.hostports": (26,),
    "pss.baseline.privileged": (16,),
    "pss.restricted.allow_privilege_escalation": (20,),
    "pss.restricted.run_as_non_root": (23,),
    "pss.restricted.seccomp": (31,),
    "rbac.wildcard": (49,),
    "res.requests_limits": (10, 11, 12, 13),
    "sa.automount": (38,),
    "secret.env_from_secret": (35,),
    "user.high_uid": (40,),
}


@dataclass
class Tool:
    """One program: how it is called on folders, and how its output becomes verdicts."""

    name: str
    command: Callable[[list[str]], list[str]]
    read: Callable[[str], Verdicts]
    verdicts: Verdicts = field(default_factory=dict)
    own_names: bool = False  # every object has to have a name of its own


def garrison() -> Tool:
    def read(text: str) -> Verdicts:
        found: Verdicts = {}
        for row in json.loads(text)["findings"]:
            for control in row["controls"]:
                found.setdefault(control, set()).add(key(row["file"], row["object"]["kind"], row["object"]["name"]))
        return found

    options = ["--format", "json", "--exceptions", os.devnull]
    return Tool("garrison check", lambda paths: [sys.executable, "-m", "garrison", "check", *options, *paths], read)


def checkov() -> Tool | None:
    """In an environment of its own: its pins are nobody else's."""
    home = cache() / f"checkov-{CHECKOV}"
    bin_folder = home / "bin"
    if not (bin_folder / "checkov").exists():
        try:
            quietly([sys.executable, "-m", "venv", "--clear", str(home)])
            quietly([str(bin_folder / "pip"), "install", "--quiet", f"checkov=={CHECKOV}"])
        except (OSError, subprocess.CalledProcessError) as error:
            left_out(f"checkov {CHECKOV} cannot be installed", error)
            return None

    def command(paths: list[str]) -> list[str]:
        where = [part for path in paths for part in ("-f" if Path(path).is_file() else "-d", path)]
        options = ["--framework", "kubernetes", "--output", "json", "--compact", "--quiet", "--skip-download"]
        return [str(bin_folder / "checkov"), *options, *where]

    return Tool(f"checkov {CHECKOV}", command, read_checkov)


def read_checkov(text: str) -> Verdicts:
    controls = {f"CKV_K8S_{number}": control for control, numbers in CHECKS.items() for number in numbers}
    found: Verdicts = {}
    for row in json.loads(text)["results"]["failed_checks"]:
        kind, _, name = row["resource"].split(".", 2)
        if row["check_id"] in controls:
            found.setdefault(controls[row["check_id"]], set()).add(key(row["file_abs_path"], kind, name))
    return found


def kyverno() -> Tool | None:
    """Built from its module; the first time takes a quarter of an hour or more."""
    program = cache() / f"kyverno-{KYVERNO}" / "kubectl-kyverno"
    if not program.exists():
        with tempfile.TemporaryDirectory() as folder:
            for name in ("go.mod", "go.sum"):
                shutil.copy(HERE / "kyverno" / name, folder)
            build = ["go", "build", "-C", folder, "-mod=readonly", "-trimpath", "-o", str(program), KYVERNO_CLI]
            try:
                quietly(["nice", "-n", "19", *build], CGO_ENABLED="0", GOWORK="off")
            except (OSError, subprocess.CalledProcessError) as error:
                left_out("Kyverno's CLI cannot be built", error)
                return None

    def command(paths: list[str]) -> list[str]:
        report = ["--policy-report", "--output-format", "json", "--remove-color"]
        # it reads one folder and nothing below it, so it gets the files
        files = [str(file) for path in map(Path, paths) for file in (path.rglob("*.y*ml") if path.is_dir() else [path])]
        return [str(program), "apply", str(HERE / "kyverno" / "policies.yaml"), *report, "--resource", ",".join(files)]

    return Tool(f"kyverno {KYVERNO}", command, read_kyverno, own_names=True)


def read_kyverno(text: str) -> Verdicts:
    found: Verdicts = {}
    for result in json.JSONDecoder().raw_decode(text, text.index("{"))[0]["results"]:
        if result["result"] == "fail":
            for item in result["resources"]:
                found.setdefault(result["policy"], set()).add(("", item["kind"], item["name"]))
    return found


def left_out(what: str, error: OSError | subprocess.CalledProcessError) -> None:
    said = str(getattr(error, "stderr", error)).strip().splitlines() or ["failed without a word"]
    print(f"left out: {what}: {said[-1]}", file=sys.stderr)


def quietly(command: list[str], **more: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **more})


def key(file: str, kind: str, name: str) -> Key:
    return "/".join(Path(file).parts[-2:]), kind, name

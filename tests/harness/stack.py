"""Runs the Pulumi stack `kind` for one cluster, on a state of its own and off the checkout.

Pulumi keeps the salt of a stack's secrets in its settings file. The harness works on a copy of
that file beside the state, so that neither `make up` nor `make test` changes the checkout.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import yaml

from harness import entrance, environment, paths, provider, shell
from harness.environment import STACK
from harness.errors import HarnessError
from harness.progress import say

AT_ONCE = "--parallel=48"  # most resources wait for a cluster, not for this machine: not only four of them per core
PACK = paths.REPO / "policies" / "pack"
_SALT = "encryptionsalt:"
# Where the tests of cluster, network and plugin make pods that no rule of an estate is meant for.
PROBES = ["admission-probe", "harness-probe", "egress-probe", "policy-probe", "plugin-test"]


def up(cluster: str) -> None:
    """Deploy; a stack that is up to date stays untouched."""
    _forget_other_cluster(cluster)
    _drop_stale_locks(cluster)
    file = settings(cluster)
    options = ["--yes", "--skip-preview", "--non-interactive", AT_ONCE, f"--policy-pack={PACK}"]
    _pulumi(cluster, "up", *options, f"--config-file={file}")


def select(cluster: str) -> None:
    """Make it this checkout's stack for pulumi by hand; noted in the state folder, where the stack is."""
    command = ["pulumi", "stack", "select", STACK, "-C", str(paths.REPO)]
    shell.succeeds(command, env=environment.full(cluster))  # before the first `up` there is none


def unchanged(cluster: str) -> bool:
    """Whether a deployment would change nothing."""
    arguments = ["pulumi", "preview", "--expect-no-changes", "--non-interactive", "--refresh"]
    config = ["--config-file", str(settings(cluster))]
    done = subprocess.run(
        [*arguments, *config], cwd=paths.REPO, env=environment.full(cluster), capture_output=True, check=False
    )
    return done.returncode == 0


def settings(cluster: str) -> Path:
    """The checkout's settings of the stack with the salt of this cluster's state."""
    project = paths.cluster_state(cluster) / "project"
    salted = project / f"Pulumi.{STACK}.yaml"
    if not salted.exists():
        _create(cluster, project)
    ours = [line for line in salted.read_text().splitlines() if line.startswith(_SALT)]
    committed = paths.REPO / "stacks" / f"Pulumi.{STACK}.yaml"
    theirs = committed.read_text().splitlines() if committed.exists() else []
    unsalted = [line for line in theirs if not line.startswith(_SALT)]
    if foreign := set(theirs) - set(unsalted) - set(ours):
        # Pulumi by hand wrote it for another state, and would refuse this machine's passphrase.
        say(f"stacks/{committed.name}: dropping the {_SALT} of another state ({foreign.pop()[len(_SALT) :].strip()})")
        committed.write_text("\n".join(unsalted) + "\n")
    merged = paths.cluster_state(cluster) / "stack.yaml"
    text = "\n".join(unsalted) + "\n"
    merged.write_text("\n".join([*ours, _of(cluster, text)]))
    return merged


def _of(cluster: str, text: str) -> str:
    """The settings with what is this cluster's alone: where its provider is. A test cluster has its own port, too, and
    tests make pods of all sorts, in namespaces of their own.
    """
    found = yaml.safe_load(text)
    found["config"] |= {f"garrison:{key}": value for key, value in provider.settings(cluster).items()}
    if cluster == environment.TEST:
        found["config"]["garrison:edgePort"] = str(entrance.PORTS[environment.TEST])
        found["config"]["garrison:systemNamespaces"] += PROBES
    return yaml.safe_dump(found)


def _create(cluster: str, project: Path) -> None:
    """A new stack, from a folder that holds no more than the project's name."""
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    name = next(x for x in _project_lines() if x.startswith("name:"))
    (project / "Pulumi.yaml").write_text(f"{name}\nruntime: python\n")
    env = environment.full(cluster)
    told = shell.run(["pulumi", "stack", "ls", "--json", "-C", str(project)], what="reading stacks", env=env)
    if f'"{STACK}"' in told:  # a killed run made the stack and lost its salt: nothing was deployed yet
        remove = ["pulumi", "stack", "rm", "--yes", "--force", STACK, "-C", str(project)]
        shell.run(remove, what="removing a half-made stack", env=env)
    init = ["pulumi", "stack", "init", STACK, "--no-select", "-C", str(project)]
    shell.run(init, what=f"creating the stack {STACK}", env=env)


def _project_lines() -> list[str]:
    return (paths.REPO / "Pulumi.yaml").read_text().splitlines()


def _forget_other_cluster(cluster: str) -> None:
    """Drop a state that describes a cluster which no longer exists."""
    state = paths.cluster_state(cluster)
    seen, file = _identity(cluster), state / "deployed-to"
    if file.exists() and file.read_text() == seen:
        return
    for old in (state / "pulumi", state / "project"):
        shutil.rmtree(old, ignore_errors=True)
    file.write_text(seen)


def _identity(cluster: str) -> str:
    """What distinguishes a cluster from a later one of the same name."""
    command = ["kubectl", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]
    return shell.run(command, what=f"asking the cluster {cluster}", env=environment.full(cluster))


def _drop_stale_locks(cluster: str) -> None:
    """Remove the locks of killed engines: Pulumi's file backend does not look whether they live."""
    for file in (paths.cluster_state(cluster) / "pulumi").rglob("locks/**/*.json"):
        holder = json.loads(file.read_text())
        if not Path(f"/proc/{holder.get('pid')}").exists():
            say(f"removing the lock that process {holder.get('pid')} left behind")
            file.unlink()


def _pulumi(cluster: str, *arguments: str) -> None:
    env = environment.full(cluster)
    done = subprocess.run(["pulumi", *arguments], cwd=paths.REPO, env=env, check=False)
    if done.returncode:
        raise HarnessError(f"`pulumi {arguments[0]}` failed on the cluster {cluster}: its message is above")

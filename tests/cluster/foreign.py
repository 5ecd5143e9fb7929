"""A cluster that is somebody else's, for its tests: who does what there, and what is asked of it.

`furnished` makes it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import hvac
import yaml

from cluster.live import eventually
from garrison.cluster import Store
from garrison.deployment.platform.store_config import BREAK_GLASS
from garrison.settings import cluster_of
from garrison.words import Ref
from harness import paths, shell
from harness.documents import blocks
from harness.plugin.ready.verdict import condition
from servers.bao import Bao

NAME: Final = "garrison-foreign"
TEAM: Final = "team-a"  # a namespace of the store
HOME: Final = "platform-team"  # where the account is as which Garrison enters the store
OTHERS: Final = "legacy"
PAGE: Final = (paths.REPO / "docs" / "ten-minutes.md").read_text()  # whose program is deployed, with more beside it
CALLS: Final = tuple(blocks(PAGE, "sh calls"))
UPGRADE: Final = (paths.REPO / "docs" / "upgrade.md").read_text()
NOT_OURS: Final = ("cert-manager", OTHERS, HOME, "kube-system", "local-path-storage")
KINDS: Final = "deployments,daemonsets,statefulsets,services,serviceaccounts,roles,rolebindings,networkpolicies,issuers"
MORE: Final = """
stand, till = app.namespaces("stand", "till")
serve = ("python3", "-m", "prober", "serve", "127.0.0.1", "8080")
front = stand.service("front", image=lock["prober"], port=8080, command=serve)
back = till.service("back", image=lock["prober"], port=8080, command=serve)
front.calls(back, "POST /sales", "GET /sales/{id}")
back.reads("psp/api-key", env="PSP_API_KEY_FILE")
back.uses(till.postgres("ledger", schema="schema"), role="writer")
"""


@dataclass(frozen=True)
class Foreign:
    """The cluster, and a folder with a program for it."""

    folder: Path
    bao: Bao
    env: dict[str, str]
    node_image: str

    @property
    def stack(self) -> Path:
        return self.folder / "Pulumi.foreign.yaml"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command of a user, in the folder of the program. Pulumi deploys as whoever may just do that."""
        if command[0] == "pulumi":
            return self.deploys(*command)
        return subprocess.run(command, cwd=self.folder, env=self.env, text=True, capture_output=True, check=False)

    def deploys(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command of the account that deploys, such as a script with Pulumi in it."""
        env = self.deploying
        return subprocess.run(command, cwd=self.folder, env=env, text=True, capture_output=True, check=False)

    @property
    def deploying(self) -> dict[str, str]:
        """The environment of the account that deploys, which `garrison deployer` has named all rights of."""
        return {**self.env, "KUBECONFIG": str(self.folder / "deployer.kubeconfig")}

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return shell.run(["kubectl", *arguments], what="kubectl", env=self.env, stdin=stdin)

    def known_as(self, account: Ref, place: Path) -> Path:
        """A kubeconfig with a token of an account of the cluster, written to `place`."""
        where = (f"--namespace={account.namespace}", "--duration=2h")
        token = self.kubectl("create", "token", account.name, *where).strip()
        known = yaml.safe_load(Path(self.env["KUBECONFIG"]).read_text())
        known["users"] = [{"name": one["name"], "user": {"token": token}} for one in known["users"]]
        place.write_text(yaml.safe_dump(known))
        return place

    def get(self, *what: str) -> Any:
        return json.loads(self.kubectl("get", *what, "-o", "json"))

    def apply(self, objects: Sequence[dict[str, Any]]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": [*objects]}
        self.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(listed))

    def knows_kinds(self) -> None:
        """Wait until the server serves each kind that was defined; `kubectl wait` errs at one that it has just met."""

        def served() -> bool:
            return all(condition(one, "Established").get("status") == "True" for one in self.get("crd")["items"])

        eventually(served, "the kinds are served")

    @property
    def keeper(self) -> hvac.Client:
        """The store's administrator, in the team's namespace."""
        token = self.bao.user(BREAK_GLASS).token
        return hvac.Client(url=self.bao.address, verify=self.bao.ca_file, token=token, namespace=TEAM)

    @property
    def store(self) -> Store:
        return cluster_of(self.stack).store

    def administer(self, script: str) -> None:
        """What the store's administrator types, with the real command line."""
        known = {"BAO_ADDR": self.bao.address, "BAO_CACERT": self.bao.ca_file, "BAO_TOKEN": self.keeper.token}
        done = subprocess.run(
            ["sh", "-e"], input=script, text=True, env={**self.env, **known}, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr


def granted(foreign: Foreign) -> list[dict[str, Any]]:
    """What an administrator is asked to grant for the program that is there."""
    done = foreign.run("garrison", "deployer", "--app", "__main__.py", "--cluster", str(foreign.stack))
    assert done.returncode == 0, done.stderr
    return [*yaml.safe_load_all(done.stdout)]


def proven(app: Foreign, program: str) -> list[dict[str, Any]]:
    """The probes of a proof that is whole."""
    where = ("--app", program, "--cluster", str(app.stack), "--format", "json")
    done = app.run("garrison", "prove", *where)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    found = json.loads(done.stdout)
    assert found["summary"]["ok"]
    probes: list[dict[str, Any]] = found["probes"]
    kinds = {(probe["kind"], probe["observed"]) for probe in probes}
    assert {("declared operation", "allowed"), ("undeclared operation", "refused")} <= kinds
    return probes


def of_others(foreign: Foreign) -> dict[str, Any]:
    """What somebody wanted of each object in namespaces that are nobody's here."""
    return {
        f"{item['kind']} {space}/{item['metadata']['name']}": (item["metadata"]["uid"], item.get("spec"))
        for space in NOT_OURS
        for item in foreign.get(KINDS, f"--namespace={space}")["items"]
    }

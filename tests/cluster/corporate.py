"""The network of the company that has the foreign cluster: its machines reach pods, and ask the cluster for names.

As where a cloud's network routes pods. On this machine that is a route, which goes with the cluster's network, and a
resolver that one process has.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import hvac

from harness import docker, paths, shell
from harness.authority import Authority
from harness.build import binary

SCHEMA: Final = "CREATE TABLE sale (id text PRIMARY KEY, cents int NOT NULL);\n"
CASHIER: Final = """
import json, os, sys
from prober import postgres
from prober.net import AttemptError, address
said = json.loads(open(os.environ["LEDGER_FILE"]).read())
tls = {"trust": said["sslrootcert"], "server_name": said["host"]}
place = {"host": address(said["host"]), "port": said["port"], "database": said["database"], "tls": tls}
try:
    with postgres.session({**place, "user": said["username"], "password": said["password"]}, 5.0) as (ask, _):
        ask(sys.argv[1])
    print("done")
except AttemptError as refused:
    print(refused.error)
"""
PLACES: Final = (
    *("pg-shop/config", "pg-shop/roles", "sys/leases/lookup/pg-shop/creds", "kv-shop/metadata"),
    *("auth/k8s/prod/role", "sys/policies/acl"),
)
# How many things lie where in the store: the deployer's own policy and login stay.
EMPTY: Final = dict.fromkeys(PLACES, 0) | {"auth/k8s/prod/role": 1, "sys/policies/acl": 1}
FILLED: Final = dict.fromkeys(PLACES, 1) | {"auth/k8s/prod/role": 3, "sys/policies/acl": 3}
_RESOLVER: Final = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


@contextmanager
def network(cluster: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """Pods are reached from here; what it gives runs a command for which the cluster's resolver answers."""
    (node,) = _get(cluster, "nodes")
    pods, (address,) = node["spec"]["podCIDR"], docker.addresses(cluster).values()
    resolvers = [pod["status"]["podIP"] for pod in _get(cluster, "pods", "-nkube-system", "-lk8s-app=kube-dns")]
    asked = folder / "resolv.conf"
    lines = (*(f"nameserver {one}" for one in resolvers), "search cluster.local", "options ndots:5")
    asked.write_text("\n".join(lines) + "\n")
    _route(cluster, "replace", pods, "via", address)
    as_root = ("--map-root-user",) if os.geteuid() else ()
    try:
        yield ("unshare", *as_root, "--mount", "sh", "-c", _RESOLVER, str(asked))
    finally:
        _route(cluster, "delete", pods, "via", address)


def entering(folder: Path, cluster_ca: str) -> dict[str, str]:
    """The store's certificate for databases, of an authority of its own; as settings of who deploys."""
    made = Authority.fresh("the store's own").issue(folder / "client", common_name="openbao")
    shutil.copy(cluster_ca, made / "ca.crt")  # by which it knows databases
    return {"storeDatabaseClient": str(made), "storeDatabaseCa": str(made / "ca.pem")}


def kept(keeper: hvac.Client) -> dict[str, list[str]]:
    """What the team's namespace of the store has of the cluster `prod`, by where it lies."""
    mine = {place: listed(keeper, place) for place in PLACES}
    return {place: [name for name in found if name.startswith("prod")] for place, found in mine.items()}


def listed(keeper: hvac.Client, place: str) -> list[str]:
    found: Any = keeper.list(place)
    return found["data"]["keys"] if found else []


def reaches(cluster: str, host: str, port: int, *, network: str) -> bool:
    """Whether a machine of the company gets there: the store's own (`host`), or another on the cluster's network."""
    (address,) = docker.addresses(cluster).values()
    route = "true" if network == "host" else f"ip route add {host} via {address}"
    script = f"{route} && exec timeout 3 bash -c '</dev/tcp/{host}/{port}'"
    command = _machine(cluster, network, "sh", "-c", script)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 124), done.stderr  # there, refused, nothing heard
    return done.returncode == 0


def _get(cluster: str, *what: str) -> Any:
    where = f"--kubeconfig={paths.cluster_state(cluster) / 'kubeconfig'}"
    return json.loads(shell.run([binary("kubectl"), where, "get", *what, "-ojson"], what="kubectl"))["items"]


def _route(cluster: str, *words: str) -> None:
    shell.run(_machine(cluster, "host", "ip", "route", *words), what="setting a route to pods")


def _machine(cluster: str, network: str, program: str, *words: str) -> list[str]:
    """A command on a machine of the company, which may set routes: of the node's own image, so nobody needs root."""
    (node,) = docker.nodes(cluster)
    alone = ("docker", "run", "--rm", "--pull=never", f"--network={network}", "--cap-add=NET_ADMIN")
    return [*alone, f"--entrypoint={program}", docker.image(node.name), *words]

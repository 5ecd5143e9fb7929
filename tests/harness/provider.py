"""The payment provider of a local cluster: outside it, as a container beside its nodes, with an authority of its own.

Docker's resolver, which the cluster's forwards to, knows it by its name, on the network of this cluster alone. Which
address it has Docker says anew at every start, so it is looked up here, and noted for the settings of the stack.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from garrison.model.externals import HTTPS, External
from garrison.model.graph import Graph
from garrison.settings import MACHINE
from garrison.words import Ref
from harness import artefact, docker, manifest, packing, paths, shell
from harness.authority import Authority
from harness.errors import HarnessError
from harness.oci import Image

HOST = "api.psp.example"
LABEL = "dev.garrison.provider"  # what it was made of
YEAR, MONTH = dt.timedelta(days=365), dt.timedelta(days=30)
SECONDS = 60.0  # to begin to listen
MEMORY = "64m"
TITLE = "org.opencontainers.image.title=provider"
UNNAMED = ["docker", "image", "ls", "--quiet", "--filter=dangling=true"]
INSIDE = "/etc/provider"
ENV = {
    "TLS_CERTIFICATE_FILE": f"{INSIDE}/tls.crt",
    "TLS_KEY_FILE": f"{INSIDE}/tls.key",
    "API_KEY_SHA256_FILE": f"{INSIDE}/key.sha256",
}
# Runs in the pod that was given the key: the key itself stays there.
FINGERPRINT = """
import hashlib, os, pathlib
print(hashlib.sha256(pathlib.Path(os.environ["PSP_API_KEY_FILE"]).read_bytes().strip()).hexdigest())
"""


@dataclass(frozen=True)
class Container:
    """The container as Docker sees it."""

    running: bool
    made_of: str
    address: str  # none unless it runs


def ensure(cluster: str, graph: Graph, image: Image) -> None:
    """The running provider of the cluster, where its program uses one; else none."""
    if not used(graph):
        docker.remove_beside(cluster)
        shutil.rmtree(folder(cluster), ignore_errors=True)
        return
    certify(folder(cluster))
    wanted = artefact.key(image.digest, manifest.digest(folder(cluster) / "tls.crt"), run(cluster, image, ""))
    found = look(cluster)
    if found is None or found.made_of != wanted:
        _make(cluster, image, wanted)
    elif not found.running:
        shell.run(["docker", "start", name(cluster)], what=f"starting {name(cluster)}")
    now = look(cluster)
    if now is None or not now.address:
        raise HarnessError(f"{name(cluster)} has ended; see `docker logs {name(cluster)}`")
    await_answer(now.address, folder(cluster) / "ca.pem", SECONDS)
    authorities = {HOST: str(folder(cluster) / "ca.pem")}
    said = {"egressAllowed": [f"{now.address}/32"], "egressAuthorities": authorities}
    _written(said_in(cluster), json.dumps(said, indent=1).encode())


def there(cluster: str) -> bool:
    """Whether it is where the settings say, if they say so."""
    if not (said := settings(cluster)):
        return True
    found = look(cluster)
    return found is not None and said["egressAllowed"] == [f"{found.address}/32"]


def settings(cluster: str) -> dict[str, Any]:
    """What the stack has to know: the one private address that is outside, and who vouches for it."""
    file = said_in(cluster)
    said: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return said


def introduce(cluster: str, graph: Graph, env: Mapping[str, str]) -> None:
    """Tell the provider whose key is good, by its SHA-256: the secret store made it, and gave it to who calls."""
    for caller in used(graph)[:1]:
        where = ["exec", "-n", caller.namespace, f"deploy/{caller.name}", "-c", "app"]
        command = ["kubectl", *where, "--", "/usr/bin/python3", "-c", FINGERPRINT]
        what = f"asking {caller} for the fingerprint of its key"
        said = shell.run(command, what=what, env=env, timeout=60)
        _written(folder(cluster) / "key.sha256", said.strip().encode())


def used(graph: Graph) -> list[Ref]:
    """Who calls the provider."""
    return sorted({call.caller for call in graph.calls_to.get(External(HOST).ref, ())})


def said_in(cluster: str) -> Path:
    """The file with those settings; who runs Pulumi by hand is led to it by the environment."""
    return folder(cluster) / "settings.json"


def variables(cluster: str) -> dict[str, str]:
    """What leads there."""
    return {MACHINE: str(said_in(cluster))} if said_in(cluster).exists() else {}


def name(cluster: str) -> str:
    """Of its container."""
    return f"{cluster}-provider"


def folder(cluster: str) -> Path:
    """What this machine keeps of it."""
    return paths.state() / cluster / "provider"


def run(cluster: str, image: Image, made_of: str) -> list[str]:
    """The command that makes it: of its files it reads its own alone, as who owns them, and may do nothing else."""
    options = {"--name": name(cluster), "--network": cluster, "--network-alias": HOST, "--restart": "no"}
    options |= {"--user": f"{os.getuid()}:{os.getgid()}", "--memory": MEMORY, "--pull": "never"}
    options |= {"--cap-drop": "ALL", "--cap-add": "NET_BIND_SERVICE", "--security-opt": "no-new-privileges"}
    said = [f"{option}={value}" for option, value in options.items()]
    said += [f"--label={docker.BESIDE}={cluster}", f"--label={LABEL}={made_of}"]
    said += [f"--volume={folder(cluster)}:{INSIDE}:ro", *(f"--env={key}={value}" for key, value in ENV.items())]
    return ["docker", "run", "--detach", "--read-only", *said, image.reference]


def look(cluster: str) -> Container | None:
    """The container, if there is one."""
    listing = ["docker", "ps", "--all", "--quiet", f"--filter=name=^/?{name(cluster)}$"]
    ids = shell.run(listing, what=f"looking for {name(cluster)}").split()
    if not ids:
        return None
    told = json.loads(shell.run(["docker", "inspect", ids[0]], what=f"inspecting {name(cluster)}"))
    return read(cluster, told[0])


def read(cluster: str, told: Mapping[str, Any]) -> Container:
    """What `docker inspect` says of it."""
    networks = told["NetworkSettings"]["Networks"]
    address = networks.get(cluster, {}).get("IPAddress", "")
    running = told["State"]["Status"] == "running"
    return Container(running, told["Config"]["Labels"].get(LABEL, ""), address if running else "")


def certify(place: Path, now: dt.datetime | None = None) -> None:
    """A certificate by an authority whose key nobody keeps; both made anew a month before they end."""
    if _good(place, now or dt.datetime.now(dt.UTC)):
        return
    made = place.with_name(f"{place.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
    made.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    seconds = int(YEAR.total_seconds())
    Authority.fresh("payment provider", seconds=seconds).issue(made, dns=HOST, seconds=seconds)
    made.rename(place)


def await_answer(address: str, authority: Path, seconds: float, port: int = HTTPS) -> None:
    """Wait until a server there shows a certificate for the host."""
    trust, deadline = ssl.create_default_context(cafile=authority), time.monotonic() + seconds
    while True:
        try:
            with (
                socket.create_connection((address, port), 5) as plain,
                trust.wrap_socket(plain, server_hostname=HOST),
            ):
                return
        except ssl.SSLCertVerificationError as error:
            raise HarnessError(f"{HOST} at {address}: {error.verify_message}") from None
        except OSError as error:
            if time.monotonic() > deadline:
                raise HarnessError(f"{HOST} at {address} does not answer in {seconds:.0f} s: {error}") from None
        time.sleep(0.1)


def _make(cluster: str, image: Image, made_of: str) -> None:
    """In place of what was there."""
    with shell.step(f"{HOST}, outside the cluster {cluster}"):
        docker.remove_beside(cluster)
        packing.give(image)
        shell.run(run(cluster, image, made_of), what=f"starting {name(cluster)}")
    # what lost its name to it; Docker refuses where another cluster's still runs
    left = shell.run([*UNNAMED, f"--filter=label={TITLE}"], what="listing images of providers").split()
    for one in left:
        shell.succeeds(["docker", "image", "rm", one])


def _good(place: Path, now: dt.datetime) -> bool:
    try:
        ends = x509.load_pem_x509_certificate((place / "tls.crt").read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return False
    return ends - now > MONTH


def _written(file: Path, content: bytes) -> None:
    """Whole or not at all."""
    temporary = file.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.replace(file)

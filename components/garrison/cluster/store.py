"""Where the secret store is, how pods reach it, and what of it is this cluster's."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import layout
from garrison.cluster.dns import Labels
from garrison.cluster.layout import Layout
from garrison.cluster.ranges import allowed_range_problems
from garrison.cluster.words import is_name
from garrison.errors import Problem

_ADDRESS: Final = re.compile(r"https://(?P<host>[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]):(?P<port>[0-9]{1,5})")
_INSIDE: Final = re.compile(rf"[a-z0-9-]+\.(?P<namespace>[a-z0-9-]+)\.(svc|{re.escape(d.CLUSTER_DOMAIN)})")
_FOLDER: Final = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_AUDIENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]{0,252}")
PLATFORM: Final = f"https://{d.STORE_AUDIENCE}.{d.STORE_NAMESPACE}.svc:{d.STORE_PORT}"
CLIENT: Final = "/run/database-client"


@dataclass(frozen=True, kw_only=True)
class Store(Layout):
    """The secret store as this cluster's pods see it; the default is the platform's own."""

    address: str = PLATFORM
    """`https://HOST:PORT`."""
    ca: str = ""
    """Who vouches for that address, as PEM; empty is the cluster's trust bundle."""
    labels: Labels = ((d.NAME, "openbao"),)
    """Of its pods, where it runs in this cluster."""
    ranges: tuple[str, ...] = ()
    """Its addresses, where it does not."""
    audience: str = d.STORE_AUDIENCE
    """For whom the tokens of service accounts are that enter there."""
    deployer: str = f"{d.STORE_NAMESPACE}/garrison-admin"
    """The service account as which Garrison itself enters; its login there is called as its name, below the prefix."""
    database_client: str = ""
    """The folder, on the machine the store runs on, with the certificate by which it enters databases."""
    database_ca: str = ""
    """Who signs that certificate, as PEM, and who alone may: empty is whoever the cluster's trust bundle names."""

    @property
    def host(self) -> str:
        return _part(self.address, "host").strip("[]")

    @property
    def port(self) -> int:
        return int(_part(self.address, "port"))

    @property
    def namespace(self) -> str:
        """Of its pods; empty for a store that is not in this cluster."""
        found = _INSIDE.fullmatch(self.host)
        return found["namespace"] if found else ""

    @property
    def platform(self) -> bool:
        """Whether it is where the platform puts its own."""
        return self.address == PLATFORM

    @property
    def client_files(self) -> str:
        """Where the store has its client certificate for databases; empty where nobody has said that it has one."""
        return self.database_client or (CLIENT if self.platform else "")


def _part(address: str, name: str) -> str:
    found = _ADDRESS.fullmatch(address)
    return found[name] if found else ""


def problems(store: Any) -> Iterator[Problem]:
    if not isinstance(store, Store):
        yield Problem("store", f"{store!r} is not a Store", "give its address, mounts, prefix")
        return
    yield from layout.problems(store)
    yield from _entrance(store)
    if not isinstance(store.address, str) or not _ADDRESS.fullmatch(store.address) or not 0 < store.port < 65536:
        yield Problem("store.address", f"{store.address!r} is no address", "write https://HOST:PORT and nothing behind")
    else:
        yield from _place(store)


def _entrance(store: Store) -> Iterator[Problem]:
    yield from _authority("store.ca", store.ca)
    yield from _authority("store.database_ca", store.database_ca)
    account = store.deployer.split("/") if isinstance(store.deployer, str) else []
    if len(account) != 2 or not all(map(is_name, account)):
        yield Problem("store.deployer", f"{store.deployer!r} is no service account", "write NAMESPACE/NAME")
    if not isinstance(store.audience, str) or not _AUDIENCE.fullmatch(store.audience):
        yield Problem("store.audience", f"{store.audience!r} is no audience", "write a name such as openbao")
    folder = store.database_client
    if not isinstance(folder, str) or (folder and not _FOLDER.fullmatch(folder)):
        yield Problem("store.database_client", f"{folder!r} is no folder", "write one such as /etc/openbao/client")


def _authority(where: str, pem: Any) -> Iterator[Problem]:
    if not isinstance(pem, str) or (pem and "-----BEGIN CERTIFICATE-----" not in pem):
        yield Problem(where, "is no certificate", "give it as PEM text")
    elif "PRIVATE KEY" in pem:
        yield Problem(where, "has a private key, and would be in every namespace", "give the certificate alone")


def _place(store: Store) -> Iterator[Problem]:
    """The network has to know where it is: pods by their labels, or a few addresses."""
    inside = bool(store.namespace)
    if not isinstance(store.labels, tuple) or not store.labels or not all(map(_is_pair, store.labels)):
        yield Problem("store.labels", "do not select pods", "give labels, such as app.kubernetes.io/name: vault")
    if not isinstance(store.ranges, tuple):
        yield Problem("store.ranges", "is not a list of address ranges", "use one such as 10.1.2.3/32")
        return
    for cidr in store.ranges:
        yield from allowed_range_problems("store.ranges", cidr)
    if inside and store.ranges:
        yield Problem("store.ranges", f"{store.host} is in this cluster, where pods have labels", "leave them out")
    elif not inside and not store.ranges:
        remedy = "name them, such as 10.1.2.3/32; a store in this cluster has an address NAME.NAMESPACE.svc"
        yield Problem("store.ranges", f"the addresses of {store.host} are not known to the network policies", remedy)
    if not (store.platform or store.prefix or store.tenant):
        remedy = "give a prefix or a namespace of the store, in which this cluster may write policies"
        yield Problem("store.prefix", "missing: names in a store for others, too, could be anybody's", remedy)
    if store.database_ca and not store.client_files:
        remedy = "name the folder of the certificate that it signed, database_client"
        yield Problem("store.database_ca", "set, but nothing says that the store enters databases", remedy)
    yield from _within(store)


def _within(store: Store) -> Iterator[Problem]:
    """An address that is a number is one of the ranges."""
    try:
        number = ipaddress.ip_address(store.host)
        known = [ipaddress.ip_network(cidr) for cidr in store.ranges]
    except ValueError:
        return
    if known and not any(number in one for one in known):
        yield Problem("store.ranges", f"{number} is in none of them", "name the range of the address")


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(word, str) and word for word in pair)


def read(said: dict[str, Any]) -> Store:
    """From JSON, whose fields are known; what does not fit is left for `problems` to tell."""
    lists = {key: tuple(value) for key, value in said.items() if isinstance(value, list)}
    if "labels" in lists:
        lists["labels"] = tuple(tuple(pair) if isinstance(pair, list) else pair for pair in lists["labels"])
    return Store(**said | lists)

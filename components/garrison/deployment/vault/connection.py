"""How Pulumi reaches the secret store: through a port-forward with a login of minutes, which ends with the work.

The login is a token of the service account `openbao/garrison-admin`, made for the audience `openbao` only, so whoever
may ask the cluster for that token may configure the store, and every such request is in both audit logs.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Self, TypeVar

import hvac
import requests
from hvac.exceptions import VaultDown, VaultError

from garrison.cluster import Layout, Store
from garrison.defaults import USERS
from garrison.deployment.vault.tunnel import NamedServer, port_forward, trust_bundle
from garrison.errors import GarrisonError
from garrison.kube import KubectlError, ToolMissingError, kubectl
from garrison.words import Ref

T = TypeVar("T")
PATIENCE = 180.0  # seconds in which a store that starts, or a database behind it, may become ready
KEPT_SECONDS = 240.0  # a login is good for ten minutes
IDLE_SECONDS = 3.0  # more than between two things of one update, and soon over after the last
TOKEN_VARIABLES = ("BAO_TOKEN", "VAULT_TOKEN")


OUTDATED = (
    "its policies are those of its first start, and this Garrison asks for more: "
    "`garrison store policies{} | sh` in a break-glass session writes them again (docs/{}.md)"
)


GRANTED = "its administrator has to grant it: `garrison store policies --cluster FILE` says what (docs/secret-store.md)"


class StoreError(GarrisonError):
    """The store cannot be reached or refused: one line, with what to do."""


@dataclass(frozen=True)
class StoreConnection(Layout):
    """Where the store is and as whom to enter; no secret is in it, so it may lie in Pulumi's state."""

    namespace: str = "openbao"
    service: str = "openbao"
    role: str = "garrison-admin"
    audience: str = "openbao"
    address: str | None = None
    """`https://HOST:PORT` of a store reached directly; None for a port-forward to the service."""
    ca_file: str | None = None
    """The CA of `address`; with None, the trust bundle in the store's namespace."""
    account: str | None = None
    """The service account that enters, as NAMESPACE/NAME; None for the one beside the store that is called `role`."""
    host: str | None = None
    """As its certificate names it at the far end of a port-forward; None for SERVICE.NAMESPACE.svc."""
    port: str = "8200"
    """Of the Service, for a port-forward."""

    @classmethod
    def at(cls, store: Store, address: str | None = None, ca_file: str | None = None) -> Self:
        """The secret store of a cluster, as Garrison itself enters it: directly where it is not in the cluster."""
        where = cls(address=store.address)
        if store.namespace:
            where = cls(store.namespace, store.host.partition(".")[0], host=store.host, port=str(store.port))
        who = Ref.parse(store.deployer)
        return replace(
            where,
            **store.words,
            role=who.name,
            audience=store.audience,
            address=address or where.address,
            ca_file=ca_file,
            account=str(who) if who.namespace != where.namespace else None,
            host=where.host if where.host != f"{where.service}.{where.namespace}.svc" else None,
        )

    @classmethod
    def to(cls, server: Ref, role: str = "garrison-admin") -> Self:
        """A server of the platform, reached by port-forward; its audience is its name."""
        return cls(server.namespace, server.name, role, server.name)

    @property
    def foreign(self) -> bool:
        """Whether it is somebody else's, who has to grant what Garrison needs there."""
        return bool(self.prefix or self.tenant)

    @property
    def enters(self) -> Ref:
        """The service account as which Garrison enters."""
        return Ref.parse(self.account) if self.account else Ref(self.namespace, self.role)

    @property
    def outdated(self) -> str:
        """What to do where Garrison itself is refused."""
        if self.foreign:
            return GRANTED
        return (
            OUTDATED.format(" --users", "users") if self.service == USERS.name else OUTDATED.format("", "secret-store")
        )

    def refuses(self, paths: Sequence[str]) -> str:
        """What to say where the login in use lacks rights."""
        who = self.address if self.foreign and self.address else self.server_name
        return f"{who} refuses {', '.join(paths)}: {self.outdated}"

    @property
    def through_kubectl(self) -> bool:
        """Whether the cluster of kubectl is asked for a way there or for a login."""
        return not self.address or not _own_token()

    @property
    def server_name(self) -> str:
        return self.host or f"{self.service}.{self.namespace}.svc"

    def to_props(self) -> dict[str, str]:
        """Plain text for Pulumi, without what is not set."""
        usual = {**Layout().words, "port": type(self).port}
        return {key: said for key, said in asdict(self).items() if said is not None and said != usual.get(key)}

    @classmethod
    def from_props(cls, props: Mapping[str, Any]) -> Self:
        return cls(**{key: str(value) for key, value in props.items() if not key.startswith("__")})


@contextmanager
def client(where: StoreConnection) -> Iterator[hvac.Client]:
    """A logged-in client; its login, the port-forward and the CA file are gone afterwards."""
    if where.address:
        with _logged_in(where, _client(where, where.address, where.ca_file, server_name=None)) as store:
            yield store
        return
    with (
        nullcontext(where.ca_file) if where.ca_file else trust_bundle(where.namespace) as ca_file,
        port_forward(where.namespace, where.service, where.port) as port,
    ):
        address = f"https://127.0.0.1:{port}"
        with _logged_in(where, _client(where, address, ca_file, server_name=where.server_name)) as store:
            yield store


def patiently(where: StoreConnection, act: Callable[[hvac.Client], T], patience: float = PATIENCE) -> T:
    """Do one thing at the store, waiting while it (or a database it has to reach) is still starting."""
    deadline, pause = time.monotonic() + patience, 0.5
    while True:
        try:
            with client(where) as store:
                return act(store)
        except (VaultError, requests.RequestException, KubectlError) as error:
            if not _passing(error) or time.monotonic() > deadline:
                raise StoreError(f"secret store {where.address or where.server_name}: {_line(error, where)}") from None
        time.sleep(pause)
        pause = min(pause * 1.5, 5.0)


class Kept:
    """One login for many things done within minutes: a port-forward and a token for each take half a second.

    Where it fails, for whatever reason, the thing is done once more with a login of its own, as patiently as ever.
    With `idle`, it is given back by itself after as many seconds without a thing to do.
    """

    def __init__(
        self, where: StoreConnection, clock: Callable[[], float] = time.monotonic, *, idle: float | None = None
    ) -> None:
        self.where, self._clock, self._idle = where, clock, idle
        self._lock, self._stack = threading.Lock(), ExitStack()
        self._open: tuple[float, hvac.Client] | None = None
        self._end: threading.Timer | None = None

    def do(self, act: Callable[[hvac.Client], T]) -> T:
        """One thing; raises StoreError as `patiently` does."""
        with self._lock:
            try:
                return act(self._client())
            except (VaultError, requests.RequestException, KubectlError):
                self._close()
            finally:
                self._later()
        return patiently(self.where, act)

    def close(self) -> None:
        """The login and the port-forward are gone afterwards; the next thing makes others."""
        with self._lock:
            self._close()

    def _client(self) -> hvac.Client:
        if self._open and self._clock() - self._open[0] > KEPT_SECONDS:
            self._close()
        if self._open is None:
            self._open = self._clock(), self._stack.enter_context(client(self.where))
        return self._open[1]

    def _close(self) -> None:
        self._open = None
        self._stack.close()

    def _later(self) -> None:
        """Close once nothing more is asked for."""
        if self._end:
            self._end.cancel()
        if self._idle is not None and self._open:
            self._end = threading.Timer(self._idle, self.close)
            self._end.daemon = True  # whoever ends the process does not wait; the login ends by itself in minutes
            self._end.start()


_SHARED: dict[StoreConnection, Kept] = {}


def shared(where: StoreConnection) -> Kept:
    """The login of this process at a store, for all that Pulumi asks it to do there one after the other."""
    return _SHARED.setdefault(where, Kept(where, idle=IDLE_SECONDS))


def _passing(error: Exception) -> bool:
    """Whether waiting can help: nobody there, sealed, or the database behind it not yet up."""
    if isinstance(error, (ToolMissingError, requests.exceptions.SSLError)):
        return False
    if isinstance(error, (requests.RequestException, KubectlError, VaultDown)):
        return True
    text = str(error)
    return "error verifying connection" in text or "local node not active" in text or "failed to connect to" in text


def _line(error: Exception, where: StoreConnection) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate is not accepted ({text})"
    if where.foreign and f"auth/{where.auth}/login" in text:
        return f"{text}; {where.enters} has no role {where.name(where.role)} there: {where.outdated}"
    if "permission denied" in text and "auth/kubernetes/login" in text:
        return f"{text}; if its first start was interrupted, it is half initialised: delete its volume and pod"
    if where.foreign and "permission denied" in text:
        return f"{text}; {where.outdated}"
    if "permission denied" in text and where.role == StoreConnection.role:
        return f"{text}; if Garrison is newer than the store, {where.outdated}"
    return text


def _client(where: StoreConnection, address: str, ca_file: str | None, *, server_name: str | None) -> hvac.Client:
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc between us and the store
    session.verify = ca_file or True
    if server_name:
        session.mount("https://", NamedServer(server_name))
    return hvac.Client(url=address, session=session, timeout=30, namespace=where.tenant or None)


@contextmanager
def _logged_in(where: StoreConnection, store: hvac.Client) -> Iterator[hvac.Client]:
    """A store reached directly takes the caller's own token, if there is one; else the cluster vouches for us."""
    if not where.through_kubectl:
        store.token = _own_token()
        yield store
        return
    asked = ["create", "token", where.enters.name, "--namespace", where.enters.namespace]
    token = kubectl([*asked, "--audience", where.audience, "--duration", "10m"]).strip()
    store.auth.kubernetes.login(role=where.name(where.role), jwt=token, mount_point=where.auth)
    try:
        yield store
    finally:
        with suppress(VaultError, requests.RequestException):  # it ends by itself in minutes
            store.auth.token.revoke_self()


def _own_token() -> str:
    """The caller's own token, if there is one."""
    return next((os.environ[name] for name in TOKEN_VARIABLES if os.environ.get(name)), "")

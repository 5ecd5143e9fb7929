"""The secret store (OpenBao or Vault) as a workload sees it: log in with a service account token, read one path.

Values that are read never leave this process: an observation carries the status, not the secret.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prober import postgres, tls, web
from prober.net import AttemptError

Spec = Mapping[str, Any]
LOGIN = "auth/kubernetes/login"
# What every role may do, and what kept roles from being dropped: something is granted by it. It ends with the role.
OBSTRUCTION = "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC"
REVOKE = "sys/leases/revoke-prefix"  # given a whole lease id, it ends that one lease


def attempt(spec: Spec, timeout: float) -> dict[str, Any]:
    """Log in and perform one request; stage `login` or `store` with the status of the last step."""
    token = login(spec, spec["role"], spec["jwt"], timeout)
    status, _ = request(spec, timeout, token, spec["method"], spec["path"], spec.get("data"))
    return {"stage": "store", "status": status}


def lease(spec: Spec, timeout: float) -> dict[str, Any]:
    """Take database credentials, use them, end the lease; with `then`, stand in its way and see what is left.

    There, a lease that did not work while it was good is a `crash`: its refusal afterwards would mean nothing.
    """
    token = login(spec, spec["role"], spec["jwt"], timeout)
    status, answer = request(spec, timeout, token, "GET", spec["path"], None)
    if status != 200:
        raise AttemptError("store", "no lease", status)
    user = {"user": answer["data"]["username"], "password": answer["data"]["password"]}
    held = _Held(spec, answer["lease_id"], {**spec["database"], **user}, timeout)
    try:
        return held.outlived() if spec["then"] else postgres.attempt(held.database, timeout)
    finally:
        held.end()


@dataclass
class _Held:
    """A lease that its holder would keep."""

    spec: Spec
    id: str
    database: Spec
    timeout: float
    ended: bool = False

    def outlived(self) -> dict[str, Any]:
        """What the holder still does after the end."""
        inside = False
        try:
            with postgres.session(self.database, self.timeout) as (ask, peer):
                ask(OBSTRUCTION)
                inside = True
                self.end()
                if self.spec["then"] == "log in again":
                    return postgres.attempt(self.database, self.timeout)
                self._go_on(ask)
                return {"stage": "sql", "peer": peer}
        except AttemptError as failure:
            if inside:
                raise
            raise AttemptError("none", f"crash: a fresh lease was not accepted: {failure}") from failure

    def _go_on(self, ask: postgres.Ask) -> None:
        try:
            ask(postgres.NOTHING)
        except AttemptError as failure:
            raise AttemptError("session", failure.error) from failure
        except OSError as error:
            raise AttemptError("session", tls.reason(error)) from error

    def end(self) -> None:
        """Once, whatever came of it."""
        if not self.ended:
            self.ended = True
            _end(self.spec, self.id, self.timeout)


def _end(spec: Spec, lease_id: str, timeout: float) -> None:
    """With the administrator's token, because a workload may not end leases."""
    admin = login(spec, spec["admin"]["role"], spec["admin"]["jwt"], timeout)
    status, _ = request(spec, timeout, admin, "PUT", f"{REVOKE}/{lease_id}", None)
    if status not in (200, 204):
        raise AttemptError("none", f"crash: the lease could not be ended (status {status})")


def login(spec: Spec, role: str, jwt: str, timeout: float) -> str:
    """A store token for a service account token; AttemptError at stage `login` when it is refused."""
    status, answer = request(spec, timeout, "", "POST", spec.get("login", LOGIN), {"role": role, "jwt": jwt})
    if status != 200:
        raise AttemptError("login", "; ".join(map(str, answer.get("errors") or [])), status)
    return str(answer["auth"]["client_token"])


def request(spec: Spec, timeout: float, token: str, method: str, path: str, data: object) -> tuple[int, dict[str, Any]]:
    headers = {"content-type": "application/json", **({"x-vault-token": token} if token else {})}
    headers |= {"x-vault-namespace": spec["namespace"]} if spec.get("namespace") else {}
    body = json.dumps(data).encode() if data is not None else None
    call = {**spec, "method": method, "path": f"/v1/{path}", "headers": headers, "body": body}
    since = time.monotonic()
    connection, _ = web.open_connection(call, timeout)
    try:
        said, answer = web.exchange(connection, call, "tls", since)
    finally:
        connection.close()
    return said.status, json.loads(answer) if answer.startswith(b"{") else {}

"""The secret store (OpenBao or Vault) as a workload sees it: log in with a service account token, read one path.

Values that are read never leave this process: an observation carries the status, not the secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prober import postgres, web
from prober.net import AttemptError

Spec = Mapping[str, Any]
LOGIN = "auth/kubernetes/login"
REVOKE = "sys/leases/revoke-prefix"  # given a whole lease id, it ends that one lease


def attempt(spec: Spec, timeout: float) -> dict[str, Any]:
    """Log in and perform one request; stage `login` or `store` with the status of the last step."""
    token = login(spec, spec["role"], spec["jwt"], timeout)
    status, _ = request(spec, timeout, token, spec["method"], spec["path"], spec.get("data"))
    return {"stage": "store", "status": status}


def lease(spec: Spec, timeout: float) -> dict[str, Any]:
    """Take database credentials, use them, end the lease; with `expired`, use them once more.

    There, a lease that did not work while it was good is a `crash`: its refusal afterwards would mean nothing.
    """
    token = login(spec, spec["role"], spec["jwt"], timeout)
    status, answer = request(spec, timeout, token, "GET", spec["path"], None)
    if status != 200:
        raise AttemptError("store", "no lease", status)
    user = {"user": answer["data"]["username"], "password": answer["data"]["password"]}
    database = {**spec["database"], **user}
    try:
        first = postgres.attempt(database, timeout)
    except AttemptError as failure:
        if not spec["expired"]:
            raise
        raise AttemptError("none", f"crash: a fresh lease was not accepted: {failure}") from failure
    finally:
        _end(spec, answer["lease_id"], timeout)
    return postgres.attempt(database, timeout) if spec["expired"] else first


def _end(spec: Spec, lease_id: str, timeout: float) -> None:
    """With the administrator's token, because a workload may not end leases."""
    admin = login(spec, spec["admin"]["role"], spec["admin"]["jwt"], timeout)
    status, _ = request(spec, timeout, admin, "PUT", f"{REVOKE}/{lease_id}", None)
    if status not in (200, 204):
        raise AttemptError("none", f"crash: the lease could not be ended (status {status})")


def login(spec: Spec, role: str, jwt: str, timeout: float) -> str:
    """A store token for a service account token; AttemptError at stage `login` when it is refused."""
    status, answer = request(spec, timeout, "", "POST", LOGIN, {"role": role, "jwt": jwt})
    if status != 200:
        raise AttemptError("login", "; ".join(map(str, answer.get("errors") or [])), status)
    return str(answer["auth"]["client_token"])


def request(spec: Spec, timeout: float, token: str, method: str, path: str, data: object) -> tuple[int, dict[str, Any]]:
    headers = {"content-type": "application/json", **({"x-vault-token": token} if token else {})}
    body = json.dumps(data).encode() if data is not None else None
    call = {**spec, "method": method, "path": f"/v1/{path}", "headers": headers, "body": body}
    connection, _ = web.open_connection(call, timeout)
    try:
        status, answer = web.exchange(connection, call, "tls")
    finally:
        connection.close()
    return status, json.loads(answer) if answer.startswith(b"{") else {}

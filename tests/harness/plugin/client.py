"""HTTP to the API server: kept-alive connections, one method per verb, errors as `ApiError`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3

from harness.plugin.errors import ApiError, Unreachable
from harness.plugin.kubeconfig import Cluster
from harness.plugin.objects import Obj

APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
JSON_PATCH: Final = "application/json-patch+json"
JSON: Final = "application/json"
CONNECTIONS: Final = 64
# Long enough for an admission webhook's own limit of 30 s.
TIMEOUT: Final = urllib3.Timeout(connect=5, read=60)


class Client:
    """A pool of connections to one API server; safe to use from many threads."""

    def __init__(self, cluster: Cluster) -> None:
        self.server = cluster.server
        self._headers = {"accept": JSON, "user-agent": "garrison", **cluster.headers}
        url = urlsplit(cluster.server)
        self._prefix = url.path
        self._pool = self._open(cluster, url.hostname or "", url.port)

    @staticmethod
    def _open(cluster: Cluster, host: str, port: int | None) -> urllib3.HTTPConnectionPool:
        if cluster.server.startswith("http://"):
            return urllib3.HTTPConnectionPool(host, port, maxsize=CONNECTIONS)
        named: dict[str, Any] = {}
        if cluster.server_name:
            named["server_hostname"] = cluster.server_name
        return urllib3.HTTPSConnectionPool(host, port, maxsize=CONNECTIONS, ssl_context=cluster.tls, **named)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Obj:
        return self._send("GET", path, query=query)

    def put(self, path: str, body: Obj, query: Mapping[str, str]) -> Obj:
        return self._send("PUT", path, query=query, body=body)

    def patch(self, path: str, body: Any, kind: str, query: Mapping[str, str]) -> Obj:
        return self._send("PATCH", path, query=query, body=body, kind=kind)

    def delete(self, path: str, body: Obj) -> Obj:
        return self._send("DELETE", path, body=body)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        kind: str = JSON,
    ) -> Obj:
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        headers = self._headers if content is None else {**self._headers, "content-type": kind}
        retry = urllib3.Retry(total=2, connect=1, backoff_factor=0.1, allowed_methods=None)
        try:
            answer = self._pool.urlopen(method, target, body=content, headers=headers, retries=retry, timeout=TIMEOUT)
        except urllib3.exceptions.HTTPError as problem:
            reason = getattr(problem, "reason", None) or problem
            raise Unreachable(f"{self.server} cannot be reached: {reason}") from problem
        return _document(answer.status, answer.data)


def _document(code: int, content: bytes) -> Obj:
    try:
        document = json.loads(content) if content else {}
    except ValueError:
        document = {"message": content.decode(errors="replace").strip()[:500]}
    if code >= 400:
        raise ApiError(code, document)
    found: Obj = document
    return found

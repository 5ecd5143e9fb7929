"""Which URL serves which kind: asked of the server once per group and version, then remembered."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from urllib.parse import quote

from harness.plugin.client import Client
from harness.plugin.errors import ApiError, KindMissing


@dataclass(frozen=True)
class Resource:
    """One kind as the server serves it."""

    prefix: str
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """The URL path of the collection or of one object."""
        scope = f"/namespaces/{quote(namespace)}" if self.namespaced and namespace else ""
        return f"{self.prefix}{scope}/{self.plural}" + (f"/{quote(name)}" if name else "")


class Discovery:
    """Answers are cached; a kind that is missing is asked for again each time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[str, str], Resource] = {}
        self._lock = threading.Lock()

    def find(self, api_version: str, kind: str) -> Resource:
        """How to reach a kind; raises KindMissing where the server does not serve it."""
        key = (api_version, kind)
        if key not in self._known:
            self._load(api_version)
        if key not in self._known:
            raise KindMissing(api_version, kind)
        return self._known[key]

    def forget(self, group: str) -> None:
        """A CustomResourceDefinition of this group changed: ask again."""
        with self._lock:
            for key in [key for key in self._known if key[0].startswith(f"{group}/")]:
                del self._known[key]

    def _load(self, api_version: str) -> None:
        prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            listed = self._client.get(prefix).get("resources") or []
        except ApiError as problem:
            if problem.not_found:
                return
            raise
        with self._lock:
            for item in listed:
                if "/" not in item["name"]:
                    resource = Resource(prefix, item["name"], bool(item["namespaced"]))
                    self._known[api_version, item["kind"]] = resource

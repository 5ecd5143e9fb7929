"""What all requests of one plugin process share: settings, the cluster, the log, cancellation."""

from __future__ import annotations

import threading
import time
from typing import Final

from harness.plugin import kubeconfig
from harness.plugin.api import Api
from harness.plugin.errors import Cancelled, PluginError, Unreachable
from harness.plugin.host import Host
from harness.plugin.objects import Obj, dig, name_of
from harness.plugin.settings import Settings

_REMEMBERED: Final = 10.0


class Session:
    """Connects on first use. A failure is remembered for a moment, so that a preview without a cluster is quick."""

    def __init__(self, settings: Settings, host: Host) -> None:
        self.settings = settings
        self.host = host
        self.cancelled = threading.Event()
        self._declared: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()
        self._api: Api | PluginError | None = None
        self._failed_at = 0.0

    def api(self) -> Api:
        """The cluster; raises Unreachable where it does not answer."""
        with self._lock:
            stale = isinstance(self._api, PluginError) and time.monotonic() - self._failed_at > _REMEMBERED
            if self._api is None or stale:
                self._api = self._connect()
                self._failed_at = time.monotonic()
        if isinstance(self._api, PluginError):
            raise self._api
        return self._api

    def _connect(self) -> Api | PluginError:
        if self.settings.unknown:
            return Unreachable("the provider's kubeconfig is not known before the update")
        try:
            cluster = kubeconfig.load(self.settings.kubeconfig, self.settings.context, self.settings.cluster)
            api = Api(cluster, self.settings.namespace)
            api.client.get("/version")
        except (OSError, ValueError) as problem:
            return Unreachable(f"the kubeconfig cannot be used: {problem}")
        except PluginError as problem:
            return Unreachable(str(problem))
        return api

    def declare(self, obj: Obj) -> None:
        """Remember the namespaces and kinds that the program itself brings."""
        if obj.get("kind") == "Namespace":
            self._declared.add(("namespace", name_of(obj)))
        if obj.get("kind") == "CustomResourceDefinition":
            group, kind = dig(obj, "spec", "group"), dig(obj, "spec", "names", "kind")
            self._declared.add(("kind", str(group), str(kind)))

    def brings(self, obj: Obj) -> bool:
        """Whether the program declares the namespace or the kind that this object needs."""
        group = str(obj.get("apiVersion")).rpartition("/")[0]
        namespace = str(dig(obj, "metadata", "namespace", default=""))
        needed = {("namespace", namespace), ("kind", group, str(obj.get("kind")))}
        return bool(needed & self._declared)

    def pause(self, seconds: float) -> None:
        """Wait, unless the user cancels."""
        if self.cancelled.wait(seconds):
            raise Cancelled("cancelled while waiting")

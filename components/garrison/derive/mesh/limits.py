"""What a sidecar bears: connections, memory, and how it sheds load before the kernel ends it."""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.derive.mesh.envoy import typed

Json = dict[str, Any]
_HEAP = "envoy.resource_monitors.fixed_heap"


def runtime(listener: str = "inbound", most: int = d.INBOUND_CONNECTIONS) -> Json:
    """Limits that Envoy takes from its runtime only; the first is of the listener that callers come to."""
    values = {
        f"envoy.resource_limits.listener.{listener}.connection_limit": most,
        "envoy.resource_limits.listener.health.connection_limit": d.HEALTH_CONNECTIONS,
        "re2.max_program_size.error_level": d.PATTERN_SIZE,
    }
    return {"layers": [{"name": "limits", "static_layer": values}]}


def overload_manager(most: int = d.MAX_CONNECTIONS, bytes_of_heap: int = d.PROXY_HEAP) -> Json:
    """Beyond the connections, a heap that stays below the container's memory limit."""
    connections = typed(
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=most,
    )
    heap = typed("extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=bytes_of_heap)
    monitors = [
        {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": connections},
        {"name": _HEAP, "typed_config": heap},
    ]
    actions = [_action(what, threshold) for what, threshold in d.HEAP_ACTIONS]
    return {"refresh_interval": d.HEAP_CHECK, "resource_monitors": monitors, "actions": actions}


def _action(what: str, threshold: float) -> Json:
    triggers = [{"name": _HEAP, "threshold": {"value": threshold}}]
    return {"name": f"envoy.overload_actions.{what}", "triggers": triggers}

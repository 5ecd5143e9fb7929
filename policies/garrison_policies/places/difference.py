"""How a live object differs from the one it was derived as, and which differences the API server makes itself.

Whatever was not derived counts as a difference unless it stands in the table of defaults: what an attacker adds nobody
could list, what the API server adds is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

ANY: Final = object()
# What the API server fills in, and with what (Kubernetes 1.36, pkg/apis/*/v1/defaults.go).
DEFAULTS: Final[Mapping[str, tuple[Any, ...]]] = {
    # pods
    "dnsPolicy": ("ClusterFirst",),
    "restartPolicy": ("Always",),
    "schedulerName": ("default-scheduler",),
    "securityContext": ({},),
    "serviceAccount": (ANY,),  # the old name of serviceAccountName, which the API server keeps equal to it
    "terminationGracePeriodSeconds": (30,),
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "resources": ({},),
    "protocol": ("TCP",),
    "failureThreshold": (3,),
    "periodSeconds": (10,),
    "successThreshold": (1,),
    "timeoutSeconds": (1,),
    "scheme": ("HTTP",),
    "defaultMode": (0o644,),
    "expirationSeconds": (3600,),
    "apiVersion": ("v1",),  # of a field reference, and of a claim template
    "kind": ("PersistentVolumeClaim",),
    # workloads
    "progressDeadlineSeconds": (600,),
    "revisionHistoryLimit": (10,),
    "podManagementPolicy": ("OrderedReady",),
    "updateStrategy": tuple(
        {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, **more}} for more in ({}, {"maxUnavailable": 1})
    ),
    "persistentVolumeClaimRetentionPolicy": ({"whenDeleted": "Retain", "whenScaled": "Retain"},),
    "volumeMode": ("Filesystem",),
    "storageClassName": (ANY,),  # the cluster's, where the program names none
    "status": ({"phase": "Pending"},),  # of a claim template
    "creationTimestamp": (ANY,),
    # jobs
    "completionMode": ("NonIndexed",),
    "completions": (1,),
    "manualSelector": (False,),
    "parallelism": (1,),
    "suspend": (False,),
    # services
    "clusterIP": (ANY,),
    "clusterIPs": (ANY,),
    "ipFamilies": (ANY,),
    "ipFamilyPolicy": ("SingleStack", "PreferDualStack"),
    "internalTrafficPolicy": ("Cluster",),
    "sessionAffinity": ("None",),
    "type": ("ClusterIP",),
    # namespaces
    "kubernetes.io/metadata.name": (ANY,),  # the API server refuses any value but the name
    "spec": ({"finalizers": ["kubernetes"]},),
    # what Flux writes on whatever it applies, and nothing selects by
    "kustomize.toolkit.fluxcd.io/name": (ANY,),
    "kustomize.toolkit.fluxcd.io/namespace": (ANY,),
    # what `kubectl rollout restart` writes into a template
    "kubectl.kubernetes.io/restartedAt": (ANY,),
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?)(m|k|[KMGTPE]i?|)\Z")
_BINARY, _DECIMAL = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), ("", "k", "M", "G", "T", "P", "E")
SHOWN = 80  # characters of a value in a message
LEAD = 20  # characters before the first one that differs

Difference = tuple[str, str]


def differences(derived: Any, live: Any, path: str = "") -> Iterator[Difference]:
    """Path and what happened there, for each place where the live value is not the derived one."""
    if isinstance(derived, Mapping) and isinstance(live, Mapping):
        yield from _mappings(derived, live, path)
    elif isinstance(derived, list) and isinstance(live, list):
        yield from _lists(derived, live, path)
    elif not _same(derived, live):
        start = _parting(derived, live)
        yield path, f"is {_short(live, start)}; the graph derives {_short(derived, start)}"


def _added(key: str, value: Any) -> bool:
    """Whether a field that was not derived was put there by somebody other than the API server."""
    return not any(known is ANY or _same(known, value) for known in DEFAULTS.get(key, ()))


def _mappings(derived: Mapping[str, Any], live: Mapping[str, Any], path: str) -> Iterator[Difference]:
    for key, value in derived.items():
        where = f"{path}.{key}" if path else key
        if live.get(key) is not None:
            yield from differences(value, live[key], where)
        elif value not in ({}, [], None):  # the API server leaves out what is empty
            yield where, f"was removed; the graph derives {_short(value)}"
    for key, value in live.items():
        if key not in derived and value is not None and _added(key, value):
            yield (f"{path}.{key}" if path else key), f"was added: {_short(value)}"


def _lists(derived: list[Any], live: list[Any], path: str) -> Iterator[Difference]:
    """Elements that are objects may stand in any order, words may not: they may be a command."""
    if not all(isinstance(item, Mapping) for item in (*derived, *live)):
        if derived != live:
            yield path, f"is {_short(live)}; the graph derives {_short(derived)}"
        return
    left = list(enumerate(live))
    changed = [item for item in derived if not _take(item, left)]
    for item in changed:
        number, twin = next(((n, one) for n, one in left if one.get("name") == item.get("name")), (-1, None))
        if twin is None:
            yield path, f"lacks {_short(item)}"
        else:
            left.remove((number, twin))
            yield from differences(item, twin, f"{path}[{number}]")
    for number, item in left:
        yield f"{path}[{number}]", f"was added: {_short(item)}"


def _take(item: Any, left: list[tuple[int, Any]]) -> bool:
    """Whether one of those left is as derived; it is taken out."""
    for place, (_, one) in enumerate(left):
        if next(differences(item, one), None) is None:
            del left[place]
            return True
    return False


def _same(derived: Any, live: Any) -> bool:
    if isinstance(derived, bool) is not isinstance(live, bool):
        return False
    return bool(derived == live) or (_amount(derived) is not None and _amount(derived) == _amount(live))


def _amount(value: Any) -> Decimal | None:
    """A quantity such as 500m or 1Gi as a number: the API server writes 1000m as 1."""
    found = _QUANTITY.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    number, unit = Decimal(found[1]), found[2]
    if unit == "m":
        return number / 1000
    base, exponent = (1024, _BINARY.index(unit)) if unit in _BINARY else (1000, _DECIMAL.index(unit))
    return number * Decimal(base) ** exponent


def _parting(derived: Any, live: Any) -> int:
    """Where two long texts, such as configuration files, stop being the same."""
    if not (isinstance(derived, str) and isinstance(live, str)):
        return 0
    same = next(
        (i for i, (a, b) in enumerate(zip(derived, live, strict=False)) if a != b), min(len(derived), len(live))
    )
    return same - LEAD if same > LEAD + SHOWN // 2 else 0


def _short(value: Any, start: int = 0) -> str:
    text = f"...{value[start : start + SHOWN]}" if start else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."

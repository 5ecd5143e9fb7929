"""Who may change what stands in an estate, at admission: the deployer and the controllers, and nobody else.

A namespace's pods are its identities: whoever starts one with the account of a service, mounts its certificate, asks
for a token of its account or opens a shell in it *is* the service, and no rule about single objects can tell. So in the
namespaces of the graph everything that gives or guards an identity is the deployer's to change. What a service may
write by declaration (its own ConfigMaps, leases, events) is not among it.

Objects of an estate are guarded by a policy of its own name, so that two estates on one cluster do not meet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Issuer
from garrison.derive.names import guard_of
from garrison.model.graph import Graph
from garrison.model.names import EDGE_CONFIG_MAPS, derived_config_maps, proxy_config
from garrison_policies.language.expr import literal
from garrison_policies.places.people import CONTROL_PLANE, ISSUING, TRUSTING, accounts_of, deployer
from garrison_policies.places.policy import Mode, Resources, binding, namespaces, policy

Json = dict[str, Any]
CHANGES: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")
GUARDED: Final[tuple[Resources, ...]] = (
    (
        "",
        "v1",
        (
            *("pods", "pods/ephemeralcontainers", "pods/resize", "pods/exec", "pods/attach", "pods/portforward"),
            *("pods/proxy", "podtemplates", "replicationcontrollers", "replicationcontrollers/scale", "namespaces"),
            *("services", "services/proxy", "endpoints", "serviceaccounts", "serviceaccounts/token", "secrets"),
            *("configmaps", "resourcequotas", "limitranges"),
        ),
    ),
    (
        "apps",
        "v1",
        tuple(f"{kind}{part}" for kind in ("deployments", "replicasets", "statefulsets") for part in ("", "/scale")),
    ),
    ("apps", "v1", ("daemonsets", "controllerrevisions")),
    ("batch", "v1", ("jobs", "cronjobs")),
    ("discovery.k8s.io", "v1", ("endpointslices",)),
    ("networking.k8s.io", "v1", ("networkpolicies", "ingresses")),
    ("policy", "v1", ("poddisruptionbudgets",)),
    ("autoscaling", "v2", ("horizontalpodautoscalers",)),
    ("rbac.authorization.k8s.io", "v1", ("roles", "rolebindings")),
    ("cert-manager.io", "v1", ("certificates", "certificates/status", "certificaterequests", "issuers")),
)
_RESOURCE: Final = "request.resource.resource"
_NAME: Final = "(has(request.name) ? request.name : '')"
_REMEDY: Final = "declare the change and run `pulumi up`; for an emergency see Break-glass in docs/admission.md"


def estate(graph: Graph, deployers: Sequence[str] = d.DEPLOYERS, mode: Mode = "deny") -> list[Json]:
    """The guard of the graph's namespaces, and of those of its edge, its users and its way out, with its binding."""
    databases = [database.ref for database in graph.databases]
    kept = {
        name
        for space in graph.namespaces
        for name in derived_config_maps(space, [one.ref for one in graph.workloads], databases)
    }
    kept |= {*EDGE_CONFIG_MAPS} if graph.hosts else set()
    kept |= {proxy_config(d.EGRESS)} if graph.leaves else set()
    return _guard(guard_of(graph.name), graph.spaces, kept, deployers, mode)


def platform(
    spaces: Collection[str],
    issuer: Issuer | str = d.ISSUER,
    deployers: Sequence[str] = d.DEPLOYERS,
    mode: Mode = "deny",
) -> list[Json]:
    """The guard of the platform's namespaces, and of the two objects of the whole cluster that trust hangs on."""
    own = accounts_of(d.ISSUER_NAMESPACE)
    within = f"(request.namespace == {literal(d.ISSUER_NAMESPACE)} && {own})"
    who = Issuer.of(issuer)
    trusted = literal([who.name, d.TRUST_BUNDLE])
    version = "*" if who.external else "v1"
    anchors = policy(
        "trust",
        [(who.group, version, (who.resource,)), ("trust.cert-manager.io", "v1alpha1", ("bundles",))],
        [_required(f"!{_called(trusted)} || {deployer(deployers)} || {CONTROL_PLANE}", "trust-guard")],
        selector={},
        operations=("CREATE", "UPDATE", "DELETE"),
    )
    guarded = _guard("platform", spaces, None, deployers, mode, also=[within]) if spaces else []
    return [*guarded, anchors, binding("trust", mode)]


def _guard(
    name: str,
    spaces: Collection[str],
    config_maps: Collection[str] | None,
    deployers: Sequence[str],
    mode: Mode,
    also: Sequence[str] = (),
) -> list[Json]:
    """`config_maps` are those that only the deployer writes; None means all."""
    ways = [*also, f"({_RESOURCE} in ['secrets', 'certificaterequests', 'certificates'] && {_issuing()})"]
    ways.append(f"({_RESOURCE} == 'configmaps' && {_called(literal([d.TRUST_BUNDLE]))} && {TRUSTING})")
    if config_maps is not None:
        kept = f"({_called(literal(sorted(config_maps)))} || {_NAME}.startsWith('garrison-probe'))"
        ways.append(f"({_RESOURCE} == 'configmaps' && !{kept})")
    made = policy(
        name,
        GUARDED,
        [_required(" || ".join(ways), "estate-guard")],
        selector=namespaces("In", spaces),
        operations=CHANGES,
        conditions=[
            {"name": "not-the-deployer", "expression": f"!{deployer(deployers)}"},
            {"name": "not-the-control-plane", "expression": f"!{CONTROL_PLANE}"},
        ],
    )
    return [made, binding(name, mode)]


def _called(names: str) -> str:
    """CEL: the object has one of the names; one that the server has yet to name has none of them."""
    return f"({_NAME} in {names})"


def _issuing() -> str:
    """cert-manager keeps keys and requests, and reports on Certificates; it makes and changes none."""
    return (
        f"{ISSUING} && ({_RESOURCE} != 'certificates' || (has(request.subResource) && request.subResource == 'status'))"
    )


def _required(expression: str, name: str) -> Json:
    text = f"{name}: required: only the deployer changes what gives or guards an identity here; {_REMEDY}"
    return {"expression": expression, "message": text, "reason": "Forbidden"}

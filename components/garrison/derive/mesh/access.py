"""Who may do what at a callee, as Envoy's RBAC filter: one policy a caller, each of exact methods and whole paths."""

from __future__ import annotations

import re
from typing import Any

from garrison.derive.mesh.envoy import typed
from garrison.model.graph import Call, Graph, Operation
from garrison.words import Ref

Json = dict[str, Any]
VARIABLE = re.compile(r"\{[^}]*\}")

# One segment, as a `{name}` stands for it (RFC 3986 section 3.3, pchar), without what servers read differently than we:
# `;` begins parameters that some cut off before they route, and an octet that is encoded twice, or as a delimiter
# (`/ \ ; ? # .`, controls, overlong UTF-8), can be another path to whoever decodes once more.
_PLAIN = r"[-A-Za-z0-9._~!$&'()*+,=:@]"
_ENCODED = (
    r"%(?:2[0-246-9A-Da-d]|3[0-9ACDEacde]|[46][0-9A-Fa-f]|5[0-9ABDEFabdef]|7[0-9A-Ea-e]"
    r"|[89ABDEFabdef][0-9A-Fa-f]|[Cc][2-9A-Fa-f])"
)
SEGMENT = f"(?:{_PLAIN}|{_ENCODED})+"


def authorisation(graph: Graph, callee: Ref) -> Json:
    """Envoy's RBAC filter: one policy per caller; with no caller it has no policy and refuses everyone."""
    policies = {str(call.caller): _policy(graph, call) for call in graph.calls_to.get(callee, ())}
    rules = {"action": "ALLOW", "policies": policies}
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": typed("extensions.filters.http.rbac.v3.RBAC", rules=rules),
    }


def _policy(graph: Graph, call: Call) -> Json:
    permissions = [_permission(operation) for operation in call.operations]
    return {"permissions": permissions, "principals": [_principal(graph.spiffe_id(call.caller))]}


def _principal(identity: str) -> Json:
    """A certificate with this name and no other.

    Envoy takes any of a certificate's names for the match, and tells the application all of them: with two names it
    would be authorised as one and heard as the other. So what the application will be told has to be this name alone.
    """
    certificate = {"authenticated": {"principal_name": {"exact": identity}}}
    told = {"safe_regex": {"regex": f"By=[^;,]*;Hash=[0-9a-f]*;URI={re.escape(identity)}"}}
    return {"and_ids": {"ids": [certificate, {"header": {"name": "x-forwarded-client-cert", "string_match": told}}]}}


def _permission(operation: Operation) -> Json:
    method = {"header": {"name": ":method", "string_match": {"exact": operation.method}}}
    return {"and_rules": {"rules": [method, {"url_path": {"path": _path(operation.path)}}]}}


def _path(template: str) -> Json:
    """A path without variables is compared as it is: no pattern to compile, none to be wrong."""
    return {"safe_regex": {"regex": path_pattern(template)}} if VARIABLE.search(template) else {"exact": template}


def path_pattern(template: str) -> str:
    """The RE2 pattern of a path template: each `{name}` stands for one non-empty segment."""
    return SEGMENT.join(re.escape(part) for part in VARIABLE.split(template))

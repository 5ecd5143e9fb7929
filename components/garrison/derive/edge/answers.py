"""What a client is told that gets no answer of a service, and the line that is logged of each request."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from garrison import defaults as d
from garrison.derive.mesh import envoy
from garrison.derive.tokens import FILTER, PAYLOAD

Json = dict[str, Any]
PROBLEM: Final = "application/problem+json"  # RFC 9457
JUDGED: Final = "ext_authz_denied"  # by the agent, whose answer names the field: it stays as it is
TOLD: Final = (400, 401, 403, 404, 405, 408, 413, 421, 426, 429, 431, 500, 501, 502, 503, 504)
PHRASES: Final = {413: "Content Too Large"}  # RFC 9110 calls it so; Python says it as RFC 2616 did
_HSTS: Final = {
    "header": {"key": "strict-transport-security", "value": d.HSTS},
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}
_RETRY_AFTER: Final = {
    "header": {"key": "retry-after", "value": "%RESP(X-RATELIMIT-RESET)%"},
    "append_action": "ADD_IF_ABSENT",
}


def answer() -> Json:
    """The first filter, and so the last to see an answer: whoever gave it, it says that this host is https only, and
    not with which server it was made.
    """
    kind = "extensions.filters.http.header_mutation.v3.HeaderMutation"
    body = envoy.typed(kind, mutations={"response_mutations": [{"append": _HSTS}, {"remove": "server"}]})
    return {"name": "answer", "typed_config": body}


def refusals(*, retry_after: bool = False) -> Json:
    """Problem documents without a word about how the edge works: why is in its log, by the request's id.

    `retry_after`: where the filter that refuses says only when the count begins anew, that is when to come again.
    """
    when = {429: [_RETRY_AFTER]} if retry_after else {}
    return {"mappers": [_judged(), *(_told(status, when.get(status, ())) for status in TOLD)]}


def _judged() -> Json:
    kind = "extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    body = envoy.typed(kind, expression=f"response.code_details == '{JUDGED}'")
    given = {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": body}
    return {"filter": {"extension_filter": given}, "headers_to_add": [_HSTS]}


def _told(status: int, more: Sequence[Json]) -> Json:
    compared = {"op": "EQ", "value": {"default_value": status, "runtime_key": "none"}}
    said = {
        "type": "about:blank",
        "title": PHRASES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "request": "%REQ(X-REQUEST-ID)%",
    }
    return {
        "filter": {"status_code_filter": {"comparison": compared}},
        "body_format_override": {"json_format": said, "content_type": PROBLEM},
        "headers_to_add": [_HSTS, *more],
    }


def log() -> list[Json]:
    """Each decision with its rule, subject, outcome and request; the address is the connection's own."""
    rbac = "envoy.filters.http.rbac"
    return envoy.access_log(
        "edge",
        host="%REQUESTED_SERVER_NAME%",
        route="%ROUTE_NAME%",
        rule=f"%DYNAMIC_METADATA({rbac}:enforced_effective_policy_id)%",
        outcome=f"%DYNAMIC_METADATA({rbac}:enforced_engine_result)%",
        subject=f"%DYNAMIC_METADATA({FILTER}:{PAYLOAD}:sub)%",
        issuer=f"%DYNAMIC_METADATA({FILTER}:{PAYLOAD}:iss)%",
        client="%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
        callee="%UPSTREAM_CLUSTER%",
        protocol="%PROTOCOL%",
    )

"""The protections at the edge and behind it, and how to take each away: changes of Envoy's own documents.

A cut takes a protection out of every host's files at once. What stands behind the edge is left as it is, so a request
that a cut lets through is seen one step further on: refused by the sidecar, whose answers are not the edge's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from garrison import defaults as d
from garrison.derive.contract_filter import TOLD, asks
from garrison.derive.edge import counting, filters, limits, routes
from garrison.derive.edge.names import DYNAMIC, PROXY
from garrison.derive.mesh import config_ref
from garrison.derive.tokens import BEARER, FILTER, OPAQUE, is_opaque
from garrison.manifest import Manifest, compact
from garrison.model.graph import Graph
from garrison.prove.drill.cuts import Cut
from garrison.prove.expect.edge import TOKENS, WAYS, behind, trials
from garrison.prove.kubectl import Kubectl
from garrison.prove.model import Party, Probe
from garrison.prove.trials import EdgeLayer, Trial, Try
from garrison.words import Ref

Json = dict[str, Any]
Change = Callable[[Json], None]
FOR_EVER: Final = 4_000_000_000  # seconds: what has expired is good, and what is not yet valid, too
FORGED: Final = frozenset(TOKENS) - {Try.NO_EXPIRY, Try.EXPIRED, Try.NOT_YET, Try.WRONG_AUDIENCE, Try.WRONG_ISSUER}


@dataclass(frozen=True)
class Weakness:
    """One protection taken away: in which files, how, and what is noticed then, and nothing else."""

    layer: EdgeLayer
    noticed: frozenset[Try]
    change: Change
    bootstrap: bool = False
    """Whether it is in the part that rolls the pods, and not in what they reload."""


def without(name: str, document: Json) -> Json:
    """A document of the edge, or of a sidecar, without that protection; the same where it has none."""
    changed = deepcopy(document)
    WEAKNESSES[name].change(changed)
    return changed


def cut(name: str, files: Mapping[str, str]) -> dict[str, str]:
    """The files of a ConfigMap without that protection; what is no document stays as it is."""
    return {file: _cut_text(name, text) if file.endswith(".json") else text for file, text in files.items()}


def _cut_text(name: str, text: str) -> str:
    found = json.loads(text)
    changed = without(name, found)
    return compact(changed) if changed != found else text


# --- walking ---------------------------------------------------------------------------------------------------------


def _every(document: Any, holds: Callable[[Json], bool]) -> Iterator[Json]:
    """Every object in it of which something holds, however deep."""
    if isinstance(document, dict):
        if holds(document):
            yield document
        for value in [*document.values()]:
            yield from _every(value, holds)
    elif isinstance(document, list):
        for value in document:
            yield from _every(value, holds)


def _of_type(document: Any, kind: str) -> Iterator[Json]:
    return _every(document, lambda found: str(found.get("@type", "")).endswith(f".{kind}"))


def _policies(document: Json) -> Iterator[Json]:
    """The RBAC policies of routes for users: those that ask for a token."""
    for policy in _every(document, lambda found: "principals" in found and "permissions" in found):
        if FILTER in json.dumps(policy["principals"]):
            yield policy


def _drop(policy: Json, unwanted: Callable[[Json], bool]) -> None:
    """Every principal of a kind holds for everybody."""
    for found in [*_every(policy["principals"], unwanted)]:
        found.clear()
        found["any"] = True


def _claims(*names: str) -> Callable[[Json], bool]:
    def holds(found: Json) -> bool:
        said = _matcher(found)
        return said.get("filter") == FILTER and said["path"][-1]["key"] in names

    return holds


def _matcher(found: Json) -> Json:
    """What a principal asks of a token's payload; nothing where it asks for something else."""
    said: Json = found.get("sourced_metadata", {}).get("metadata_matcher", {})
    return said


def _providers(document: Json) -> Iterator[Json]:
    return _every(document, lambda found: "remote_jwks" in found)


# --- what is taken away ----------------------------------------------------------------------------------------------


def _no_token(document: Json) -> None:
    """Whatever is brought, or nothing, is good for everything that some token is good for."""
    for rules in _of_type(document, "JwtAuthentication"):
        for requirement in rules.get("requirement_map", {}).values():
            requirement.clear()
            requirement["allow_missing_or_failed"] = {}
        for rule in rules.get("rules", ()):
            rule["requires"] = {"allow_missing_or_failed": {}}
    _no_session(document)
    for policy in _policies(document):
        _drop(policy, lambda found: "sourced_metadata" in found or _is_bearer(found))
        _unconditional(policy)
    _unasked(document)


def _unasked(document: Json) -> None:
    """Nobody asks about opaque tokens, and a sidecar takes the edge's silence for an answer."""
    for route in _every(document, lambda found: TOLD in found.get("typed_per_filter_config", {})):
        own = route["typed_per_filter_config"]
        for name in [name for name in own if name == TOLD or name.startswith(asks(""))]:
            del own[name]
    told = {"header": {"name": d.ASKED_CLAIMS, "present_match": True}}
    for policy in _every(document, lambda found: "principals" in found and "permissions" in found):
        if "not_id" not in json.dumps(policy["principals"]):
            _drop(policy, lambda found: found == told)


def _no_session(document: Json) -> None:
    """Where browsers log in, the filters of sessions and tokens do nothing at any route that is for users.

    What these filters ask for is in files of the login agent, which no cut reaches; whether they are asked is not.
    """
    for host in _every(document, lambda found: "domains" in found and "routes" in found):
        own = {name for route in host["routes"] for name in route.get("typed_per_filter_config", ())}
        if not (sessions := {name for name in own if name.startswith(filters.session(""))}):
            continue
        for route in host["routes"]:
            if "cluster" in route.get("route", {}):
                asked = {*sessions, *(name for name in own if name.startswith(filters.verified("")))}
                route["typed_per_filter_config"] |= dict.fromkeys(asked, routes.OFF)


def _is_bearer(found: Json) -> bool:
    matched = found.get("header", {}).get("string_match", {})
    return matched.get("safe_regex", {}).get("regex") in (BEARER, OPAQUE)


def _unconditional(policy: Json) -> None:
    policy.pop("condition", None)
    policy.pop("cel_config", None)


def _no_issuer(document: Json) -> None:
    for provider in _providers(document):
        provider.pop("issuer", None)
    for policy in _policies(document):
        _drop(policy, _claims("iss"))


def _no_audience(document: Json) -> None:
    for provider in _providers(document):
        provider.pop("audiences", None)
    for policy in _policies(document):
        _drop(policy, _claims("aud"))


def _no_time(document: Json) -> None:
    for provider in _providers(document):
        provider["clock_skew_seconds"] = FOR_EVER


def _no_end(document: Json) -> None:
    for provider in _providers(document):
        provider.pop("require_expiration", None)


def _any_prefix(document: Json) -> None:
    for policy in _policies(document):
        _drop(policy, _is_bearer)


def _anywhere(document: Json) -> None:
    for provider in _providers(document):
        provider["from_params"] = ["access_token"]
        provider["from_cookies"] = ["access_token"]
    _any_prefix(document)


def _no_group(document: Json) -> None:
    for policy in _policies(document):
        _drop(policy, lambda found: "list_match" in _matcher(found).get("value", {}))


def _no_condition(document: Json) -> None:
    for policy in _policies(document):
        _unconditional(policy)


def _no_limit(document: Json) -> None:
    for name in (limits.ROUTE, counting.FILTER):
        for found in _every(document, lambda found, name=name: isinstance(found.get(name), dict)):  # type: ignore[misc]
            del found[name]


def _no_contract(document: Json) -> None:
    for route in _every(document, lambda found: "typed_per_filter_config" in found):
        off = {"@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"}
        if filters.CONTRACT not in route["typed_per_filter_config"]:
            route["typed_per_filter_config"][filters.CONTRACT] = {**off, "disabled": True}


def _everywhere(document: Json) -> None:
    """Whatever nobody declared goes to some service, whoever asks."""
    for host in _every(document, lambda found: "domains" in found and "routes" in found):
        known = next((route["route"] for route in host["routes"] if "cluster" in route.get("route", {})), None)
        for route in host["routes"] if known else ():
            if route.get("direct_response", {}).get("status") in (404, 405):
                del route["direct_response"]
                route["route"] = known


def _every_name(document: Json) -> None:
    for configuration in _of_type(document, "RouteConfiguration"):
        hosts = configuration["virtual_hosts"]
        if len(hosts) > 1:
            hosts[0]["domains"] = ["*"]
            del hosts[1:]


def _no_size(document: Json) -> None:
    for body in _of_type(document, "BodySizeLimit"):
        body["max_request_bytes"] = 2**30
    for manager in _of_type(document, "HttpConnectionManager"):
        manager["max_request_headers_kb"] = 8192


def _old_tls(document: Json) -> None:
    for context in _of_type(document, "DownstreamTlsContext"):
        context["common_tls_context"]["tls_params"]["tls_minimum_protocol_version"] = "TLSv1_2"


def _no_tls(document: Json) -> None:
    for listener in _public(document):
        clear = deepcopy(listener["filter_chains"][0])
        clear.pop("transport_socket", None)
        clear["name"], clear["filter_chain_match"] = "clear", {"transport_protocol": "raw_buffer"}
        listener["filter_chains"].append(clear)


def _any_server_name(document: Json) -> None:
    for listener in _public(document):
        anything = deepcopy(listener["filter_chains"][0])
        anything["name"], anything["filter_chain_match"] = "anything", {"transport_protocol": "tls"}
        listener["filter_chains"].append(anything)


def _public(document: Json) -> Iterator[Json]:
    return _every(document, lambda found: found.get("name") == "public" and "filter_chains" in found)


def cuts(graph: Graph, kubectl: Kubectl) -> Iterator[Cut]:
    """Each protection of the edge, and of all sidecars behind it at once."""
    if not graph.hosts:
        return
    found = (*trials(graph), *behind(graph))
    # how an opaque token is brought, its issuer's agent judges as well, and no cut of one of them lets it pass
    tried = {(t.place, t.kind) for t in found if t.kind not in WAYS or not is_opaque(graph, t.route)}
    for name, weakness in WEAKNESSES.items():
        ref = PROXY if weakness.bootstrap else DYNAMIC
        if any(("edge", kind) in tried for kind in weakness.noticed):
            live = (kubectl.get("configmap", ref.name, ref.namespace),)
            yield _cut(f"edge without {name}", weakness, "edge", live, name, (d.EDGE,))
    served = sorted({route.service for route in graph.routes if route.issuer})
    for name in BEHIND if served else ():
        if any(("sidecar", kind) in tried for kind in WEAKNESSES[name].noticed):
            configs = tuple(kubectl.get("configmap", config_ref(ref).name, ref.namespace) for ref in served)
            yield _cut(f"sidecars behind the edge without {name}", WEAKNESSES[name], "sidecar", configs, name, served)
    if keyless := sorted({trial.service for trial in found if trial.place == "misled"}):
        configs = tuple(kubectl.get("configmap", config_ref(ref).name, ref.namespace) for ref in keyless)
        cut = _cut("sidecars without keys and token rule", WEAKNESSES[NO_RULE], "misled", configs, NO_RULE, ())
        copies = tuple(Party("service", ref.namespace, ref.name) for ref in keyless)
        yield replace(cut, copies=copies, variant="-misled")


def _cut(
    what: str, weakness: Weakness, place: str, live: tuple[Manifest, ...], name: str, restart: Iterable[Ref]
) -> Cut:
    def affected(probe: Probe) -> bool:
        trial = probe.attempt
        return isinstance(trial, Trial) and trial.place == place and trial.kind in weakness.noticed

    weaker = tuple({**config, "data": cut(name, config["data"])} for config in live)
    return Cut(what, weakness.layer, affected, live, weaker, restart=tuple(restart))


NO_RULE: Final = "token rule"
_CONTRACT = frozenset({Try.NOT_JSON, Try.CONTENT_TYPE, Try.BODY_SCHEMA, Try.PARAMETER})
WEAKNESSES: Final[Mapping[str, Weakness]] = MappingProxyType(
    {
        NO_RULE: Weakness(
            "token",
            FORGED
            | {
                Try.EXPIRED,
                Try.NOT_YET,
                Try.WRONG_ISSUER,
                Try.WRONG_AUDIENCE,
                Try.NO_EXPIRY,
                Try.NO_TOKEN,
                Try.NO_KEYS,
                Try.TAKEN_BACK,
            }
            | {Try.TWO_AUTHORIZATIONS, Try.BASIC_THEN_BEARER, Try.IN_QUERY, Try.IN_COOKIE, Try.OTHER_HOST}
            | {Try.NO_GROUP, Try.SCOPE_FOR_GROUP, Try.WRONG_CLAIM, Try.NO_SESSION, Try.FALSE_SESSION},
            _no_token,
        ),
        "issuer": Weakness("token", frozenset({Try.WRONG_ISSUER}), _no_issuer),
        "audience": Weakness("token", frozenset({Try.WRONG_AUDIENCE}), _no_audience),
        "times": Weakness("token", frozenset({Try.EXPIRED, Try.NOT_YET}), _no_time),
        "required end": Weakness("token", frozenset({Try.NO_EXPIRY}), _no_end),
        "whole header": Weakness("token", frozenset({Try.BASIC_THEN_BEARER}), _any_prefix),
        "one place for tokens": Weakness(
            "token", frozenset({Try.IN_QUERY, Try.IN_COOKIE, Try.BASIC_THEN_BEARER}), _anywhere
        ),
        "group": Weakness("claims", frozenset({Try.NO_GROUP, Try.SCOPE_FOR_GROUP}), _no_group),
        "condition": Weakness("claims", frozenset({Try.WRONG_CLAIM}), _no_condition),
        "limit": Weakness("limit", frozenset({Try.LIMIT}), _no_limit),
        "contract": Weakness("contract", _CONTRACT, _no_contract),
        "end of what is declared": Weakness(
            "entry", frozenset({Try.UNDECLARED_PATH, Try.UNDECLARED_METHOD}), _everywhere
        ),
        "names": Weakness("entry", frozenset({Try.OTHER_NAME}), _every_name),
        "sizes": Weakness("entry", frozenset({Try.OVERSIZE, Try.LONG_HEADER}), _no_size, bootstrap=True),
        "TLS version": Weakness("entry", frozenset({Try.OLD_TLS}), _old_tls, bootstrap=True),
        "TLS": Weakness("entry", frozenset({Try.PLAIN_HTTP}), _no_tls, bootstrap=True),
        "server names": Weakness("entry", frozenset({Try.NO_SUCH_NAME}), _any_server_name, bootstrap=True),
    }
)
"""By what is taken away."""
BEHIND: Final = (NO_RULE, "issuer", "audience", "times", "required end", "whole header", "group", "condition")
"""Those of a sidecar, too."""

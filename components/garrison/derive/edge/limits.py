"""How often: token buckets in each replica, counted for a user, a client address, or all together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from garrison import defaults as d
from garrison.derive.mesh.envoy import typed
from garrison.derive.tokens import FILTER, PAYLOAD
from garrison.model.graph import Rate

Json = dict[str, Any]
ADDRESS: Final = "limit.address"
ROUTE: Final = "limit.route"
PASSWORDS: Final = Rate(*d.PASSWORD_RATE, "address")
_KIND: Final = "extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
KEYS: Final = {"address": ("remote_address",), "user": ("iss", "sub"), "all": ()}  # what `actions` give
_UNBOUND: Final = {"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "1s"}


def of_addresses() -> Json:
    """Before anything is verified."""
    requests, seconds = d.ADDRESS_RATE
    body = limit("address", [Rate(requests, seconds, "address")])
    body["enable_x_ratelimit_headers"] = "OFF"  # how much is left is said of the route's own limits
    return {"name": ADDRESS, "typed_config": body}


def of_routes() -> Json:
    """Nothing by itself: each route says its own."""
    return {"name": ROUTE, "typed_config": typed(_KIND, stat_prefix="route")}


def per_route(rates: Sequence[Rate], *, told: bool = True) -> Json:
    """What a route adds to the filters' configuration; a limit's buckets are its route's own.

    `told`: answers say how much is left; not where another filter counts for all pods and says that.
    """
    silent = {} if told else {"enable_x_ratelimit_headers": "OFF"}
    return {ROUTE: limit("route", rates) | silent} if rates else {}


def limit(name: str, rates: Iterable[Rate]) -> Json:
    """One filter for several limits, all of which have to let a request pass.

    The bucket of requests for which nothing is counted has no bottom: without a user there is no limit for users, but
    such a request has been refused before.
    """
    counted = [(rate, f"{rate.per}/{rate.seconds}") for rate in sorted(rates)]
    hundred = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return typed(
        _KIND,
        stat_prefix=name,
        token_bucket=dict(_UNBOUND),
        always_consume_default_token_bucket=False,
        filter_enabled=hundred,
        filter_enforced=hundred,  # both are 0 % where nothing is said
        rate_limits=[{"actions": [_named(key), *actions(rate)]} for rate, key in counted],
        descriptors=[_bucket(rate, key) for rate, key in counted],
        max_dynamic_descriptors=d.PROMISED,
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        enable_retry_after_header=True,
    )


def _named(key: str) -> Json:
    return {"generic_key": {"descriptor_key": "limit", "descriptor_value": key}}


def actions(rate: Rate) -> list[Json]:
    """For whom it is counted; a user is a subject of one issuer (RFC 7519 section 4.1.2)."""
    if rate.per == "address":
        return [{"remote_address": {}}]
    return [_claim("iss"), _claim("sub")] if rate.per == "user" else []


def _claim(name: str) -> Json:
    key = {"key": FILTER, "path": [{"key": PAYLOAD}, {"key": name}]}
    return {"metadata": {"descriptor_key": name, "metadata_key": key, "source": "DYNAMIC"}}


def _bucket(rate: Rate, key: str) -> Json:
    return {
        "entries": [{"key": "limit", "value": key}, *({"key": one} for one in KEYS[rate.per])],
        "token_bucket": {
            "max_tokens": rate.requests,
            "tokens_per_fill": rate.requests,
            "fill_interval": f"{rate.seconds}s",
        },
    }

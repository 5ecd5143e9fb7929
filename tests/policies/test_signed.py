"""Only what was verified comes in, from where our images come from."""

from __future__ import annotations

import json
from pathlib import Path

import cel
import pytest

from garrison.settings import Settings
from garrison.verified import VerifiedError
from garrison_policies.language.rule import Rule
from garrison_policies.places import signed
from policies.fixtures import findings, objects

ORDERS = "registry.example/shop/orders@sha256:" + "a" * 64
RULE = signed.rule([ORDERS])


def broken(rule: Rule, image: str) -> bool:
    text = rule.good.replace(ORDERS, image)
    assert image in text
    (pod,) = objects(text)
    reading = bool(findings([rule], [pod]))
    values = {"object": pod.body, "variables": {"pod": pod.template}}
    assert reading == (not all(cel.compile(check.cel()).execute(values) for check in rule.checks))
    return reading


@pytest.mark.parametrize("image", [ORDERS, "registry.k8s.io/pause:3.10", "registry.example/shops/orders:1"])
def test_what_was_verified_and_what_others_make_comes_in(image: str) -> None:
    assert not broken(RULE, image)


@pytest.mark.parametrize(
    "image",
    [
        "registry.example/shop/orders@sha256:" + "b" * 64,  # another build of it
        "registry.example/shop/orders:1.0",
        "registry.example/shop/orders",
        "registry.example/shop/evil@sha256:" + "a" * 64,  # another image of the same folder
    ],
)
def test_what_was_not_verified_is_refused(image: str) -> None:
    assert broken(RULE, image)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '["registry.example/shop/orders:1.0"]',
        "[1]",
        '["registry.example/shop/orders@sha256:12"]',
        '{"a@sha256:' + "0" * 64 + '": 1}',
    ],
)
def test_a_list_that_says_nothing_is_refused_and_never_the_end_of_the_rule(text: str, tmp_path: Path) -> None:
    file = tmp_path / "verified.json"
    file.write_text(json.dumps([ORDERS]))
    assert signed.load(file)[0].id == "image-signature"
    file.write_text(text)
    with pytest.raises(VerifiedError, match="is no list of verified images"):
        signed.load(file)
    with pytest.raises(VerifiedError, match="is no list of verified images"):
        _ = Settings(signed_images=file).cluster


def test_a_stack_without_a_list_has_no_such_rule() -> None:
    assert signed.load(None) == ()

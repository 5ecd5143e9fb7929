"""References of images as people write them: tags behind ports, digests, registries that say nothing."""

from __future__ import annotations

import pytest

from garrison_policies.language.objects import Object
from garrison_policies.language.rule import Rule
from garrison_policies.rules import images
from policies.fixtures import findings

DIGEST = "@sha256:" + "0f" * 32


def broken(image: str, *rules: Rule, **fields: str) -> set[str]:
    container = {"name": "app", "image": image, **fields}
    pod = Object({"kind": "Pod", "spec": {"containers": [container]}})
    return {one.rule for one in findings(rules or images.RULES, [pod])} - (set() if fields else {"image-pull-policy"})


@pytest.mark.parametrize(
    ("image", "rules"),
    [
        (f"r.example/app{DIGEST}", set()),
        (f"r.example:5000/app:latest{DIGEST}", set()),
        (f"docker.io/library/nginx{DIGEST}", set()),
        ("r.example/app:1.0", {"image-digest"}),
        ("r.example:5000/app:1.0", {"image-digest"}),
        ("localhost:5000/app", {"image-digest", "image-tag"}),
        ("r.example/app:latest", {"image-digest", "image-tag"}),
        ("r.example/app:latest-alpine", {"image-digest"}),
        ("r.example/latest:1", {"image-digest"}),
        ("nginx", {"image-digest", "image-tag", "image-registry"}),
        ("nginx:1.27", {"image-digest", "image-registry"}),
        ("library/nginx:1.27", {"image-digest", "image-registry"}),
        ("docker.io/library/nginx:1.27", {"image-digest", "image-registry"}),
        ("ghcr.io/someone/app:1", {"image-digest", "image-registry"}),
        ("registry.k8s.io/pause:3.10", {"image-digest"}),
    ],
)
def test_a_reference_breaks_these_rules(image: str, rules: set[str]) -> None:
    assert broken(image) == rules


@pytest.mark.parametrize("allowed", ["r.example/shop", "r.example/shop/"])
def test_with_registries_given_only_they_count(allowed: str) -> None:
    rule = images.registry(allowed, "other.example:5000")
    assert broken("r.example/shop/app:1", rule) == set()
    assert broken("other.example:5000/app", rule) == set()
    assert broken("r.example/shopping/app:1", rule) == {"image-registry"}
    assert broken("r-example/shop/app:1", rule) == {"image-registry"}
    assert broken(f"evil.example/r.example/shop/app{DIGEST}", rule) == {"image-registry"}


@pytest.mark.parametrize(
    ("image", "policy", "breaks"),
    [
        ("r.example/app:1", "Always", False),
        ("r.example/app:1", "IfNotPresent", True),
        ("r.example/app:latest", "Never", True),
        (f"r.example/app{DIGEST}", "IfNotPresent", False),
    ],
)
def test_what_is_not_pinned_is_fetched_again(image: str, policy: str, breaks: bool) -> None:
    assert ("image-pull-policy" in broken(image, imagePullPolicy=policy)) is breaks


def test_without_a_policy_the_api_server_chooses_by_the_tag() -> None:
    (rule,) = (rule for rule in images.RULES if rule.id == "image-pull-policy")
    assert broken("r.example/app", rule, name="x") == set()
    assert broken("r.example/app:1", rule, name="x") == {"image-pull-policy"}

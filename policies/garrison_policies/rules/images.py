"""Images: which one exactly, from where, and when it is fetched again.

Whether an image is signed cannot be read from an object: cosign verifies the signatures before a deployment, and
`garrison_policies.places.signed` makes the rule that lets in exactly what was verified.
"""

from __future__ import annotations

import re

from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Is, Matches, Not, Path, Predicate, Present
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS, VOLUMES
from garrison_policies.rules.examples import IMAGE, pod

_DIGEST = r"@sha(256|512):[0-9a-f]+$"
_TAG = r"^([^@]*/)?[^/:@]+:[^/:@]+(@.*)?$"
_LATEST = r":latest(@.*)?$"
_HOST = r"^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|localhost|[A-Za-z0-9.-]+:[0-9]+)(:[0-9]+)?/"
# Registries to which everybody can publish: their name says nothing about who made an image.
_OPEN = r"^((index\.|registry-1\.)?docker\.io|ghcr\.io|quay\.io|public\.ecr\.aws|ttl\.sh|registry\.gitlab\.com)/"


def _pinned(path: Path) -> Predicate:
    return Matches(path, _DIGEST, absent=True)


def _moving(path: Path) -> Predicate:
    """No tag, or latest, and no digest: another image tomorrow."""
    return All(Not(_pinned(path)), Either(Not(Matches(path, _TAG)), Matches(path, _LATEST)))


def _both(require: Predicate, of_volumes: Predicate) -> tuple[Check, ...]:
    """Of the images that run, and of those that are mounted as volumes."""
    return (
        Check(subject=CONTAINERS, at="image", require=require),
        Check(subject=VOLUMES, at="image.reference", require=of_volumes),
    )


def registry(*allowed: str) -> Rule:
    """The rule on registries.

    allowed: registries, or folders of one: "registry.example/shop". With any given, all other images are refused. With
        none, an image has to say its registry, and one to which everybody can publish counts only with a digest,
        which names a content somebody chose.
    """
    prefixes = "|".join(re.escape(prefix if prefix.endswith("/") else f"{prefix}/") for prefix in allowed)

    def require(path: Path) -> Predicate:
        if allowed:
            return Matches(path, f"^({prefixes})", absent=True)
        return Either(_pinned(path), All(Matches(path, _HOST), Not(Matches(path, _OPEN))))

    return Rule(
        id="image-registry",
        title="an image comes from an allowed registry",
        severity=Severity.MEDIUM,
        remedy=f"take it from {' or '.join(allowed)}" if allowed else "name your own registry, or pin the digest",
        controls=("img.registry",),
        references=("CIS 5.5.1", "NSA supply chain", "OWASP K02"),
        checks=_both(require("image"), require("image.reference")),
        good=pod(image=f"{allowed[0].rstrip('/')}/app:1.0" if allowed else IMAGE),
        bad=pod(image="docker.io/someone/app:1.0"),
    )


RULES = (
    Rule(
        id="image-tag",
        title="an image has a tag other than latest, or a digest",
        severity=Severity.MEDIUM,
        remedy="name the version, and better the digest",
        controls=("img.tag_latest",),
        references=("NSA supply chain", "OWASP K02"),
        checks=_both(Not(_moving("image")), Not(_moving("image.reference"))),
        good=pod(image="registry.example:5000/shop/app:1.0"),
        bad=pod(image="registry.example:5000/shop/app"),
    ),
    Rule(
        id="image-digest",
        title="an image is pinned by digest",
        severity=Severity.MEDIUM,
        remedy="append @sha256:... (`crane digest IMAGE` says it)",
        controls=("img.digest",),
        references=("CIS 5.5.1", "NSA supply chain", "OWASP K02"),
        checks=_both(_pinned("image"), _pinned("image.reference")),
        good=pod(),
        bad=pod(image="registry.example/app:1.0"),
    ),
    registry(),
    Rule(
        id="image-pull-policy",
        title="an image that is not pinned by digest is fetched at every start",
        severity=Severity.LOW,
        remedy="pin the digest, or write imagePullPolicy: Always",
        controls=("img.pull_always",),
        references=("CIS 1.2.11", "NSA supply chain", "OWASP K02"),
        checks=(
            Check(
                subject=CONTAINERS,
                at="imagePullPolicy",
                require=Either(
                    _pinned("image"),
                    Is("imagePullPolicy", ("Always",)),
                    All(Not(Present("imagePullPolicy")), _moving("image")),  # then it is the API server's default
                ),
            ),
        ),
        good=pod(image="registry.example/app:1.0", container="imagePullPolicy: Always"),
        bad=pod(image="registry.example/app:1.0", container="imagePullPolicy: IfNotPresent"),
        admission=False,
        why_not_admission="image-digest is what protects, and is enforced",
    ),
)

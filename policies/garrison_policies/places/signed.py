"""Only what is signed: the rule made of the images whose signatures were verified, for admission and the policy pack.

The API server cannot verify a signature and must not ask anybody who can (a webhook would stand in the path), so
the verification happens before: `garrison scan`, or `make up`, verifies with cosign and writes the list.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from garrison import verified
from garrison.findings import Severity
from garrison_policies.language.expr import Either, Is, Matches, Not, Predicate
from garrison_policies.language.expr import Path as Field
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS, VOLUMES
from garrison_policies.rules.examples import pod


def rule(images: Collection[str]) -> Rule:
    """Images from where our signed ones come from are among the signed ones.

    images: NAME@sha256:DIGEST of every image whose signature was verified. Where they come from is the folder of the
        registry: with "r.example/shop/orders@..." among them, any other image of "r.example/shop/" is refused.
    """
    listed = tuple(sorted(images))
    folders = "|".join(sorted({re.escape(image.rpartition("/")[0]) for image in listed}))

    def require(path: Field) -> Predicate:
        return Either(Not(Matches(path, f"^({folders})/[^/]*$")), Is(path, listed))

    return Rule(
        id="image-signature",
        title="an image of our own is one whose signature was verified",
        severity=Severity.CRITICAL,
        remedy="sign it and verify it (docs/scanning.md), then deploy its digest",
        controls=("img.signature",),
        references=("NSA supply chain", "SLSA build L2", "OWASP K02"),
        checks=(
            Check(subject=CONTAINERS, at="image", require=require("image")),
            Check(subject=VOLUMES, at="image.reference", require=require("image.reference")),
        ),
        good=pod(image=listed[0]),
        bad=pod(image=listed[0].partition("@")[0] + "@sha256:" + "0" * 64),
    )


def load(path: Path | None) -> tuple[Rule, ...]:
    """The rule made of a list of verified images; none where a stack names no list. Raises VerifiedError."""
    return () if path is None else (rule(verified.images(path)),)

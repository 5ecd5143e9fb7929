"""Only what is signed: the rule made of the images whose signatures were verified, for admission and the policy pack.

The API server cannot verify a signature and must not ask anybody who can (a webhook would stand in the path), so
the verification happens before: `garrison scan`, or `make up`, verifies with cosign and writes the list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from garrison.errors import Problem
from garrison.findings import Severity
from garrison_policies.exceptions.file import ExceptionsError
from garrison_policies.language.expr import Either, Is, Matches, Not, Predicate
from garrison_policies.language.expr import Path as Field
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import CONTAINERS, VOLUMES
from garrison_policies.rules.examples import pod

VARIABLE = "GARRISON_SIGNED_IMAGES"


def rule(verified: Collection[str]) -> Rule:
    """Images from where our signed ones come from are among the signed ones.

    verified: NAME@sha256:DIGEST of every image whose signature was verified. Where they come from is the folder of the
        registry: with "r.example/shop/orders@..." verified, any other image of "r.example/shop/" is refused.
    """
    images = tuple(sorted(verified))
    folders = "|".join(sorted({re.escape(image.rpartition("/")[0]) for image in images}))

    def require(path: Field) -> Predicate:
        return Either(Not(Matches(path, f"^({folders})/[^/]*$")), Is(path, images))

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
        good=pod(image=images[0]),
        bad=pod(image=images[0].partition("@")[0] + "@sha256:" + "0" * 64),
    )


def load(path: Path | None) -> tuple[Rule, ...]:
    """The rule made of a JSON list of verified images; none where a stack names no list.

    Raises ExceptionsError for a list that cannot be read or is empty: an empty one would let in whatever is unsigned.
    """
    if path is None:
        return ()
    try:
        found = json.loads(path.read_text())
        good = bool(found) and all(isinstance(image, str) and "@sha256:" in image for image in found)
    except (OSError, ValueError, TypeError):
        good = False
    if not good:
        raise ExceptionsError([Problem(str(path), "is no list of verified images", "verify the images again")])
    return (rule(found),)

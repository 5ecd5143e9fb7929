"""Shell scripts as far as rules must understand them: lines, commands, scanners."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Programs that read everything and are fed by feeds others write. Their word is needed, their rights are not:
# Trivy's own action was the way in of March 2026 (CVE-2026-33634), as tj-actions/changed-files was of March 2025.
SCANNERS = (
    "anchore", "bandit", "checkov", "clair-scanner", "conftest", "dependency-check", "detect-secrets",
    "docker scout", "dockle",
    "garrison scan", "gitleaks", "grype", "hadolint", "horusec", "kics", "kube-bench", "kube-hunter", "kube-linter",
    "kubeaudit", "kubescape", "npm audit", "nuclei", "osv-scanner", "pip-audit", "prowler", "semgrep", "snyk",
    "sonar-scanner", "syft", "terrascan", "tfsec", "trivy", "trufflehog", "zap-baseline.py", "ci/steps/scan",
)  # fmt: skip
_SCANNER = re.compile(
    r"(?:^|[\s;&|(/\"'])(" + "|".join(re.escape(name) for name in SCANNERS) + r")(?=[\s;:@\"')]|$)", re.MULTILINE
)
_COMMENT = re.compile(r"(?:^|\s)#.*$")


def lines(script: str) -> Iterator[str]:
    """The commands of a script, one a line: continued lines joined, comments left out."""
    for line in script.replace("\\\n", " ").splitlines():
        text = _COMMENT.sub("", line).strip()
        if text:
            yield text


def scanners(script: str) -> Iterator[str]:
    """The scanners that a script starts."""
    for line in lines(script):
        for found in _SCANNER.finditer(line):
            yield found[1]

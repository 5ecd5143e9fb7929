"""Public applications against a table of the edges that they really have: what an import finds, and what it cannot.

The tables (truth/*.tsv) are written by hand, from the applications' manifests and sources: caller, callee, protocol,
whether the manifests show it, and where, or why not. `outside:NAME` is what no workload of the documents is.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from garrison_import.evidence.edges import evidence
from garrison_import.operations import Operations
from garrison_import.plan.make import plan
from garrison_import.plan.parts import Plan
from garrison_import.plan.verdicts import verdicts
from garrison_import.read.documents import read
from garrison_import.read.world import world
from harness.paths import REPO

APPS = REPO.parent / "shared" / "apps"
TRUTH = Path(__file__).parent / "truth"
# application -> what is imported together, below its folder
PATHS: Mapping[str, Sequence[str]] = {
    "online-boutique": ("release",),
    "bank-of-anthos": ("kubernetes-manifests", "extras/cloudsql"),
    "sock-shop": ("deploy/kubernetes",),
    "aks-store-demo": ("aks-store-all-in-one.yaml", "ai-service.yaml"),
    "robot-shop": ("rendered.yaml", "K8s/load-deployment.yaml"),
    "spring-petclinic-cloud": ("k8s",),
}
NAMES = {
    "online-boutique": "Online Boutique",
    "bank-of-anthos": "Bank of Anthos",
    "sock-shop": "Sock Shop",
    "aks-store-demo": "AKS store demo",
    "robot-shop": "Robot Shop",
    "spring-petclinic-cloud": "Spring Petclinic Cloud",
}


@dataclass(frozen=True)
class Row:
    """One edge that there is. `protocol` is `open` where the manifests do not say it."""

    caller: str
    callee: str
    protocol: str
    found: bool
    evidence: str


def truth(app: str) -> list[Row]:
    with (TRUTH / f"{app}.tsv").open(encoding="utf-8") as table:
        rows = csv.DictReader(table, delimiter="\t")
        return [Row(r["caller"], r["callee"], r["protocol"], r["found"] == "yes", r["evidence"]) for r in rows]


def imported(paths: Sequence[str], name: str = "app", openapi: Sequence[str] = (), proto: Sequence[str] = ()) -> Plan:
    """What `garrison import` makes of files."""
    documents = read(paths)
    whole = world(documents, name)
    operations = Operations(openapi, proto, [work.ref.name for work in whole.workloads])
    return plan(name, whole, documents, evidence(whole), operations, verdicts(documents.objects))


def table() -> str:
    """The figures of the tables as docs/import.md has them."""
    lines = [
        "| application | edges | found | wrong | not found, and why |",
        "|---|---|---|---|---|",
    ]
    total, shown = 0, 0
    for app, name in NAMES.items():
        rows = truth(app)
        found = [row for row in rows if row.found]
        why = Counter(row.evidence for row in rows if not row.found)
        said = "; ".join(f"{count} {reason}" for reason, count in why.items())
        lines.append(f"| {name} | {len(rows)} | {len(found)} | 0 | {said or '-'} |")
        total, shown = total + len(rows), shown + len(found)
    lines.append(f"| together | {total} | {shown} | 0 | |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")

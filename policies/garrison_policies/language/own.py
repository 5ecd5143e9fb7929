"""Garrison's own rules: about what is checked and how, not about what one object says.

They have no predicate: the reader, the exceptions and the estate's comparison each find their own.
"""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.rule import Rule

UNREADABLE = Rule(
    id="unreadable-document",
    title="every document is a Kubernetes object that can be read in one way only",
    severity=Severity.HIGH,  # it may hold anything, and another reader may take it
    remedy="write one valid Kubernetes object, or keep the file out of the checked folder",
    controls=("garrison.unreadable",),
    references=("CWE-20",),
    good="{apiVersion: v1, kind: Namespace, metadata: {name: shop}}",
    bad="{kind: Namespace, kind: Pod}",
)
EXPIRED = Rule(
    id="exception-expired",
    title="no exception has outlived its last day",
    severity=Severity.HIGH,  # what it covered is open again, and somebody believes it is covered
    remedy="mend the object and remove the exception, or have its owner renew it with a reason",
    controls=("garrison.exception",),
    references=("NIST SP 800-53 CA-5",),
    good="",
    bad="",
)
MISSING = Rule(
    id="estate-missing",
    title="every object the graph derives is there",
    severity=Severity.CRITICAL,  # a protection that is not there protects nothing
    remedy="run `pulumi up`, and find out who removed it",
    controls=("garrison.estate",),
    references=("NIST SP 800-53 CM-3", "OWASP K08"),
    good="",
    bad="",
)
CHANGED = Rule(
    id="estate-changed",
    title="every object says what the graph derives, no less and no more",
    severity=Severity.HIGH,
    remedy="declare the change in the program, or run `pulumi up` to undo it",
    controls=("garrison.estate",),
    references=("NIST SP 800-53 CM-3", "OWASP K08"),
    good="",
    bad="",
)
EXTRA = Rule(
    id="estate-extra",
    title="nothing is in the estate's namespaces that the graph does not derive",
    severity=Severity.HIGH,
    remedy="declare it in the program, or delete it and find out who made it",
    controls=("garrison.estate",),
    references=("NIST SP 800-53 CM-7", "OWASP K08"),
    good="",
    bad="",
)
ESTATE = (MISSING, CHANGED, EXTRA)
RULES = (UNREADABLE, EXPIRED, *ESTATE)

"""Secrets: not in the manifest, and not in the environment. Which Secrets a pod uses is in secret_use.py."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Entries, Every, Is, Matches, Not, Present
from garrison_policies.language.rule import Check, Rule, Subject
from garrison_policies.language.subjects import CONTAINERS
from garrison_policies.rules.credentials import in_arguments, named_value
from garrison_policies.rules.examples import pod

_GUESS = "it is a guess by name and shape: a wrong one is looked at in review, at the door it would stop a deployment"
_TASTE = "many charts bring their credentials as Secrets; whoever has moved them out can refuse the rest"
_VARIABLE = "env:\n- name: DATABASE\n  valueFrom:\n    secretKeyRef: {name: database, key: url}"
_OBJECT = """\
apiVersion: v1
kind: Secret
metadata: {name: database, namespace: shop}
type: %s
stringData: {url: %s}
"""

_ENV = All(
    Every("env", Not(Present("valueFrom.secretKeyRef"))),
    Every("envFrom", Not(Present("secretRef"))),
)
# What is started in a container: itself, its probes and its hooks.
_COMMANDS = (
    "command",
    "args",
    *(f"{probe}Probe.exec.command" for probe in ("liveness", "readiness", "startup")),
    *(f"lifecycle.{hook}.exec.command" for hook in ("postStart", "preStop")),
)
# Helm writes its releases into Secrets, with everything that it rendered.
_BY_HELM = Is("type", ("helm.sh/release.v1",))
# No value stands there: it is empty, encrypted by SOPS, or a place for what something else fills in.
_NO_VALUE = Matches(
    "",
    r"^\s*$|^ENC\[[A-Z0-9_]+,data:[^\s\]]*\]\s*$|^\$\{[^}]*\}$|^<[^<>]*>$|^\{\{[^}]*\}\}$|^(vault:|ref\+[a-z0-9]+://)",
)
# A certificate or public key by itself, as text and in base64, is for everybody; a key behind it is not.
_PUBLIC = All(
    Matches("", r"^(-----BEGIN (CERTIFICATE|PUBLIC KEY)-----|LS0tLS1CRUdJTiB(DRVJUSUZJQ0FUR|QVUJMSUMgS0VZ))"),
    Not(Matches("", r"PRIVATE KEY|UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW")),
)

RULES = (
    Rule(
        id="secret-in-environment",
        title="no secret stands in an environment variable",
        severity=Severity.HIGH,
        remedy="read it from a file that the secret store's agent writes; a variable can name the file",
        controls=("secret.env_plaintext",),
        references=("CIS 5.4.1", "NSA authentication and authorization", "OWASP K08"),
        checks=(Check(subject=CONTAINERS, at="env", require=Every("env", Not(named_value("name", "value")))),),
        good=pod(container="env: [{name: PASSWORD_FILE, value: /run/secrets/password}]"),
        bad=pod(container="env: [{name: PASSWORD, value: hunter2}]"),
        admission=False,
        why_not_admission=_GUESS,
    ),
    Rule(
        id="secret-in-arguments",
        title="no secret stands in a command or its arguments, which everybody on the node can read",
        severity=Severity.HIGH,
        remedy="read it from a file that the secret store's agent writes; an option can name the file",
        controls=("secret.env_plaintext",),
        references=("CIS 5.4.1", "NSA authentication and authorization", "OWASP K08"),
        checks=tuple(Check(subject=CONTAINERS, at=name, require=Not(in_arguments(name))) for name in _COMMANDS),
        good=pod(container="args: [--token-file=/run/secrets/token]"),
        bad=pod(container="args: [--token=hunter2]"),
        admission=False,
        why_not_admission=_GUESS,
    ),
    Rule(
        id="secret-as-environment",
        title="a Secret is not copied into environment variables, which child processes and crash reports inherit",
        severity=Severity.MEDIUM,
        remedy="mount it as a file, or fetch it from the secret store",
        controls=("secret.env_from_secret",),
        references=("CIS 5.4.1", "NSA authentication and authorization", "OWASP K08"),
        checks=(Check(subject=CONTAINERS, at="env", require=_ENV),),
        good=pod(spec="volumes:\n- name: database\n  secret: {secretName: database}"),
        bad=pod(container=_VARIABLE),
        admission=False,
        why_not_admission=_TASTE,
    ),
    Rule(
        id="secret-in-manifest",
        title="no Secret stands in a file with its values: base64 hides nothing, and the file's history keeps it",
        severity=Severity.MEDIUM,
        remedy="keep the value in the secret store, and only its path here",
        controls=("secret.external_store",),
        references=("CIS 5.4.2", "OWASP K08"),
        checks=tuple(
            Check(
                subject=Subject(kinds=("Secret",)),
                at=name,
                require=Either(_BY_HELM, Entries(name, "", Either(_NO_VALUE, _PUBLIC))),
            )
            for name in ("data", "stringData")
        ),
        good=_OBJECT % ("helm.sh/release.v1", "x"),
        bad=_OBJECT % ("Opaque", "postgres://shop"),
        admission=False,
        why_not_admission="on a live cluster it may come from the store; in a file it cannot",
    ),
)

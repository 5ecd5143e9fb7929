"""Who signs certificates: cert-manager's own kinds, or an external issuer's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

from garrison.cluster.words import is_name
from garrison.errors import Problem
from garrison.words import Ref, resource_of

GROUP: Final = "cert-manager.io"
KIND: Final = "ClusterIssuer"
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """An issuer by name, kind and group, as an `issuerRef` says it."""

    name: str
    kind: str = KIND
    group: str = GROUP
    account: str | None = None
    """Who signs for it, where cert-manager itself does not: its controller's service account, `namespace/name`."""

    @classmethod
    def of(cls, said: Issuer | str) -> Issuer:
        """An issuer; a name alone is that of a ClusterIssuer of cert-manager."""
        return Issuer(name=said) if isinstance(said, str) else said

    @classmethod
    def read(cls, said: dict[str, Any]) -> Self:
        """From JSON, whose fields are known; what does not fit is left for `problems` to tell."""
        return cls(**{"name": None, **said})

    def __str__(self) -> str:
        return f"{self.kind}.{self.group}/{self.name}"

    @property
    def external(self) -> bool:
        """Whether somebody else's controller signs, and not cert-manager."""
        return self.group != GROUP

    @property
    def everywhere(self) -> bool:
        """Whether every namespace may ask it: cert-manager's and external kinds then say Cluster in their name."""
        return "Cluster" in self.kind

    @property
    def reference(self) -> dict[str, str]:
        """The `issuerRef` of a Certificate."""
        return {"group": self.group, "kind": self.kind, "name": self.name}

    @property
    def resource(self) -> str:
        """The kind as the API server's paths have it, by the convention of Kubernetes; `standing` checks it."""
        return resource_of(self.kind)

    def signer(self, namespace: str = "") -> str:
        """What RBAC calls it where requests are approved; a namespaced one together with where it is."""
        name = self.name if self.everywhere else f"{namespace}.{self.name}"
        return f"{self.resource}.{self.group}/{name}"


def problems(where: str, said: Any, *, identities: bool) -> Iterator[Problem]:
    """What is wrong with an issuer; that of identities signs in every namespace, and its signer is known."""
    issuer = Issuer.of(said) if isinstance(said, str) else said
    if not isinstance(issuer, Issuer) or not is_name(issuer.name):
        name = issuer.name if isinstance(issuer, Issuer) else said
        yield Problem(where, f"{name!r} is not a Kubernetes name", "use lower case letters, digits, '-' and '.'")
    elif not (isinstance(issuer.kind, str) and _KIND.fullmatch(issuer.kind)):
        yield Problem(where, f"{issuer.kind!r} is not a kind", "write it as its manifest does, such as ClusterIssuer")
    elif not is_name(issuer.group) or "." not in issuer.group:
        yield Problem(where, f"{issuer.group!r} is not an API group", "use one such as awspca.cert-manager.io")
    elif not issuer.external and issuer.kind not in ("Issuer", KIND):
        yield Problem(where, f"{GROUP} has no kind {issuer.kind}", "name the group of its manifest's apiVersion")
    elif identities:
        yield from _of_identities(where, issuer)
    elif issuer.account is not None:
        yield Problem(where, "an account, where no identity is signed", "leave it out")


def _of_identities(where: str, issuer: Issuer) -> Iterator[Problem]:
    if not issuer.everywhere:
        what = f"{issuer.kind} signs for its own namespace, and identities are in every one of the estate"
        yield Problem(where, what, "name the kind that the whole cluster may ask, such as ClusterIssuer")
    elif issuer.external and not _is_account(issuer.account):
        remedy = 'name its controller\'s service account, such as "account": "aws-pca/aws-privateca-issuer"'
        yield Problem(where, f"nobody says who signs for {issuer}", remedy)
    elif not issuer.external and issuer.account is not None:
        yield Problem(where, "an account, where cert-manager itself signs", "leave it out")


def _is_account(said: Any) -> bool:
    try:
        ref = Ref.parse(said) if isinstance(said, str) else None
    except ValueError:
        return False
    return ref is not None and is_name(ref.namespace) and is_name(ref.name)

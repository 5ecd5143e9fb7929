"""kubectl as a function: whatever kubeconfig, context and log-in plugin the user has, it works the same here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from garrison import kube
from garrison.manifest import Manifest
from garrison.prove.model import ProveError

MANAGER = "garrison-probe"
HOME = "kube-system"  # of what a run keeps on the cluster for other runs: no workload and no team writes there
PATIENCE = 120.0
WHOLE = ("--output=json", "--show-managed-fields")  # who applied an object is what a drill must put back, too


@dataclass(frozen=True)
class Kubectl:
    """A cluster, as kubectl finds it."""

    context: str | None = None
    kubeconfig: str | None = None

    @property
    def options(self) -> list[str]:
        """Which cluster, in the words of kubectl and of `garrison prove`."""
        return [f"--{k}={v}" for k, v in (("context", self.context), ("kubeconfig", self.kubeconfig)) if v]

    def run(self, *args: str, stdin: str | None = None, timeout: float = PATIENCE) -> str:
        """Standard output; ProveError with kubectl's own last words when it fails."""
        code, out, err = self.attempt(*args, stdin=stdin, timeout=timeout)
        if code:
            raise ProveError(f"kubectl {' '.join(args[:3])}: {kube.last_line(err) or f'exit code {code}'}")
        return out

    def attempt(self, *args: str, stdin: str | None = None, timeout: float = PATIENCE) -> tuple[int, str, str]:
        """Exit code, standard output and standard error, for callers to whom a failure is an answer."""
        try:
            return kube.attempt([*self.options, *args], stdin=stdin, timeout=timeout)
        except kube.KubectlError as error:
            raise ProveError(str(error)) from error

    def items(self, kind: str, *, namespace: str = "", selector: str = "") -> list[Manifest]:
        """Live objects of a kind, in one namespace or in all."""
        where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
        which = ["--selector", selector] if selector else []
        found: list[Manifest] = json.loads(self.run("get", kind, *where, *which, *WHOLE))["items"]
        return found

    def get(self, kind: str, name: str, namespace: str = "") -> Manifest:
        where = ["--namespace", namespace] if namespace else []
        found: Manifest = json.loads(self.run("get", kind, name, *where, *WHOLE))
        return found

    def find(self, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """The object, or None where there is none; ProveError when that cannot be known."""
        where = ["--namespace", namespace] if namespace else []
        text = self.run("get", kind, name, *where, "--ignore-not-found", *WHOLE)
        found: Manifest | None = json.loads(text) if text.strip() else None
        return found

    def apply(self, manifests: Iterable[Manifest], *, manager: str = MANAGER, whole: bool = True) -> None:
        """Server-side, so that fields of other managers stay as they are.

        whole: False for a part of an object, which kubectl's own schema would miss fields in; the API server judges.
        """
        if text := as_list(manifests):
            flags = [] if whole else ["--validate=ignore"]
            flags += ["--server-side", "--force-conflicts", f"--field-manager={manager}", "--filename=-"]
            self.run("apply", *flags, stdin=text)

    def delete(self, *args: str) -> None:
        """Until it is gone."""
        self.run("delete", *args, "--ignore-not-found", f"--timeout={PATIENCE:.0f}s", timeout=PATIENCE + 10)


def as_list(manifests: Iterable[Manifest]) -> str:
    """Manifests as one JSON list for kubectl's standard input; empty for none."""
    items: list[Any] = list(manifests)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}) if items else ""

"""No drill opens a cluster that nobody meant, or one that does not say of itself that it may be opened."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from garrison import kube
from garrison.prove.drill import consent
from garrison.prove.kubectl import HOME, Kubectl
from garrison.prove.model import ProveError


class Named:
    """A cluster that answers what the question is made of."""

    def __init__(self, **labels: str) -> None:
        self.labels = labels

    def __call__(
        self, arguments: Sequence[str], *, stdin: str | None = None, timeout: float = 0
    ) -> tuple[int, str, str]:
        if arguments[0] == "config":
            cluster = {"name": "testbed", "cluster": {"server": "https://192.0.2.1:6443"}}
            return 0, json.dumps({"contexts": [{"name": "me@testbed"}], "clusters": [cluster]}), ""
        assert list(arguments[:3]) == ["get", "namespace", HOME]
        return 0, json.dumps({"metadata": {"name": HOME, "labels": self.labels}}), ""


GOOD = {consent.LABEL: consent.ALLOWED}


def ask(monkeypatch: pytest.MonkeyPatch, labels: dict[str, str], meant: str | None, typed: str | None = None, *,
        unlabelled: bool = False) -> None:  # fmt: skip
    monkeypatch.setattr(kube, "attempt", Named(**labels))
    read = (lambda: f"{typed}\n") if typed is not None else None
    consent.ask(Kubectl(), "shop", meant, unlabelled=unlabelled, read=read)


def test_a_person_is_told_what_will_be_opened_and_types_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(monkeypatch, GOOD, None, "testbed")
    told = capsys.readouterr().err
    assert all(word in told for word in ("App shop", "me@testbed", "https://192.0.2.1:6443", "testbed"))


@pytest.mark.parametrize("typed", ["", "y", "yes", "production", "TESTBED"])
def test_anything_else_changes_nothing(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    with pytest.raises(ProveError, match="nothing was changed"):
        ask(monkeypatch, GOOD, None, typed)


def test_a_script_names_the_cluster_and_another_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, GOOD, "testbed")
    with pytest.raises(ProveError, match="'production' is not 'testbed'"):
        ask(monkeypatch, GOOD, "production")
    with pytest.raises(ProveError, match="--yes-open testbed"):
        ask(monkeypatch, GOOD, None)


@pytest.mark.parametrize("labels", [{}, {consent.LABEL: "no"}, {consent.LABEL: ""}])
def test_a_cluster_without_the_label_is_not_opened_unless_told(
    monkeypatch: pytest.MonkeyPatch, labels: dict[str, str]
) -> None:
    for meant, typed in (("testbed", None), (None, "testbed")):
        with pytest.raises(ProveError, match=r"not labelled for drills.*kubectl label namespace kube-system"):
            ask(monkeypatch, labels, meant, typed)
        ask(monkeypatch, labels, meant, typed, unlabelled=True)

"""A proof begins when every pod of the edge has taken what its ConfigMap says, as its agent tells."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison import defaults as d
from garrison.derive.edge.names import STATE
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import entrance

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def line(outcome: str, state: str) -> str:
    return json.dumps({"event": "reload" if outcome == "taken" else "alert", "outcome": outcome, "state": state})


class Fake(Kubectl):
    """Two pods of the edge; each look at a log is the next of `logs`, and the last one stays."""

    logs: dict[str, list[list[str]]]

    def get(self, kind: str, name: str, namespace: str = "") -> Any:
        assert (kind, name, namespace) == ("configmap", "edge-dynamic", "edge")
        return {"data": {STATE: "new"}}

    def items(self, kind: str, *, namespace: str = "", selector: str = "") -> Any:
        labels = {d.NAME: "edge"}
        return [{"metadata": {"name": name, "labels": labels}, "status": READY} for name in self.logs]

    def run(self, *args: str, stdin: str | None = None, timeout: float = 0) -> str:
        looks = self.logs[args[1]]
        return "\n".join(looks.pop(0) if len(looks) > 1 else looks[0])


def asked(**logs: list[list[str]]) -> list[str]:
    kubectl, said = Fake(), list[str]()
    object.__setattr__(kubectl, "logs", logs)
    entrance.in_force(kubectl, said.append, patience=0.05)
    return said


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "PAUSE", 0.001)


OLD, NEW, REFUSED = line("taken", "old"), line("taken", "new"), line("refused", "new")


def test_it_waits_for_the_last_of_them_and_says_so_once() -> None:
    assert asked(one=[[OLD, NEW]], two=[[OLD], [OLD], [OLD, NEW]]) == ["waiting until the edge has taken its routes"]


def test_it_waits_for_nothing_where_all_is_in_force() -> None:
    assert asked(one=[[OLD, NEW, '{"event": "decision"}']]) == []


@pytest.mark.parametrize("log", [[OLD], [REFUSED], [NEW, OLD], []])
def test_what_is_not_taken_is_named_and_keeps_nobody(log: list[str]) -> None:
    assert "one: has not said within" in asked(one=[log])[-1]

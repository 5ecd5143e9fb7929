"""Two operators exclude each other, a killed one does not for long, and none of them needs the other's clock."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from garrison import kube
from garrison.prove.kubectl import HOME, Kubectl
from garrison.prove.look.lease import NAME, SECONDS, Holder, LostError, held
from garrison.prove.model import ProveError
from unit.prove.fakekube import FakeKube


@dataclass
class Two:
    kube: FakeKube
    said: list[str] = field(default_factory=list)

    def run(self, name: str, dead: str = "") -> Holder:
        return Holder(Kubectl(), name, self.said.append, dead)

    def holder(self) -> str:
        return str(self.kube.objects["lease", HOME, NAME]["spec"]["holderIdentity"])


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Two:
    cluster = FakeKube()
    monkeypatch.setattr(kube, "attempt", cluster)
    return Two(cluster)


def test_the_second_of_two_is_refused_and_told_who_is_at_work(two: Two) -> None:
    with held(two.run("first")):
        with pytest.raises(
            ProveError, match=r"another run .* run first; .* until its Lease kube-system/garrison-prove"
        ):
            two.run("second").acquire()
        assert two.holder().endswith("run first")
    with held(two.run("second")):
        assert two.holder().endswith("run second"), "control: given back, it can be had"
    assert two.said == []


def test_of_two_that_saw_the_same_only_one_wins(two: Two) -> None:
    with held(two.run("before")):
        pass
    second = two.run("second")
    stale = second._read()
    assert stale is not None
    two.run("first").acquire()
    with pytest.raises(ProveError, match="has just started"):
        second._write("replace", stale)
    assert two.holder().endswith("run first")


def test_a_killed_run_blocks_no_longer_than_its_lease_and_the_takeover_is_said(two: Two) -> None:
    two.run("killed").acquire()
    two.kube.now += SECONDS - 5
    with pytest.raises(ProveError, match="another run"):
        two.run("next").acquire()
    two.kube.now += 10
    two.run("next").acquire()
    assert two.holder().endswith("run next")
    assert "taking over from a run that was killed" in two.said[0]
    assert "run killed" in two.said[0]


def test_the_dead_run_of_this_machine_blocks_nobody(two: Two) -> None:
    two.run("killed").acquire()
    two.run("next", dead="killed").acquire()
    assert two.holder().endswith("run next")
    with pytest.raises(ProveError, match="another run"):
        two.run("other", dead="killed").acquire()


def test_a_clock_that_is_wrong_takes_nothing_over(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.run("first").acquire()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 7 * 24 * 3600)
    with pytest.raises(ProveError, match="another run"):
        two.run("a machine a week ahead").acquire()


def test_a_run_that_is_at_work_renews(two: Two) -> None:
    with held(two.run("long"), every=0.01):
        before = two.kube.version
        deadline = time.monotonic() + 10
        while two.kube.version < before + 3:
            assert time.monotonic() < deadline, "it does not renew"
            time.sleep(0.01)


def test_a_run_that_lost_its_lease_stops_and_proves_nothing(two: Two) -> None:
    with (
        pytest.raises(LostError, match="taken over by root at another machine.*proves nothing"),
        held(two.run("first"), every=0.01),
    ):
        other = two.kube.objects["lease", HOME, NAME]
        other["spec"]["holderIdentity"] = "root at another machine"
        two.kube.put(other)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:  # until it is interrupted
            time.sleep(0.01)
    assert two.holder() == "root at another machine", "what is another's is not given back"


@pytest.mark.parametrize("verb", ["get", "create"])
def test_a_cluster_that_does_not_answer_is_nobodys(two: Two, verb: str) -> None:
    two.kube.broken = lambda arguments: verb in arguments
    with pytest.raises(ProveError, match="TLS handshake timeout"):
        two.run("first").acquire()

"""The Lease on a real API server: its times, its versions, and one winner of two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from garrison.prove.kubectl import HOME, Kubectl
from garrison.prove.look.lease import NAME, SECONDS, Holder, LostError, held
from garrison.prove.model import ProveError
from harness.build import binary
from harness.plugin.testing.apiserver import ControlPlane

pytest_plugins = ["harness.plugin.testing.fixtures"]


@pytest.fixture
def kubectl(plane: ControlPlane) -> Iterator[Kubectl]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{binary('kubectl').parent}{os.pathsep}{os.environ['PATH']}")
        found = Kubectl(kubeconfig=str(plane.kubeconfig))
        found.delete("lease", NAME, f"--namespace={HOME}")
        yield found


def holder(kubectl: Kubectl, run: str, said: list[str] | None = None) -> Holder:
    return Holder(kubectl, run, (said if said is not None else []).append)


def test_a_second_run_is_refused_and_a_later_one_is_not(kubectl: Kubectl) -> None:
    with held(holder(kubectl, "first")):
        with pytest.raises(ProveError, match="run first"):
            holder(kubectl, "second").acquire()
        lease = kubectl.get("lease", NAME, HOME)
        assert lease["spec"]["leaseDurationSeconds"] == SECONDS
    with held(holder(kubectl, "second")):
        pass
    assert kubectl.get("lease", NAME, HOME)["spec"].get("holderIdentity", "") == ""


def test_of_runs_that_start_together_one_wins(kubectl: Kubectl) -> None:
    def try_it(name: str) -> str:
        try:
            holder(kubectl, name).acquire()
        except ProveError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(max_workers=4) as pool:
        told = list(pool.map(try_it, "abcd"))
    assert told.count("") == 1
    assert all("another run" in text for text in told if text)


def test_a_lease_that_ended_is_taken_over_and_its_late_holder_told(kubectl: Kubectl) -> None:
    killed, said = holder(kubectl, "killed"), list[str]()
    killed.acquire()
    kubectl.run("patch", "lease", NAME, f"--namespace={HOME}", "--type=merge", "--patch", OLD)
    holder(kubectl, "next", said).acquire()
    assert "taking over from a run that was killed" in said[0]
    with pytest.raises(LostError, match="run next"):
        killed.renew()
    killed.release()
    assert kubectl.get("lease", NAME, HOME)["spec"]["holderIdentity"].endswith("run next")


OLD = '{"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}}'

"""`garrison doctor` on the cluster under test: what it reads is so, what it measures is a verdict, nothing is left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from cluster.estate import ready
from cluster.live import KUBECONFIG, eventually, get, kubectl, nodes
from cluster.proving import started
from garrison.cluster import Dns
from garrison.doctor.enforcement import LABEL
from garrison.settings import cluster_of

COMMAND = [sys.executable, "-m", "garrison", "doctor", f"--kubeconfig={KUBECONFIG}"]


def start(*arguments: str) -> subprocess.Popen[str]:
    return started(*COMMAND, *arguments)


def doctor(*arguments: str) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


@cache
def measured() -> tuple[int, dict[str, Any], str]:
    """One measurement, which several tests look at."""
    ready()
    code, out, err = doctor("--live", "--format=json")
    assert code in (0, 1), err
    return code, json.loads(out), err


def left() -> str:
    return kubectl("get", "namespaces", "-l", LABEL, "-o", "name")


def test_it_finds_what_is_there_and_nothing_in_the_way() -> None:
    ready()
    code, out, err = doctor("--format=json")
    assert code == 0, (out, err)
    facts = json.loads(out)["facts"]
    internal = {
        a["address"] for n in get("nodes")["items"] for a in n["status"]["addresses"] if a["type"] == "InternalIP"
    }
    assert set(facts["nodes"]) == internal and len(nodes()) <= len(internal)
    assert internal & set(facts["api_server"]), "the API server is on a node here"
    assert get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"] in facts["api_server"]
    assert facts["garrisons"] and "garrison" in facts["issuers"] and facts["bundle"]
    assert facts["networks"] == ["kube-router"]


def test_the_settings_it_proposes_are_a_stacks_file(tmp_path: Path) -> None:
    ready()
    code, out, err = doctor("--format=settings")
    assert code == 0, err
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(out)
    there = cluster_of(file)
    assert there.api_server and there.dns == Dns()
    assert there.system_namespaces == ("local-path-storage",)


def test_the_cluster_enforces_network_policies_both_ways() -> None:
    code, found, err = measured()
    print(found["measured"])
    assert found["verdict"] == "both", err
    taken = found["measured"]
    assert 0 <= taken["ingress_ms"] < 30_000 and 0 <= taken["egress_ms"] < 30_000
    windows = taken["new_egress_ms"], taken["new_ingress_ms"]
    assert all(isinstance(one, int) and one < 9_000 for one in windows), "a new pod is closed before it is given up on"
    assert code == int(any(windows))


def test_nothing_is_left_of_it() -> None:
    measured()
    assert left() == ""


def test_who_interrupts_it_leaves_nothing() -> None:
    ready()
    process = start("--live")
    eventually(lambda: left() != "", "its namespace is there")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130, err
    assert left() == ""

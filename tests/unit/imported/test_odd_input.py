"""Documents that nobody vetted: an import ends with a program that is Python, or with one clear error."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from garrison_import.evidence.addresses import in_command, in_file, in_value
from garrison_import.program import lock, program
from garrison_import.read.documents import ImportingError
from garrison_import.report import FORMATS, report
from unit.imported.manifests import SHOP, configmap, planned, service, workload
from unit.imported.measure import imported

NAMES = (
    "name env envFrom value valueFrom secretKeyRef configMapKeyRef fieldRef fieldPath key ports containerPort port"
    " httpGet path exec command volumeMounts mountPath subPath volumes configMap emptyDir secret items matchLabels"
    " podSelector from to selector targetPort resources requests limits cpu memory runAsUser"
)
KEYS = NAMES.split()
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 70_000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["cart", "cart:7070", "http://redis:6379/$(A)", "$(A)$$(A)", "{host}", "a\nb", "\"'\\", "#", ""]),
    st.text(max_size=12),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), inner, max_size=5)
    ),
    max_leaves=20,
)
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def whole(*objects: Any) -> str:
    """All that an import of these says; empty where it was refused."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "odd.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
        try:
            made = imported([str(file)], "odd")
        except ImportingError as error:
            assert all(str(problem) == " ".join(str(problem).split()) for problem in error.problems), "one line each"
            return ""
        text = program(made, lock_beside=False)
        ast.parse(text)
        return text + lock(made) + "".join(report(made, form) for form in FORMATS)


@quick
@given(TREES, TREES)
def test_a_pod_of_any_shape(container: Any, pod: Any) -> None:
    odd = workload("odd")
    spec = odd["spec"]["template"]["spec"]
    if isinstance(container, dict):
        spec["containers"][0] |= container
    if isinstance(pod, dict):
        spec |= {key: value for key, value in pod.items() if key != "containers"}
    whole(odd, *SHOP)


@quick
@given(
    st.sampled_from(["Service", "NetworkPolicy", "ConfigMap", "Secret", "HorizontalPodAutoscaler", "Job", "Pod"]), TREES
)
def test_any_object_beside_it(kind: str, body: Any) -> None:
    api = {"NetworkPolicy": "networking.k8s.io/v1", "HorizontalPodAutoscaler": "autoscaling/v2", "Job": "batch/v1"}
    odd = {"apiVersion": api.get(kind, "v1"), "kind": kind, "metadata": {"name": "odd"}, "spec": body, "data": body}
    whole(workload("web", envFrom=[{"configMapRef": {"name": "odd"}}]), *SHOP, odd)


@quick
@given(st.text(min_size=1, max_size=30), st.text(max_size=60))
def test_any_name_and_any_value(name: str, value: str) -> None:
    text = configmap("c", **{"file.txt": value})
    pod = {"volumes": [{"name": "c", "configMap": {"name": "c"}}]}
    mounts = [{"name": "c", "mountPath": "/etc/odd"}]
    odd = workload("odd", pod=pod, volumeMounts=mounts, env=[{"name": name, "value": value}], args=[value])
    whole(odd, service("odd"), text)


@quick
@given(st.text(alphabet="acrt:/.-@,0123456789$(){}=;#\"' \nhost", max_size=200))
def test_addresses_stand_where_they_say(text: str) -> None:
    for found in (in_value("URL", text), in_file(text), in_command([text])):
        ends = [0]
        for one in found:
            assert text[one.start :].startswith(one.host)
            assert ends[-1] <= one.start < one.end <= len(text)
            ends.append(one.end)


def test_long_texts_take_no_long_time() -> None:
    """Each is much of what a pattern could try in many ways: minutes where one is not linear."""
    for piece in ("a", "a.", "a:", "a-", "http://a,", "a=", "-h ", "nslookup ", "echo '", "ping -c 1 ", "a: a\n"):
        text = piece * (200_000 // len(piece))
        in_value("URL", text)
        in_file(text)
        in_command([text])


def test_a_secret_in_any_place_is_in_none_of_it() -> None:
    secret = "s3cr3t-value-1234"
    places = [
        workload("a", env=[{"name": "API_TOKEN", "value": secret}]),
        workload("b", args=[f"--token={secret}"]),
        workload("c", command=["sh", "-c", f"DB_PASSWORD={secret} app"]),
        workload("d", env=[{"name": "DSN", "value": f"postgres://u:{secret}@redis:6379/x"}]),
        workload("e", envFrom=[{"configMapRef": {"name": "conf"}}]),
        configmap("conf", DB_PASSWORD=secret),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": secret}},
    ]
    text = whole(*places, *SHOP)
    assert text
    assert secret not in text


def test_many_workloads(tmp_path: Path) -> None:
    chain = [workload(f"s{n}", env=[{"name": "NEXT", "value": f"s{n + 1}:80"}]) for n in range(300)]
    made = planned(tmp_path, *chain, *(service(f"s{n}") for n in range(300)))
    assert len(made.lines) == 299

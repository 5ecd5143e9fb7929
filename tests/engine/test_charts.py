"""Charts from a repository and a registry: taken as pinned and refused otherwise; values of one's own under ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.chart_places import Place, serving
from garrison.deployment.platform import certificates, charts, own_values
from garrison.deployment.platform.helm import ChartError
from garrison.manifest import Manifest
from garrison.settings import SettingsError, parse
from garrison.settings.charts import Charts, Reference
from harness import build

CHART, TRUST = certificates.CERT_MANAGER, certificates.TRUST_MANAGER
VERSION = "v0.25.0"


@pytest.fixture(scope="module")
def folder() -> Path:
    """The charts, looked up where the harness keeps them."""
    return build.obtain("charts")


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> None:
    """helm, and a cache of the test's own."""
    monkeypatch.setenv("PATH", f"{build.binary('helm').parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"HELM_{name}_HOME", str(tmp_path / "helm" / name))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> bytes:
    """trust-manager, the smaller one, as `helm package` makes it."""
    made_in, source = tmp_path_factory.mktemp("packed"), str(folder / "trust-manager")
    command = [str(build.binary("helm")), "package", source, "--version", VERSION, "--destination", str(made_in)]
    subprocess.run(command, check=True, capture_output=True)
    (made,) = made_in.glob("*.tgz")
    return made.read_bytes()


@pytest.fixture
def place() -> Iterator[Place]:
    with serving() as made:
        yield made


def said(place: Place, kind: str, archive: bytes, **changed: str) -> Charts:
    """The setting, read as a stack's file would have it."""
    if kind == "registry":
        pin = changed.get("digest") or place.registry("trust-manager", VERSION, archive)
        word: Any = f"oci://127.0.0.1:{place.port}/charts/trust-manager@{pin}"
    else:
        pin = place.repository("trust-manager", VERSION, archive)
        word = {"repository": f"http://127.0.0.1:{place.port}", "version": VERSION, "digest": pin, **changed}
    found = parse({"charts": json.dumps({"trust-manager": word}), "installCertManager": "false", "issuer": "x"}, {})
    assert isinstance(found.charts, Charts)
    return found.charts


@pytest.mark.parametrize("kind", ["registry", "repository"])
def test_a_chart_that_is_fetched_is_the_one_of_the_folder_and_fetched_once(
    kind: str, place: Place, archive: bytes, folder: Path
) -> None:
    where = said(place, kind, archive)
    found = charts.render(TRUST, where)
    assert _plain(found, folder) == _plain(charts.render(TRUST, folder), folder)
    place.answers.clear()
    asked = len(place.asked)
    assert charts.render(TRUST, where) == found, "from the cache"
    assert len(place.asked) == asked > 0


def _plain(items: list[Manifest], folder: Path) -> str:
    """Without the version that `helm package` wrote into labels."""
    text = json.dumps(items)
    version = yaml.safe_load((folder / "trust-manager" / "Chart.yaml").read_text())
    return text.replace(version["version"], "V").replace(VERSION, "V").replace(version["appVersion"], "V")


@pytest.mark.parametrize("kind", ["registry", "repository"])
def test_another_chart_under_the_same_name_is_refused_and_not_kept(
    kind: str, place: Place, archive: bytes, tmp_path: Path
) -> None:
    where = said(place, kind, archive)
    honest = dict(place.answers)
    forged = {path: (media, body[:-1] + b"\0") for path, (media, body) in honest.items() if "manifests" in path}
    tgz = {path: (media, body + b"\0") for path, (media, body) in honest.items() if body == archive}
    for changed in filter(None, (forged, tgz)):
        place.answers.update(changed)
        with pytest.raises(ChartError, match="trust-manager"):
            charts.render(TRUST, where)
        assert list((tmp_path / "cache").rglob("*.tgz")) == []
        place.answers.update(honest)
    assert charts.render(TRUST, where), "the control"


def test_an_archive_that_changed_in_the_cache_is_fetched_again(place: Place, archive: bytes, tmp_path: Path) -> None:
    where = said(place, "repository", archive)
    found = charts.render(TRUST, where)
    (kept,) = (tmp_path / "cache").rglob("*.tgz")
    kept.write_bytes(b"something else")
    assert charts.render(TRUST, where) == found


def test_a_place_that_does_not_answer_is_one_line(place: Place, archive: bytes) -> None:
    where = said(place, "repository", archive, repository="http://127.0.0.1:9")
    with pytest.raises(ChartError) as error:
        charts.render(TRUST, where)
    assert str(error.value).startswith("helm could not fetch the chart trust-manager of http://127.0.0.1:9: ")
    assert "\n" not in str(error.value)


PIN = "sha256:" + "0" * 64
GOOD = {"repository": "https://charts.example", "version": "v1.2.3", "digest": PIN}


def test_each_way_of_saying_where(tmp_path: Path) -> None:
    for name in ("cert-manager", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Chart.yaml").touch()
    words = {"cert-manager": str(tmp_path / "mine"), "trust-manager": f"oci://r.example/jetstack/trust-manager@{PIN}"}
    found = parse({"charts": json.dumps(words)}, {})
    reference = Reference(repository="oci://r.example/jetstack/trust-manager", digest=PIN)
    assert found.charts == Charts((("cert-manager", tmp_path / "mine"), ("trust-manager", reference)))
    only = {"installCertManager": "false", "issuer": "x"}
    found = parse({**only, "charts": json.dumps({"trust-manager": GOOD})}, {})
    assert found.charts == Charts((("trust-manager", Reference(**GOOD)),))


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("oci://r.example/trust-manager:v0.25.0", "pin it by digest"),
        ("oci://r.example/trust-manager@sha256:00", "pin it by digest"),
        (GOOD | {"digest": ""}, "pin it by digest"),
        (GOOD | {"version": "latest"}, "'latest' is not a version"),
        (GOOD | {"repository": "http://charts.example"}, "plain http is refused"),
        (GOOD | {"repository": "https://user:pass@charts.example"}, "without a user"),
        (GOOD | {"repository": "file:///x"}, "write https://HOST/PATH"),
        (GOOD | {"repository": "oci://r.example/x"}, "leave the version out"),
        ({"repository": "https://charts.example"}, "a repository has repository, digest, version"),
        (7, "write a folder, or oci://"),
        ("/nowhere", "there is no such folder"),
    ],
)
def test_what_is_not_pinned_or_not_safe_is_refused(word: Any, says: str) -> None:
    values = {"charts": json.dumps({"trust-manager": word}), "installCertManager": "false", "issuer": "x"}
    with pytest.raises(SettingsError, match=says):
        parse(values, {})


@pytest.mark.parametrize(
    ("text", "says"), [('{"certmanager": "x"}', "did you mean 'cert-manager'"), ("{", "write a folder, or an object")]
)
def test_what_is_no_chart_is_refused(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse({"charts": text}, {})


# --- values of one's own ---------------------------------------------------------------------------------------------


ROLE = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: eve}, rules: []}"


def own(home: Path, **values: Any) -> Path:
    file = home / "own.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def test_values_of_ones_own_say_where_pods_run(tmp_path: Path, folder: Path) -> None:
    values: dict[str, Any] = {
        "nodeSelector": {"pool": "platform"},
        "replicaCount": 2,
        "image": {"repository": "registry.example/cert-manager"},
        "webhook": {"replicaCount": 3},
        "crds": {"enabled": True},  # as Garrison needs it
        "extraArgs": ["--logging-format=json"],
    }
    made = charts.render(CHART, folder, own(tmp_path, **values))
    pods = {item["metadata"]["name"]: item["spec"] for item in made if item["kind"] == "Deployment"}
    assert pods["cert-manager"]["template"]["spec"]["nodeSelector"]["pool"] == "platform"
    assert (pods["cert-manager"]["replicas"], pods["cert-manager-webhook"]["replicas"]) == (2, 3)
    (program,) = pods["cert-manager"]["template"]["spec"]["containers"]
    assert program["image"].startswith("registry.example/cert-manager:")
    assert "--enable-certificate-owner-ref=true" in program["args"]
    assert program["resources"]["limits"] == certificates.BOUNDS["limits"], "and what Garrison says stays"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"crds": {"keep": True}}, "cert-manager: crds.keep is True, and Garrison needs False"),
        ({"crds": True}, "cert-manager: crds is True, and Garrison needs {"),
        ({"global": {"rbac": {"aggregateClusterRoles": True}}}, "global.rbac.aggregateClusterRoles is True"),
        ({"approveSignerNames": ["*"]}, r"approveSignerNames is \['\*'\], and Garrison needs \['clusterissuers"),
        ({"enableCertificateOwnerRef": False}, "enableCertificateOwnerRef is False, and Garrison needs True"),
        ({"resources": {"limits": {"cpu": "4"}}}, "resources.limits.cpu is '4', and Garrison needs '500m'"),
        ({"disableAutoApproval": True}, "it (takes|changes) ClusterRole"),
        ({"global": {"rbac": {"create": False}}}, "it takes ClusterRole"),
        ({"fullnameOverride": "other"}, "it takes Deployment cert-manager away"),
        ({"namespace": "other"}, "it takes Deployment cert-manager away"),
        ({"webhook": {"timeoutSeconds": 1}}, "it changes ValidatingWebhookConfiguration cert-manager-webhook"),
        ({"webhook": {"networkPolicy": {"enabled": True}}}, "it adds NetworkPolicy"),
        ({"extraArgs": ["--enable-certificate-owner-ref=false"]}, "--enable-certificate-owner-ref twice"),
        ({"extraObjects": [ROLE]}, "it adds ClusterRole eve"),
    ],
)
def test_what_garrison_needs_is_named_where_values_say_otherwise(
    values: dict[str, Any], says: str, tmp_path: Path, folder: Path
) -> None:
    with pytest.raises(ChartError, match=says) as error:
        charts.render(CHART, folder, own(tmp_path, **values))
    assert "leave " in str(error.value)
    assert str(tmp_path / "own.yaml") in str(error.value)


@pytest.mark.parametrize("text", ["[1]", "a: b: c", "seven"])
def test_what_are_no_values_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ChartError, match="^chartValues: .*own.yaml") as error:
        own_values.merged("cert-manager", CHART.values, tmp_path / "own.yaml")
    assert "\n" not in str(error.value)


def test_the_setting_names_charts_and_files(tmp_path: Path, folder: Path) -> None:
    known = {"installCertManager": "false", "installTrustManager": "false", "issuer": "x"}
    file = own(tmp_path)
    with pytest.raises(SettingsError, match="is for cert-manager, which is not installed here"):
        parse({**known, "chartValues": json.dumps({"cert-manager": str(file)})}, {})
    for text in ("values.yaml", '{"cert-manager": "/nowhere"}', '{"cert-manager": 7}', "{}"):
        with pytest.raises(SettingsError, match="write charts and files that exist"):
            parse({**known, "chartValues": text}, {})
    there = {"GARRISON_CHARTS": str(folder)}
    assert parse({"chartValues": json.dumps({"cert-manager": str(file)})}, there).own("cert-manager") == file

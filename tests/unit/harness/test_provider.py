"""The payment provider beside a cluster: what Docker is told and asked, and what the stack is told of it."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import ssl
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from garrison import App, settings
from harness import docker, oci, packing, paths, provider, shell, stack, visit
from harness.errors import HarnessError
from provider.account import Account
from provider.app import Provider
from unit.estates import IMAGES

CLUSTER = "garrison-unit"
IMAGE = oci.Image("garrison.example/provider:0.1.0", "sha256:aa", Path("archive"))
ESTATE = visit.declared()
# A Docker that keeps its one container in a file, and notes what it was told. An address is given at each start.
DOCKER = """#!/usr/bin/env python3
import json, os, pathlib, sys
place, words = pathlib.Path(__file__).parent, sys.argv[1:]
with (place / "told").open("a") as told:
    print(json.dumps(words), file=told)
container = place / "container"
def started(labels):
    count = len((place / "told").read_text().splitlines())
    made = {"State": {"Status": "running"}, "Config": {"Labels": labels}}
    networks = {"garrison-unit": {"IPAddress": f"172.18.0.{count}"}}
    container.write_text(json.dumps(made | {"NetworkSettings": {"Networks": networks}}))
if words[0] == "ps" and container.exists():
    print("id")
elif words[0] == "inspect":
    print("[" + container.read_text() + "]")
elif words[0] == "run":
    started(dict(word.removeprefix("--label=").split("=", 1) for word in words if word.startswith("--label=")))
elif words[0] == "start":
    started(json.loads(container.read_text())["Config"]["Labels"])
elif words[0] == "rm":
    container.unlink()
elif words[:2] == ["image", "ls"]:
    print("older")
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of that Docker; the machine's state is beside it."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "docker").write_text(DOCKER)
    (place / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(packing, "give", lambda image: None)
    monkeypatch.setattr(provider, "await_answer", lambda *_: None)
    return place


def told(engine: Path, verb: str) -> list[list[str]]:
    """What Docker was told with that verb since the last look."""
    lines = [json.loads(line) for line in (engine / "told").read_text().splitlines()]
    (engine / "told").write_text("")
    return [words for words in lines if words[0] == verb]


def stopped(engine: Path) -> None:
    """As after the engine or the machine was restarted."""
    found = json.loads((engine / "container").read_text())
    (engine / "container").write_text(json.dumps(found | {"State": {"Status": "exited"}}))


def test_it_stands_on_the_clusters_network_under_the_hosts_name_and_may_do_nothing(engine: Path) -> None:
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    ((*words, image),) = told(engine, "run")
    assert image == IMAGE.reference
    assert {f"--network={CLUSTER}", f"--network-alias={provider.HOST}", "--restart=no", "--pull=never"} <= {*words}
    assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=64m"} <= {*words}
    assert f"--label={docker.BESIDE}={CLUSTER}" in words
    assert not [word for word in words if word.startswith(("--publish", "--privileged"))]
    (mount,) = (word for word in words if word.startswith("--volume="))
    assert mount.endswith(":ro")


def test_what_runs_is_left_alone_and_what_stopped_is_started(engine: Path) -> None:
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    before = provider.settings(CLUSTER)["egressAllowed"]
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    assert provider.there(CLUSTER)
    assert len(told(engine, "run")) == 1
    stopped(engine)
    assert not provider.there(CLUSTER)
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    assert told(engine, "start") == [["start", provider.name(CLUSTER)]]
    assert provider.there(CLUSTER)
    assert provider.settings(CLUSTER)["egressAllowed"] != before, "a new address is a new setting"


def test_another_address_than_the_stack_was_told_is_noticed(engine: Path) -> None:
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    assert provider.there(CLUSTER)
    text = (engine / "container").read_text()
    (engine / "container").write_text(text.replace("172.18.0.", "172.18.1."))
    assert not provider.there(CLUSTER)


@pytest.mark.parametrize("what", ["image", "certificate"])
def test_what_it_is_made_of_makes_it_anew(engine: Path, what: str) -> None:
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    image = oci.Image(IMAGE.reference, "sha256:bb", IMAGE.path) if what == "image" else IMAGE
    if what == "certificate":
        (provider.folder(CLUSTER) / "tls.crt").write_text("not whole")
    told(engine, "run")
    provider.ensure(CLUSTER, ESTATE, image)
    said = [json.loads(line) for line in (engine / "told").read_text().splitlines()]
    assert [words[0] for words in said if words[0] in ("rm", "run")] == ["rm", "run"]
    assert ["image", "rm", "older"] in said, "images that lost their name do not pile up"


def test_a_program_that_uses_no_provider_has_none(engine: Path) -> None:
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    assert provider.settings(CLUSTER)
    without = App("other", trust_domain="other.example", images=IMAGES).graph()
    provider.ensure(CLUSTER, without, IMAGE)
    assert provider.settings(CLUSTER) == {}
    assert not (engine / "container").exists()
    provider.introduce(CLUSTER, without, {})  # nobody is asked for a key
    assert provider.there(CLUSTER)


def test_a_container_that_ended_is_said(engine: Path) -> None:
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    text = (engine / "docker").read_text()
    (engine / "docker").write_text(text.replace('"Status": "running"', '"Status": "exited"'))
    stopped(engine)
    with pytest.raises(HarnessError, match="docker logs garrison-unit-provider"):
        provider.ensure(CLUSTER, ESTATE, IMAGE)


def test_a_cluster_takes_along_what_stands_beside_it(engine: Path) -> None:
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    told(engine, "run")
    docker.remove_beside(CLUSTER)
    assert told(engine, "rm") == [["rm", "--force", "--volumes", "id"]]
    docker.remove_beside(CLUSTER)
    assert told(engine, "rm") == []


def test_the_stack_is_told_one_address_and_one_authority(engine: Path, tmp_path: Path) -> None:
    charts = tmp_path / "charts"
    for name in ("cert-manager", "trust-manager"):
        (charts / name).mkdir(parents=True)
        (charts / name / "Chart.yaml").write_text(f"name: {name}\n")
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    file = tmp_path / "stack.yaml"
    file.write_text(stack._of(CLUSTER, (paths.REPO / "stacks/Pulumi.kind.yaml").read_text()))
    out = settings.cluster_of(file).egress
    (allowed,) = out.allowed
    assert allowed.startswith("172.18.0.") and allowed.endswith("/32")
    assert settings.parse({"charts": str(charts)}, provider.variables(CLUSTER)).cluster.egress == out, "by hand as well"
    assert dict(out.authorities) == {provider.HOST: (provider.folder(CLUSTER) / "ca.pem").read_text()}
    assert yaml.safe_load(file.read_text())["config"]["garrison:edgePort"] == "8443"


def test_the_key_comes_as_its_fingerprint(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.ensure(CLUSTER, ESTATE, IMAGE)
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> str:
        asked.append(command)
        return "abc\n"

    monkeypatch.setattr(shell, "run", run)
    provider.introduce(CLUSTER, ESTATE, {})
    ((_, *words),) = asked
    assert words[:6] == ["exec", "-n", "bank", "deploy/payments", "-c", "app"]
    assert (provider.folder(CLUSTER) / "key.sha256").read_text() == "abc"


# --- the certificate -------------------------------------------------------------------------------------------------


def test_a_certificate_stays_until_a_month_before_its_end(tmp_path: Path) -> None:
    place, now = tmp_path / "provider", dt.datetime.now(dt.UTC)
    provider.certify(place)
    first = (place / "tls.crt").read_bytes()
    provider.certify(place, now + dt.timedelta(days=300))
    assert (place / "tls.crt").read_bytes() == first
    provider.certify(place, now + dt.timedelta(days=336))
    assert (place / "tls.crt").read_bytes() != first
    assert (place / "tls.key").stat().st_mode & 0o777 == 0o600
    ends = x509.load_pem_x509_certificate((place / "ca.pem").read_bytes()).not_valid_after_utc
    assert ends - now > dt.timedelta(days=364), "the authority lives as long"


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    place = tmp_path / "provider"
    provider.certify(place)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place / "tls.crt", place / "tls.key")
    server = Provider(("127.0.0.1", 0), Account(), place / "key.sha256", tls)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield place, server.server_address[1]
    server.shutdown()
    server.server_close()


def test_it_is_there_when_it_shows_its_own_certificate(listening: tuple[Path, int], tmp_path: Path) -> None:
    place, port = listening
    provider.await_answer("127.0.0.1", place / "ca.pem", 20, port)
    provider.certify(tmp_path / "another")
    with pytest.raises(HarnessError, match=r"api\.psp\.example at 127\.0\.0\.1"):
        provider.await_answer("127.0.0.1", tmp_path / "another" / "ca.pem", 20, port)
    with pytest.raises(HarnessError, match="does not answer in 0 s"):
        provider.await_answer("127.0.0.1", place / "ca.pem", 0, 1)


# --- the image, as Docker takes it -----------------------------------------------------------------------------------


def test_docker_gets_the_image_with_a_table_that_every_engine_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").write_text("content")
    layer = oci.layer_from_dir(tmp_path / "root", tmp_path)
    image = oci.write_image("garrison.example/some:1", [layer], entrypoint=["/file"], out=tmp_path)
    (tmp_path / "docker").write_text(f"#!/bin/sh\nexec cat > {tmp_path / 'taken'}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    packing.give(image)
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "taken").read_bytes())) as tar:
        parts = {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}
    ((table),) = json.loads(parts["manifest.json"])
    assert table["RepoTags"] == ["garrison.example/some:1"]
    assert json.loads(parts[table["Config"]])["rootfs"]["diff_ids"] == [layer.diff_id]
    assert [parts[name] for name in table["Layers"]] == [layer.path.read_bytes()]
    assert {"index.json", "oci-layout"} <= parts.keys()

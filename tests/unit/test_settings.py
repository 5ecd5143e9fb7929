"""Stack settings: everything wrong is said at once, in a line each that says what to do."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from garrison.cluster import Cluster, Dns, Issuer
from garrison.settings import Settings, SettingsError, cluster_of, parse, settings_of
from garrison.settings.charts import Charts
from harness.documents import blocks


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    for name in ("cert-manager", "trust-manager"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Chart.yaml").write_text(f"name: {name}\n")
    return tmp_path


def refused(values: dict[str, str], environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as error:
        parse(values, environment)
    return [str(problem) for problem in error.value.problems]


def test_nothing_said_installs_everything(charts: Path) -> None:
    settings = parse({}, {"GARRISON_CHARTS": str(charts)})
    assert settings == Settings(charts=charts)
    assert settings.install_cert_manager and settings.install_trust_manager and settings.install_openbao
    assert settings.cluster == Cluster()


def test_every_setting_is_read(charts: Path) -> None:
    ca = charts / "ca.pem"
    ca.touch()
    values = {
        "installCertManager": "false",
        "installTrustManager": "false",
        "issuer": "corporate",
        "installOpenbao": "false",
        "openbaoAddress": "https://vault.example:8200",
        "openbaoCa": str(ca),
        "openbaoStorage": "10Gi",
        "storageClass": "fast",
        "apiServer": '["10.0.0.0/24"]',
        "charts": str(charts),
        "generatedSecrets": '["psp/api-key"]',
    }
    assert parse(values, {}) == Settings(
        install_cert_manager=False,
        install_trust_manager=False,
        issuer="corporate",
        install_openbao=False,
        openbao_address="https://vault.example:8200",
        openbao_ca=ca,
        openbao_storage="10Gi",
        storage_class="fast",
        api_server=("10.0.0.0/24",),
        charts=charts,
        generated_secrets=("psp/api-key",),
    )


def test_the_stack_file_wins_over_the_environment(charts: Path, tmp_path: Path) -> None:
    assert parse({"charts": str(charts)}, {"GARRISON_CHARTS": str(tmp_path / "other")}).charts == charts


def test_a_machine_says_what_the_stack_does_not(charts: Path, tmp_path: Path) -> None:
    file, known = tmp_path / "machine.json", {"GARRISON_CHARTS": str(charts)}
    file.write_text('{"egressAllowed": ["172.18.0.3/32"], "edgePort": "8443"}')
    both = known | {"GARRISON_SETTINGS": str(file)}
    assert parse({}, known).egress_allowed == ()
    assert parse({}, both).egress_allowed == ("172.18.0.3/32",)
    assert parse({"edgePort": "8444"}, both).edge_port == 8444
    file.write_text('{"egressAllowed": ["127.0.0.1/32"]}')
    (problem,) = refused({}, both)
    assert "of this machine or its link" in problem
    for text in ("", "[]"):
        file.write_text(text)
        (problem,) = refused({}, both)
        assert problem.startswith(f"GARRISON_SETTINGS: {file} has no settings in JSON")


def test_where_the_rules_hold_follows_from_who_was_there_first() -> None:
    assert Settings().cluster.admission_scope == "everywhere"
    there = Settings(install_cert_manager=False, issuer="corporate")
    assert there.cluster.admission_scope == "estate", "other things live here"
    assert replace(there, admission_scope="everywhere").cluster.admission_scope == "everywhere"
    assert Settings(admission_scope="labelled").cluster.admission_scope == "labelled"


def test_resolvers_that_are_no_pods(charts: Path) -> None:
    known = {"GARRISON_CHARTS": str(charts)}
    assert parse({}, known).cluster.dns == Dns()
    said = {"dnsRanges": '["169.254.20.10/32", "10.96.0.10/32"]', "dnsNamespace": "dns", "dnsPort": "5353"}
    found = parse(said | {"dnsLabels": '{"app": "coredns"}'}, known).cluster.dns
    ranges = ("169.254.20.10/32", "10.96.0.10/32")
    assert found == Dns(namespace="dns", labels=(("app", "coredns"),), port=5353, ranges=ranges)
    alone = parse({"dnsLabels": "{}", "dnsRanges": '["10.0.0.2/32"]'}, known).cluster.dns
    assert alone == Dns(labels=(), ranges=("10.0.0.2/32",))
    (problem,) = refused({"dnsLabels": "{}"}, known)
    assert problem == "dnsLabels: empty, and no dnsRanges: nobody would answer names; give one of them"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("admissionScope", "cluster", "write estate, labelled, everywhere"),
        ("dnsRanges", '["169.254.169.254/32"]', "where clouds give credentials away"),
        ("dnsLabels", "k8s-app=kube-dns", "write labels such as"),
        ("dnsLabels", '{"k8s-app": 1}', "write labels such as"),
        ("dnsPort", "0", "write a whole number"),
        ("installOpenbao", "yes", "write true or false"),
        ("issuer", "Corporate CA", "write a Kubernetes name"),
        ("openbaoStorage", "lots", "write a size such as 1Gi"),
        ("storageClass", "Fast!", "write a Kubernetes name"),
        ("apiServer", "10.0.0.0/24", "write a list such as"),
        ("apiServer", '["10.0.0.300/24"]', "'10.0.0.300/24' is not an address range"),
        ("apiServer", '["10.0.0.1/24"]', "'10.0.0.1/24' is not an address range"),
        ("charts", "/nowhere", "there is no such folder"),
        ("issuer", '{"name": "x", "knd": "y"}', "write a name, or an object of account, group, kind, name"),
        ("issuer", '{"name": "x", "kind": "Issuer"}', "name the kind that the whole cluster may ask"),
        ("issuer", "{", "write a name, or an object of"),
        ("trustCa", "/nowhere", "there is no such file"),
        ("generatedSecrets", '["../up"]', "'../up' is not a path such as psp/api-key"),
        ("generatedSecrets", "[1]", "write a list such as"),
    ],
)
def test_a_bad_value_says_what_to_write(key: str, value: str, says: str, charts: Path) -> None:
    (problem,) = refused({key: value}, {"GARRISON_CHARTS": str(charts)})
    assert problem.startswith(f"{key}: ")
    assert says in problem


def test_a_misspelt_setting_is_not_ignored(charts: Path) -> None:
    (problem,) = refused({"isuer": "x"}, {"GARRISON_CHARTS": str(charts)})
    assert problem == "isuer: no such setting; did you mean 'issuer'?"


def test_a_plain_http_store_is_refused(charts: Path) -> None:
    values = {"installOpenbao": "false", "openbaoAddress": "http://vault.example:8200"}
    (problem,) = refused(values, {"GARRISON_CHARTS": str(charts)})
    assert "plain http is refused" in problem


def test_settings_that_contradict_each_other(charts: Path) -> None:
    ca = charts / "ca.pem"
    ca.touch()
    both = {"openbaoAddress": "https://vault.example:8200", "openbaoCa": str(ca)}
    known = {"GARRISON_CHARTS": str(charts)}
    assert ["set, but OpenBao is to be installed" in problem for problem in refused(both, known)] == [True]
    (alone,) = refused({"installOpenbao": "false", "openbaoAddress": both["openbaoAddress"]}, known)
    assert "belong together" in alone
    (missing,) = refused({"installCertManager": "false"}, known)
    assert missing == "issuer: missing; name the ClusterIssuer of the existing cert-manager"


def test_missing_charts_are_named() -> None:
    assert refused({}, {}) == [
        "charts: no chart cert-manager (nowhere); name its folder, or set GARRISON_CHARTS",
        "charts: no chart trust-manager (nowhere); name its folder, or set GARRISON_CHARTS",
    ]


def test_all_problems_at_once_in_one_message() -> None:
    with pytest.raises(SettingsError) as error:
        parse({"installOpenbao": "perhaps", "isuer": "x", "openbaoStorage": "1"}, {})
    assert len(error.value.problems) == 5
    assert str(error.value).splitlines()[0] == "bad stack settings:"
    assert all(str(problem) in str(error.value) for problem in error.value.problems)


def test_an_existing_issuer_storage_class_and_api_server_are_the_clusters() -> None:
    said = Settings(issuer="corporate", storage_class="fast", api_server=("10.0.0.0/24",), system_namespaces=("csi",))
    expected = Cluster(
        issuer="corporate", storage_class="fast", api_server=("10.0.0.0/24",), system_namespaces=("csi",)
    )
    assert said.cluster == expected


def test_a_stacks_file_says_which_cluster_it_is(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    file = tmp_path / "stacks" / "Pulumi.dev.yaml"
    file.write_text('config:\n  garrison:issuer: corporate\n  garrison:apiServer: ["10.0.0.0/24"]\n  shop:issuer: x\n')
    assert cluster_of(file) == Cluster(issuer="corporate", api_server=("10.0.0.0/24",))
    file.write_text("config:\n  garrison:isuer: corporate\n")
    with pytest.raises(SettingsError, match="isuer: no such setting; did you mean 'issuer'"):
        cluster_of(file)
    for broken in ("- 1\n", "config: 7\n", "{"):
        file.write_text(broken)
        with pytest.raises(SettingsError, match="is not a stack's file"):
            cluster_of(file)
    with pytest.raises(SettingsError, match="No such file"):
        cluster_of(tmp_path / "none.yaml")


def test_the_page_names_every_setting_and_its_example_is_accepted(charts: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))
    assert {key(field.name) for field in fields(Settings)} <= named
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    said = yaml.safe_load(example)["config"]
    values = {name.removeprefix("garrison:"): json.dumps(value).strip('"') for name, value in said.items()}
    parsed = parse(values, {"GARRISON_CHARTS": str(charts)})
    assert (parsed.install_cert_manager, parsed.issuer) == (False, "corporate-ca")


def key(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def test_issuers_of_any_kind(charts: Path) -> None:
    said = {"name": "corp", "kind": "StepClusterIssuer", "group": "certmanager.step.sm", "account": "step/issuer"}
    edge = {"name": "public", "kind": "Issuer"}
    values = {"issuer": json.dumps(said), "edgeIssuer": json.dumps(edge)}
    found = parse(values, {"GARRISON_CHARTS": str(charts)})
    assert found.cluster.authority == Issuer(**said)
    assert found.cluster.entrance.issuer == Issuer(**edge)


def test_the_platforms_page_is_accepted(charts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "platform.md").read_text()
    issuers, fetched = blocks(page, "yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corporate-ca.pem").write_text(ca()[0])
    (tmp_path / "cert-manager-values.yaml").touch()
    (tmp_path / "stack.yaml").write_text(issuers)
    found = settings_of(Path("stack.yaml"), {"GARRISON_CHARTS": str(charts)})
    assert str(found.cluster.authority) == "AWSPCAClusterIssuer.awspca.cert-manager.io/corporate"
    (tmp_path / "stack.yaml").write_text(fetched)
    assert isinstance(settings_of(Path("stack.yaml"), {}).charts, Charts)


def ca(days: int = 30, *, basic: bool | None = True, later: int = 0) -> tuple[str, str]:
    """A certificate and its key in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "corporate")])
    begin = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=later - 60)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=60 + days))
    if basic is not None:
        made = made.add_extension(x509.BasicConstraints(ca=basic, path_length=None), critical=True)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()
    return made.sign(key, hashes.SHA256()).public_bytes(pem).decode(), secret


def test_a_ca_of_ones_own_is_trusted(charts: Path) -> None:
    file = charts / "corp.pem"
    file.write_text(f"the old one\n{ca()[0]}and the new one\n{ca()[0]}")
    values = {"issuer": "corporate", "trustCa": str(file)}
    assert parse(values, {"GARRISON_CHARTS": str(charts)}).trust_ca == file
    (problem,) = refused({"trustCa": str(file)}, {"GARRISON_CHARTS": str(charts)})
    assert problem.startswith("trustCa: set, but no issuer is; name the issuer that this CA is of")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ca(days=-1)[0], "certificate 1 of {} has expired on "),
        (ca()[0] + ca(days=-1)[0], "certificate 2 of {} has expired on "),
        (ca(basic=False)[0], "certificate 1 of {} is not a CA's (basicConstraints)"),
        (ca(basic=None)[0], "certificate 1 of {} is not a CA's (basicConstraints)"),
        (ca(later=90)[0], "certificate 1 of {} is not valid before "),
        ("".join(ca()), "{} holds a PRIVATE KEY, too"),
        ("corporate", "{} has no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "certificate 1 of {} cannot be read"),
    ],
)
def test_who_cannot_vouch_is_not_trusted(text: str, says: str, charts: Path) -> None:
    file = charts / "corp.pem"
    file.write_text(text)
    (problem,) = refused({"issuer": "corporate", "trustCa": str(file)}, {"GARRISON_CHARTS": str(charts)})
    assert says.format(file) in problem

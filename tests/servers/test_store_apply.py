"""`garrison render -o`, then `garrison store apply`: the same in a real OpenBao as Pulumi would leave there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest
from hvac.exceptions import Forbidden

from garrison import App, cli
from garrison.deployment.platform.store_config import ADMIN, ADMIN_POLICY, BREAK_GLASS
from garrison.deployment.vault import store
from garrison.derive.secrets import store_objects
from servers.bao import Bao, serving
from unit.estates import DIGEST, empty_app

PROGRAM = """
from servers.test_store_apply import estate
app = estate({readers!r})
"""


def estate(readers: tuple[str, ...]) -> App:
    app = empty_app()
    shop = app.namespace("shop")
    for name in readers:
        shop.service(name, image="registry.example/x" + DIGEST, port=8080).reads("psp/api-key")
    return app


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with serving(tmp_path_factory.mktemp("bao")) as running:
        yield running


@pytest.fixture
def breaker(bao: Bao) -> hvac.Client:
    return bao.user(BREAK_GLASS)


@pytest.fixture(autouse=True)
def _login(bao: Bao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Enters with the policy it has on a cluster, no more; the store is elsewhere, and the cluster has everything."""
    monkeypatch.setenv("BAO_TOKEN", bao.user(ADMIN).token)
    for name in ("GARRISON_EXCEPTIONS", "GARRISON_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    settings = {"installCertManager": False, "installTrustManager": False, "issuer": "corporate"}
    settings |= {"installOpenbao": False, "openbaoAddress": bao.address, "openbaoCa": bao.ca_file}
    config = {f"garrison:{key}": value for key, value in settings.items()}
    config["garrison:generatedSecrets"] = ["psp/api-key"]
    (tmp_path / "Pulumi.x.yaml").write_text(json.dumps({"config": config}))


def rendered(name: str, *readers: str) -> str:
    Path("app.py").write_text(PROGRAM.format(readers=readers))
    assert cli.main(["render", "--app", "app.py", "--cluster", "Pulumi.x.yaml", "-o", name]) == 0
    return f"{name}/store.json"


def lacks(breaker: hvac.Client, *readers: str) -> list[str]:
    """What of the estate is not in the store as it was derived."""
    objects = store_objects(estate(readers).graph())
    return [one.path for one in objects if store.read(breaker, one.path, one.body) != dict(one.body)]


def test_the_file_is_brought_into_the_store_again_and_again_and_what_is_gone_is_taken_away(
    breaker: hvac.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    both, one = rendered("both", "orders", "claims"), rendered("one", "orders")
    wanted = lacks(breaker, "orders", "claims")
    assert len(wanted) == 4, "the control: nothing is there"
    capsys.readouterr()
    assert cli.main(["store", "apply", both]) == 0
    assert capsys.readouterr().out == "openbao/openbao: 4 objects written, 1 of 1 values made up\n"
    assert lacks(breaker, "orders", "claims") == []
    value = breaker.secrets.kv.v2.read_secret("psp/api-key", raise_on_deleted_version=True)["data"]["data"]
    breaker.write_data("sys/policies/acl/shop.orders", data={"policy": 'path "*" { capabilities = ["sudo"] }'})
    assert cli.main(["store", "apply", both]) == 0
    assert capsys.readouterr().out == "openbao/openbao: 4 objects written, 0 of 1 values made up\n"
    assert lacks(breaker, "orders", "claims") == [], "as derived again"
    assert cli.main(["store", "apply", one]) == 0
    assert lacks(breaker, "orders", "claims") == [], "without the old file nothing is taken away"
    capsys.readouterr()
    assert cli.main(["store", "apply", one, "--instead-of", both]) == 0
    gone = ["auth/kubernetes/role/shop.claims", "sys/policies/acl/shop.claims"]
    lines = [f"openbao/openbao: {path} taken away" for path in gone]
    assert capsys.readouterr().out.splitlines()[1:] == lines
    assert lacks(breaker, "orders", "claims") == sorted(gone, reverse=True)
    assert lacks(breaker, "orders") == []
    assert breaker.secrets.kv.v2.read_secret("psp/api-key", raise_on_deleted_version=True)["data"]["data"] == value
    assert cli.main(["store", "apply", one, "--instead-of", both]) == 0, "what is gone already is gone"
    assert cli.main(["store", "remove", one]) == 0
    assert len(lacks(breaker, "orders")) == 2, "a program that is gone altogether"
    assert breaker.secrets.kv.v2.read_secret("psp/api-key", raise_on_deleted_version=True)["data"]["data"] == value


def test_a_store_that_does_not_allow_it_is_refused_before_anything_is_written(
    breaker: hvac.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    older = "\n".join(line for line in ADMIN_POLICY.splitlines() if "kubernetes/role/*" not in line)
    breaker.write_data(f"sys/policies/acl/{ADMIN}", data={"policy": older})
    try:
        assert cli.main(["store", "apply", rendered("more", "refunds")]) == 2
    finally:
        breaker.write_data(f"sys/policies/acl/{ADMIN}", data={"policy": ADMIN_POLICY})
    said = capsys.readouterr().err.splitlines()
    assert "refuses auth/kubernetes/role/shop.refunds: " in said[-1]
    assert len(lacks(breaker, "refunds")) == 2, "nothing of it is there, the policy neither"
    assert cli.main(["store", "apply", rendered("more", "refunds")]) == 0, "the control"
    assert lacks(breaker, "refunds") == []


def test_the_login_in_use_may_not_read_what_was_made_up(bao: Bao) -> None:
    with pytest.raises(Forbidden):
        bao.user(ADMIN).secrets.kv.v2.read_secret("psp/api-key", raise_on_deleted_version=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not what garrison render -o wrote"),
        ("[]", "is not what garrison render -o wrote"),
        ('{"schema": "x"}', "is not of schema 'garrison.dev/store/v1'"),
        ('{"schema": "garrison.dev/store/v1", "keys": ["x"], "servers": []}', "is not what garrison render -o wrote"),
        (
            '{"schema": "garrison.dev/store/v1", "keys": [], "servers": [{"server": "a/b", "objects": [{"path": 1}]}]}',
            "is not what garrison render -o wrote",
        ),
    ],
)
def test_any_other_file_is_one_clear_line(text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("store.json").write_text(text)
    assert cli.main(["store", "apply", "store.json"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert line.startswith("garrison store: store.json: ")


def test_no_file_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["store", "apply", "none.json"]) == 2
    assert capsys.readouterr().err == "garrison store: none.json: No such file or directory; name the file store.json\n"

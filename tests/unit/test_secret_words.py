"""Secrets and leases in the application's own words: what it finds, what the agent writes, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison import App, Graph, IntentError, Job, Namespace, Service
from garrison.derive import secrets
from garrison.explain import drawing
from garrison.explain.allowed import allowed
from unit.estates import DIGEST, empty_app

IMAGE = "registry.example/app" + DIGEST
DSN = "postgresql://{username}:{password}@{host}:{port}/{database}?sslmode={sslmode}&sslrootcert={sslrootcert}"


def shop() -> tuple[App, Namespace, Service]:
    app = empty_app()
    home = app.namespace("shop")
    return app, home, home.service("web", image=IMAGE, port=8080)


def written(app: App, who: Service | Job) -> dict[str, str]:
    """What the agent writes, by path."""
    config = json.loads(secrets.agent_config(app.graph(), who.ref)["agent.json"])
    return {one["destination"].removeprefix("/run/secrets/"): one["contents"] for one in config["template"]}


def found(app: App, who: Service | Job) -> dict[str, str]:
    return secrets.environment(app.graph(), who.ref)


def valued(app: App, who: Service | Job) -> list[Any]:
    return secrets.valued(app.graph(), who.ref)


def problems(app: App) -> list[str]:
    with pytest.raises(IntentError) as caught:
        app.graph()
    return [f"{problem.what}; {problem.remedy}" for problem in caught.value.problems]


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_is_a_file_under_the_applications_own_name() -> None:
    app, _, web = shop()
    web.reads("psp/api-key")
    assert found(app, web) == {"PSP_API_KEY_FILE": "/run/secrets/psp/api-key"}
    app, _, web = shop()
    web.reads("psp/api-key", env="API_KEY_FILE")
    web.reads("mail/config", env={"CONFIG": "file:{path}"})
    assert found(app, web) == {
        "API_KEY_FILE": "/run/secrets/psp/api-key",
        "CONFIG": "file:/run/secrets/mail/config",
    }
    assert {*written(app, web)} == {"psp/api-key", "mail/config"}


def test_a_secret_in_a_variable_is_on_the_agents_memory_and_never_in_an_object() -> None:
    app, _, web = shop()
    web.reads("psp/api-key", env={"API_KEY": "{value}", "HEADER": "Bearer {value}"})
    assert found(app, web) == {}
    line = "{{ .Data.data.value }}"
    assert written(app, web) == {
        "psp/api-key.env": f'{{{{ with secret "secret/data/psp/api-key" }}}}'
        f"API_KEY='{line}'\nHEADER='Bearer {line}'\n{{{{ end }}}}"
    }
    assert [one["name"] for one in valued(app, web)] == ["API_KEY", "HEADER"]
    for one in valued(app, web):
        reference = {"volumeName": "secrets", "path": "psp/api-key.env", "key": one["name"], "optional": False}
        assert one["valueFrom"] == {"fileKeyRef": reference}
    (volume,) = (one for one in secrets.volumes(app.graph(), web.ref) if one["name"] == "secrets")
    assert volume["emptyDir"]["medium"] == "Memory"
    (agent,) = secrets.sidecar(app.graph(), web.ref)
    assert agent["startupProbe"]["exec"]["command"][-1] == "v0=@/run/secrets/psp/api-key.env", "before the application"


def test_both_ways_at_once_and_said_twice() -> None:
    app, _, web = shop()
    web.reads("psp/api-key")
    web.reads("psp/api-key", env={"API_KEY": "{value}"})
    web.reads("psp/api-key", env={"API_KEY": "{value}"})
    graph = app.graph()
    assert len(graph.reads) == 1
    assert {*written(app, web)} == {"psp/api-key", "psp/api-key.env"}
    assert found(app, web) == {"PSP_API_KEY_FILE": "/run/secrets/psp/api-key"}
    assert secrets.policy(graph, web.ref).count("secret/data/psp/api-key") == 1
    assert Graph.from_json(graph.to_json()) == graph


def test_a_secret_in_a_variable_is_told() -> None:
    app, _, web = shop()
    web.reads("psp/api-key", env={"API_KEY": "{value}"})
    assert "shop/web may read the secret psp/api-key, in the variable API_KEY" in map(str, allowed(app.graph()))
    assert "in the variable API_KEY" in drawing.svg(app.graph())


# --- leases ----------------------------------------------------------------------------------------------------------


def test_a_lease_is_a_file_in_the_applications_own_form() -> None:
    app, home, web = shop()
    ledger = home.postgres("ledger")
    web.uses(
        ledger,
        role="reader",
        env={"PGHOST": "{host}"},
        files={"DSN_FILE": DSN, "PGPASSFILE": "*:{username}:{password}"},
    )
    assert found(app, web) == {
        "PGHOST": "ledger.shop.svc",
        "DSN_FILE": "/run/secrets/DSN_FILE",
        "PGPASSFILE": "/run/secrets/PGPASSFILE",
    }
    made = written(app, web)
    assert {*made} == {"DSN_FILE", "PGPASSFILE"}, "no JSON that nobody asked for"
    assert made["DSN_FILE"] == (
        '{{ with secret "database/creds/shop.ledger.reader" }}'
        "postgresql://{{ .Data.username }}:{{ .Data.password }}@ledger.shop.svc:5432/ledger"
        "?sslmode=verify-full&sslrootcert=/run/trust/ca.pem{{ end }}"
    )


def test_a_lease_as_json_under_another_name() -> None:
    app, home, web = shop()
    ledger = home.postgres("ledger")
    web.uses(ledger, role="reader", env="DATABASE_FILE")
    assert found(app, web) == {"DATABASE_FILE": "/run/secrets/ledger.json"}
    assert {*written(app, web)} == {"ledger.json"}
    web.uses(ledger, role="reader", files={"DSN_FILE": DSN})
    assert len(app.graph().uses) == 1, "one lease"
    assert {*written(app, web)} == {"ledger.json", "DSN_FILE"}


def test_a_lease_in_a_variable_is_refused_with_what_to_do() -> None:
    for text in (DSN, "{password}", "{value}"):
        app, home, web = shop()
        web.uses(home.postgres("ledger"), role="reader", env={"DATABASE_URL": text})
        (problem,) = problems(app)
        assert "DATABASE_URL=" in problem
        assert "would keep leased credentials that end within the hour" in problem
        assert "let it name a file, which is kept fresh: files={'DATABASE_URL_FILE'" in problem


# --- what is refused -------------------------------------------------------------------------------------------------

READS: dict[str, tuple[Any, str]] = {
    "no place": ({"API_KEY": "value"}, "does not say where the secret belongs"),
    "another place": ({"API_KEY": "{secret}"}, "does not say where the secret belongs"),
    "both": ({"API_KEY": "{path}{value}"}, "does not say where the secret belongs"),
    "a template": ({"API_KEY": "{{ {value} }}"}, "does not say where the secret belongs"),
    "an attribute": ({"API_KEY": "{value.x}"}, "does not say where the secret belongs"),
    "a form": ({"API_KEY": "{value!r}"}, "does not say where the secret belongs"),
    "a brace": ({"API_KEY": "{value"}, "does not say where the secret belongs"),
    "a quote": ({"API_KEY": "'{value}"}, "fits no variable of a file"),
    "a line": ({"API_KEY": "{value}\nOTHER='x"}, "fits no variable of a file"),
    "a name": ({"API-KEY": "{value}"}, "'API-KEY' is no variable"),
    "a type": (7, "is not a list"),
}


@pytest.mark.parametrize("name", READS)
def test_what_of_a_secret_is_refused(name: str) -> None:
    env, text = READS[name]
    app, _, web = shop()
    web.reads("psp/api-key", env=env)
    assert any(text in problem for problem in problems(app)), problems(app)


USES: dict[str, tuple[dict[str, Any], str]] = {
    "no place": ({"env": {"PGHOST": "ledger"}}, "does not say what of the database it is"),
    "another place": ({"env": {"PGHOST": "{hostname}"}}, "does not say what of the database it is"),
    "no credentials": ({"files": {"DSN_FILE": "{host}"}}, "does not say where the credentials belong"),
    "a template": ({"files": {"DSN_FILE": "{{ {password} }}"}}, "does not say where the credentials belong"),
    "a password": ({"files": {"DSN_FILE": "postgresql://x:hunter2@{host} {password}"}}, "a credential in it"),
    "a name": ({"files": {"DSN FILE": "{password}"}}, "'DSN FILE' is no variable"),
    "a type": ({"files": "DSN_FILE"}, "does not say where the credentials belong"),
}


@pytest.mark.parametrize("name", USES)
def test_what_of_a_lease_is_refused(name: str) -> None:
    said, text = USES[name]
    app, home, web = shop()
    web.uses(home.postgres("ledger"), role="reader", **said)
    assert any(text in problem for problem in problems(app)), problems(app)


def test_two_things_under_one_variable_are_a_problem_with_both_lines() -> None:
    app, home, web = shop()
    other = home.service("other", image=IMAGE, port=8080)
    web.reads("psp/api-key", env="ONE")
    web.reads("psp/other", env="ONE")
    web.reads("psp/api-key", env={"TWO": "{value}"})
    web.calls(other, "GET /", env="TWO")
    web.uses(home.postgres("ledger"), role="reader", files={"THREE": DSN})
    web.uses("ledger", role="reader", env={"THREE": "{host}"})
    told = problems(app)
    assert [problem.split("two things under ")[1].split()[0] for problem in told] == ["ONE", "TWO", "THREE"]
    assert all("(see " in problem for problem in told)


def test_two_credentials_in_one_file_are_a_problem() -> None:
    app, home, web = shop()
    ledger = home.postgres("ledger")
    web.uses(ledger, role="reader", env="READER_FILE")
    web.uses(ledger, role="writer", env="WRITER_FILE")
    (problem,) = problems(app)
    assert "'shop/web' would need 'ledger.json' for two credentials (see " in problem
    app, home, web = shop()
    ledger = home.postgres("ledger")
    web.uses(ledger, role="reader", env="READER_FILE")
    web.uses(ledger, role="writer", files={"WRITER_FILE": DSN})
    assert {*written(app, web)} == {"ledger.json", "WRITER_FILE"}, "the control"

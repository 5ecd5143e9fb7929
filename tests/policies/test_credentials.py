"""What counts as a credential. Each refusal stands beside what looks like it and is none."""

from __future__ import annotations

import pytest

from garrison_policies.language.objects import Object
from garrison_policies.rules import RULES
from policies.fixtures import findings

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP"
SECRET = (
    ("PASSWORD", "hunter2"),
    ("DB_PASS", "12345678"),
    ("POSTGRES_PASSWORD", "postgres"),
    ("REDIS_PWD", "x"),
    ("SECRET_BLAH", "secretsquirrels"),
    ("API_KEY", "abc123"),
    ("apiKey", "abc123"),
    ("GITHUB_TOKEN", "abcdef"),
    ("AWS_ACCESS_KEY_ID", "minioadmin"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("ENCRYPTION_KEY", "c2VjcmV0"),
    ("SSH_PRIVATE_KEY", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc"),
    ("STORAGE_CONNECTION_STRING", "AccountName=x"),
    ("DATABASE_URL", "postgres://shop:hunter2@db:5432/shop"),
    ("BROKER", "amqp://:hunter2@mq"),
    ("DSN", "Server=db;User=shop;Password=hunter2;Encrypt=true"),
    ("ID", "AKIAIOSFODNN7EXAMPLE"),
    ("HEADER", f"Bearer {JWT}"),
    ("X", "ghp_" + "a" * 36),
)
HARMLESS = (
    ("BLAH", "secretsquirrels"),
    ("PASSWORD", ""),
    ("PASSWORD_FILE", "/run/secrets/password"),
    ("TOKEN", "/var/run/secrets/tokens/vault"),
    ("TOKEN_URL", "https://idp.example/token"),
    ("TOKEN_TTL", "3600"),
    ("MAX_TOKENS", "4096"),
    ("SECRET_NAME", "database"),
    ("VAULT_SECRET_PATH", "kv/shop"),
    ("ENABLE_TOKEN_AUTH", "abc"),
    ("PASSWORD_POLICY", "strict"),
    ("API_KEY_HEADER", "X-Api-Key"),
    ("PASSWORD", "$(FROM_ELSEWHERE)"),
    ("PASSWORD", "vault:secret/data/shop#password"),
    ("PASSWORD_REQUIRED", "always"),
    ("USE_SECRETS", "true"),
    ("DATABASE_URL", "postgres://db:5432/shop"),
    ("DATABASE_URL", "postgres://shop@db:5432/shop"),
    ("DATABASE_URL", "postgres://shop:$(PASSWORD)@db:5432/shop"),
    ("KEYCLOAK_URL", "https://id.example:8443/realms/a"),
    ("KEYBOARD", "us"),
    ("MONKEY", "business"),
    ("COMPASS", "north"),
    ("BYPASS", "no proxy"),
    ("SSH_PUBLIC_KEY", "ssh-ed25519 AAAA"),
    ("API_KEY_PUBLIC", "pk_1"),
    ("PATH", "/usr/bin:/bin"),
)
ARGUMENTS = (
    "--password=hunter2",
    "-token=abc",
    "--db-password='x'",
    "exec app --api-key=abc",
    "https://u:hunter2@git.example/x",
)
HARMLESS_ARGUMENTS = (
    "--password",
    "--password=$(PASSWORD)",
    "--password-file=/run/x",
    "--token-ttl=60",
    "--token=/run/token",
    "--secret-name=x",
    "--tokens-per-minute=5",
    "https://git.example/x",
    "password",
)


def told(**container: object) -> set[str]:
    pod = Object({"kind": "Pod", "metadata": {"name": "app"}, "spec": {"containers": [{"name": "app", **container}]}})
    found = findings([rule for rule in RULES if "secret.env_plaintext" in rule.controls], [pod])
    return {one.rule for one in found}


@pytest.mark.parametrize(("name", "value"), SECRET)
def test_a_credential_in_a_variable(name: str, value: str) -> None:
    assert told(env=[{"name": name, "value": value}]) == {"secret-in-environment"}
    assert told(env=[{"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]) == set()


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_what_only_looks_like_one_in_a_variable(name: str, value: str) -> None:
    assert told(env=[{"name": name, "value": value}]) == set()


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("place", ["command", "args"])
def test_a_credential_in_a_command(argument: str, place: str) -> None:
    assert told(**{place: ["app", argument]}) == {"secret-in-arguments"}


@pytest.mark.parametrize("argument", HARMLESS_ARGUMENTS)
def test_what_only_looks_like_one_in_a_command(argument: str) -> None:
    assert told(args=[argument]) == set()

"""People who live as long as a proof: made at the embedded issuer when a token is wanted, removed when the proof ends.

They are people like all others, made as `garrison users add` makes them: what they may do says what such a person may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import hvac
import requests
from hvac.exceptions import VaultError

from garrison import defaults as d
from garrison.deployment.vault import people
from garrison.deployment.vault.connection import Kept, StoreConnection, StoreError

STEM: Final = "garrison-probe-"
ROLE: Final = "people-admin"


@dataclass
class Probing:
    """The people of one proof."""

    store: Kept
    run: str
    passwords: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)

    def person(self, groups: Sequence[str], claims: Mapping[str, str]) -> str:
        """Somebody new in these groups; raises LookupError where there can be no such person."""
        name = f"{STEM}{self.run}-{len(self.passwords) + 1}"
        try:
            self.passwords[name] = self.store.do(lambda store: people.add(store, name, groups, claims))
        except StoreError as error:
            raise LookupError(str(error)) from None
        return name

    def ask(self, name: str, path: str) -> dict[str, Any]:
        """What the issuer answers to a GET of this person, or of nobody; raises LookupError where it refuses."""
        try:
            found: dict[str, Any] = self.store.do(lambda store: self._ask(store, name, path))
        except StoreError as error:
            raise LookupError(str(error)) from None
        return found

    def _ask(self, store: hvac.Client, name: str, path: str) -> dict[str, Any]:
        if name and name not in self.sessions:
            answer = store.auth.userpass.login(name, self.passwords[name], use_token=False)
            self.sessions[name] = answer["auth"]["client_token"]
        session: requests.Session = store.adapter.session
        headers = {"x-vault-token": self.sessions[name]} if name else {}
        answer = session.get(f"{store.adapter.base_uri}/v1/{path}", headers=headers, timeout=30)
        if answer.status_code != 200:
            raise StoreError(f"the issuer answers {answer.status_code} to {path.partition('?')[0]}")
        body: dict[str, Any] = answer.json()
        return body

    def remove(self) -> None:
        """All people of proofs, those that a killed one left, too."""
        self.store.do(_remove)


def _remove(store: hvac.Client) -> None:
    for person in people.everybody(store):
        if person.name.startswith(STEM):
            with suppress(StoreError, VaultError):  # somebody else removed them meanwhile
                people.remove(store, person.name)


@contextmanager
def probing(run: str, where: StoreConnection | None = None) -> Iterator[Probing]:
    """Removes them at the end, after an error and Ctrl-C, too."""
    made = Probing(Kept(where or StoreConnection.to(d.USERS, ROLE)), run)
    with closing(made.store):
        made.remove()
        try:
            yield made
        finally:
            made.remove()

"""`garrison users`: the people of the embedded issuer and their groups.

It enters as the service account `users/people-admin`: whoever may ask the cluster for a token of it keeps the people.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from typing import Any

from garrison import defaults as d
from garrison.errors import GarrisonError
from garrison.exits import Exit

ROLE = "people-admin"
PATIENCE = 20.0  # seconds for a store that is just starting
EPILOG = """examples:
  garrison users add alice --group customers             prints the first password, once
  garrison users add bob --group customers --claim customer=42
  garrison users join alice --group claims-managers
  garrison users list
  garrison users remove alice                            what she is logged in as ends with it

docs/users.md has the first user, lost passwords and the way in when nothing else works.
"""


class PeopleError(GarrisonError):
    """The people of the estate cannot be asked for or changed so."""


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(
        prog="garrison users",
        description="Keep the people of the embedded issuer. Groups are those that the program's routes name.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--address", metavar="URL", help="the issuer's OpenBao reached directly, with BAO_TOKEN")
    made.add_argument("--ca", metavar="FILE", help="the CA of that address")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    _verb(commands, "list", "everybody, with their groups", _list, named=False)
    _verb(commands, "groups", "every group, with who is in it", _groups, named=False)
    new = _verb(commands, "add", "make a person known; prints the first password, once", _add)
    new.add_argument("--group", action="append", default=[], metavar="GROUP", help="may be given several times")
    claim = "what conditions of the program ask of this person; may be given several times"
    new.add_argument("--claim", action="append", default=[], metavar="NAME=VALUE", type=_claim, help=claim)
    for name, text, run in (("join", "put a person into groups", _join), ("leave", "take one out of groups", _leave)):
        some = _verb(commands, name, text, run)
        some.add_argument("--group", action="append", required=True, metavar="GROUP", help="may be given several times")
    _verb(commands, "reset", "a new password for somebody who lost theirs; prints it, once", _reset)
    _verb(commands, "remove", "take a person away, with what they are logged in as", _remove)
    return made


def _verb(commands: Any, name: str, text: str, run: Callable[..., None], *, named: bool = True) -> Any:
    verb = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    verb.set_defaults(run=run)
    if named:
        verb.add_argument("name", metavar="NAME")
    return verb


def _claim(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def main(arguments: Sequence[str]) -> int:
    """Do one thing; raises GarrisonError for what cannot be done."""
    options = parser().parse_args(arguments)
    try:
        people = importlib.import_module("garrison.deployment.vault.people")
        connection = importlib.import_module("garrison.deployment.vault.connection")
    except ImportError:
        raise PeopleError("this needs hvac and Pulumi: pip install 'garrison[pulumi]'") from None
    direct = {"address": options.address, "ca_file": options.ca}
    where = connection.StoreConnection(d.USERS.namespace, d.USERS.name, ROLE, d.USERS.name, **direct)
    connection.patiently(where, lambda store: options.run(people, store, options), patience=PATIENCE)
    return Exit.CLEAN


def _list(people: Any, store: Any, _: argparse.Namespace) -> None:
    rows = [("NAME", "GROUPS", "CLAIMS")]
    for one in people.everybody(store):
        claims = " ".join(f"{name}={value}" for name, value in sorted(one.claims.items()))
        rows.append((one.name, ", ".join(one.groups) or "-", claims or "-"))
    _table(rows)


def _groups(people: Any, store: Any, _: argparse.Namespace) -> None:
    _table([("GROUP", "PEOPLE"), *((name, ", ".join(found) or "-") for name, found in people.members(store).items())])


def _add(people: Any, store: Any, options: argparse.Namespace) -> None:
    password = people.add(store, options.name, options.group, dict(options.claim))
    _once(options.name, password)


def _reset(people: Any, store: Any, options: argparse.Namespace) -> None:
    _once(options.name, people.reset(store, options.name))


def _once(name: str, password: str) -> None:
    print(f"user      {name}\npassword  {password}\n")
    print(f"It is shown this once; `garrison password --user {name}` changes it.")


def _join(people: Any, store: Any, options: argparse.Namespace) -> None:
    people.regroup(store, options.name, options.group, there=True)


def _leave(people: Any, store: Any, options: argparse.Namespace) -> None:
    people.regroup(store, options.name, options.group, there=False)


def _remove(people: Any, store: Any, options: argparse.Namespace) -> None:
    people.remove(store, options.name)


def _table(rows: Sequence[Sequence[str]]) -> None:
    *widths, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    for *cells, last in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last]))

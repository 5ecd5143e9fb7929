"""`garrison token` and `garrison password`: what a person or a machine with a password does at the embedded issuer."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from garrison.cluster import Cluster
from garrison.declare import program
from garrison.derive import tokens, users
from garrison.errors import did_you_mean
from garrison.exits import Exit
from garrison.model.graph import Graph
from garrison.people.door import Door, DoorError
from garrison.settings import cluster_of

LEAST = 12  # letters of a password that somebody chose; OpenBao itself takes any
EPILOG = """examples:
  garrison token --user alice                             asks for the password, prints a token of some minutes
  token=$(garrison token --user alice < password-file)    a machine: one line on standard input
  curl -H "Authorization: Bearer $token" https://api.estate.example/orders/1
  garrison token --user alice --edge https://127.0.0.1:8443 --ca ca.pem     an edge on this machine

The password is never an argument: others see those. docs/users.md has the two requests for curl alone.
"""


def parser() -> argparse.ArgumentParser:
    """Options of `garrison token`."""
    made = _parser("garrison token", "Log in and print a token for the hosts at which no browser logs in.", EPILOG)
    made.add_argument("--host", metavar="NAME", help="for this host; all of them take the same token")
    return made


def password_parser() -> argparse.ArgumentParser:
    """Options of `garrison password`."""
    return _parser("garrison password", "Change your own password. What you are logged in as goes on.", None)


def _parser(name: str, text: str, epilog: str | None) -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    made = argparse.ArgumentParser(prog=name, description=text, epilog=epilog, formatter_class=form)
    made.add_argument("--app", type=Path, default=program.DEFAULT, help="the program or graph (default: %(default)s)")
    made.add_argument("--cluster", type=Path, metavar="FILE", help="the stack's file: the port of its edge")
    made.add_argument("--user", metavar="NAME", default=getpass.getuser(), help="default: %(default)s")
    made.add_argument("--edge", metavar="URL", help="where the edge is reached, if its names lead elsewhere")
    made.add_argument("--ca", type=Path, metavar="FILE", help="the CA of its certificates (default: this machine's)")
    return made


def main(arguments: Sequence[str]) -> int:
    """Print one token; raises DoorError where there is none."""
    options = parser().parse_args(arguments)
    graph, door = _entrance(options)
    if options.host:
        _takes_tokens(graph, options.host)
    session = _login(door, options.user, _secret(f"password of {options.user}: "))
    status, answer = door.ask("GET", f"/v1/identity/oidc/token/{users.API}", token=session)
    _leave(door, session)
    if status != 200 or not isinstance(answer, dict):
        raise DoorError(f"{door.url} gives {options.user} no token (status {status})")
    print(answer["data"]["token"])
    return Exit.CLEAN


def _takes_tokens(graph: Graph, host: str) -> None:
    known = [one.name for one in graph.hosts if not one.login]
    if host not in known:
        remedy = did_you_mean(host, known, f"those that take one: {', '.join(known) or 'none'}")
        raise DoorError(f"{host} takes no such token; {remedy}")


def _entrance(options: argparse.Namespace) -> tuple[Graph, Door]:
    graph = program.graph_of(options.app)
    issuer = graph.embedded_issuer
    if issuer is None:
        raise DoorError("the program declares no users of its own (estate.users()); ask its issuer for a token")
    cluster = cluster_of(options.cluster) if options.cluster else Cluster()
    return graph, Door(tokens.url(graph, cluster, issuer.login), options.edge, options.ca)


def _secret(prompt: str) -> str:
    """From the terminal without an echo, else the first line of standard input."""
    try:
        said = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    except EOFError:
        said = ""
    if not said:
        raise DoorError("no password: type it, or give it as a line on standard input")
    return said


def _login(door: Door, user: str, password: str) -> str:
    if not users.PERSON.fullmatch(user):
        raise DoorError(f"{user!r} is no name of a user; use --user")
    status, answer = door.ask("POST", f"/v1/auth/userpass/login/{user}", {"password": password})
    if status in (400, 403):
        raise DoorError(f"{door.url} refuses {user}: no such user, a wrong password, or too many of them of late")
    if status == 429:
        raise DoorError(f"{door.url}: too many logins from here; wait and try again")
    if status != 200 or not isinstance(answer, dict):
        raise DoorError(f"{door.url} answers a login with status {status}; is it the estate's issuer?")
    return str(answer["auth"]["client_token"])


def _leave(door: Door, session: str) -> None:
    """The login itself is over when the token is there; it would end by itself within the hour."""
    door.ask("POST", "/v1/auth/token/revoke-self", token=session)


def change(arguments: Sequence[str]) -> int:
    """Change the password of whoever knows it."""
    options = password_parser().parse_args(arguments)
    _, door = _entrance(options)
    session = _login(door, options.user, _secret("old password: "))
    new = _secret("new password: ")
    if len(new) < LEAST:
        raise DoorError(f"a password of {len(new)} letters; use {LEAST} or more")
    if sys.stdin.isatty() and _secret("the new one again: ") != new:
        raise DoorError("the two differ; nothing was changed")
    status, _answer = door.ask("POST", f"/v1/auth/userpass/users/{options.user}/password", {"password": new}, session)
    _leave(door, session)
    if status not in (200, 204):
        raise DoorError(f"{door.url} does not change it (status {status})")
    return Exit.CLEAN

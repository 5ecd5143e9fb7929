"""`garrison store`: the policies that a server of the platform was given at its first start, as this version has them.

A server reads them once. When a newer Garrison asks for more, somebody with break-glass rights writes them again:
`garrison store policies | sh` in the session that docs/secret-store.md or docs/users.md describes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from garrison.deployment.platform import store_config, users_config
from garrison.exits import Exit

STEM: Final = "sys/policies/acl/"
END: Final = "END_OF_POLICY"


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(prog="garrison store", description="What a server of the platform is told once.")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    text = "print the commands that write the server's policies again, for a break-glass session: ... | sh"
    verb = commands.add_parser("policies", help=text, description=text[0].upper() + text[1:] + ".")
    verb.add_argument("--users", action="store_true", help="those of the embedded issuer (default: the secret store's)")
    return made


def main(arguments: Sequence[str]) -> int:
    """Print; nothing is asked and nothing is written."""
    print(commands(users=parser().parse_args(arguments).users), end="")
    return Exit.CLEAN


def commands(*, users: bool) -> str:
    """One `bao policy write` for each policy but break-glass, which never changes."""
    requests = users_config.initial_requests() if users else store_config.initial_requests("0s")
    found = {
        request.path.removeprefix(STEM): request.data["policy"] for request in requests if "policy" in request.data
    }
    del found[store_config.BREAK_GLASS]
    return "".join(f"bao policy write {name} - <<'{END}'\n{text}{END}\n" for name, text in found.items())

"""`garrison deployer`: the roles of least privilege for whoever runs `pulumi up`, for an administrator to apply."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from garrison.declare import program
from garrison.exits import Exit
from garrison.settings import Settings, parse, settings_of
from garrison_stack import files, roles
from garrison_stack.rights import Rights, namespaces
from garrison_stack.whole import Whole, whole

HEAD: Final = """\
# What {app} needs of who deploys it, and nothing more: kubectl apply -f - (docs/your-own-cluster.md, Who deploys).
# The namespaces stand here because the roles stand in them; `pulumi destroy` takes both away.
"""
PLATFORM: Final = """\
# NOT SMALL: {what} installed here too, and nobody gives rights that he does not have. Whoever
# has these roles is an administrator of the cluster in effect; a platform that stands already leaves them small.
"""


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(
        prog="garrison deployer",
        description="Print the namespaces, roles and bindings that whoever runs pulumi up needs, and nothing more, "
        "for an administrator to apply. Without a name: for the deployers of the settings.",
    )
    add = made.add_argument
    add("--app", type=Path, default=program.DEFAULT, help="the program or graph (default: %(default)s)")
    add("--cluster", type=Path, metavar="FILE", help="the stack's file, with its settings")
    text = "the program or graph that is deployed: what it has and the new one has not may be taken away, too"
    add("--instead-of", type=Path, metavar="OLD", help=text)
    who = made.add_mutually_exclusive_group()
    who.add_argument("--account", metavar="NAMESPACE/NAME", help="a service account that deploys")
    who.add_argument("--user", metavar="NAME", help="a user, as `kubectl auth whoami` says it")
    who.add_argument("--group", metavar="NAME", help="a group")
    add("--exceptions", type=Path, metavar="FILE", help="exceptions to policy rules, as the program has them")
    return made


def main(arguments: Sequence[str]) -> int:
    """Print; raises a GarrisonError for what cannot be derived."""
    options = parser().parse_args(arguments)
    settings = settings_of(options.cluster, os.environ) if options.cluster else parse({}, os.environ)
    people = roles.subjects(_people(options, settings))
    what = _whole(options.app, settings, options)
    rights, spaces = Rights.of(what), namespaces(what)
    if options.instead_of:
        old = _whole(options.instead_of, settings, options)
        rights, spaces = rights | Rights.of(old), namespaces(old) | spaces
    name = what.estate.graph.name
    print(_head(name, what) + files.stream(roles.objects(name, rights.every, spaces.values(), people)), end="")
    return Exit.CLEAN


def _people(options: argparse.Namespace, settings: Settings) -> Sequence[str]:
    if options.account:
        return [roles.of_account(options.account)]
    named = [f"{kind}:{name}" for kind in ("user", "group") if (name := getattr(options, kind)) is not None]
    return named or settings.deployers


def _whole(app: Path, settings: Settings, options: argparse.Namespace) -> Whole:
    return whole(program.graph_of(app), settings, exceptions=options.exceptions)


def _head(app: str, what: Whole) -> str:
    settings = what.settings
    parts = {"cert-manager": settings.install_cert_manager, "trust-manager": settings.install_trust_manager}
    parts |= {"OpenBao": settings.install_openbao, "the users' OpenBao": what.users}
    installed = [name for name, here in parts.items() if here]
    plural = "are" if len(installed) > 1 else "is"
    return HEAD.format(app=app) + PLATFORM.format(what=f"{', '.join(installed)} {plural}") * bool(installed)

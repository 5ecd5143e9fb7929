"""The verb `garrison ci`: lint workflows; make reports and judge them; show what a change does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from garrison_supply.pipelines import bills, changes, comment, gate, lint, record, sign

Add = Callable[[argparse.ArgumentParser], None]
VERBS: tuple[tuple[str, Add, str], ...] = (
    ("lint", lint.add_arguments, "workflows of GitHub Actions and GitLab CI against the rules"),
    ("run", record.add_arguments, "run one check and write its report"),
    ("gate", gate.add_arguments, "all reports of one list, and one verdict"),
    ("changes", changes.add_arguments, "what differs between the manifests of another commit and these"),
    ("comment", comment.add_arguments, "the comment on a change, made from the report of its preview"),
    ("bills", bills.add_arguments, "how many packages each image's bill of materials lists"),
    ("sign", sign.add_sign_arguments, "sign the images of a lock"),
    ("verify", sign.add_verify_arguments, "whether each image of a lock is signed by a key of the settings"),
)
DESCRIPTION = "Lint workflows; make reports of checks, and judge them at a gate; show what a change does."


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 clean, 1 refused, 2 could not be done."""
    options = parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def parser() -> argparse.ArgumentParser:
    """All its commands."""
    made = argparse.ArgumentParser(prog="garrison ci", description=DESCRIPTION)
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for name, add, text in VERBS:
        add(commands.add_parser(name, help=text))
    return made

"""The command `garrison`: graph and completion here, the other verbs in modules of their own.

Bad input ends in one clear line and a non-zero exit code, and it is here that every error of ours becomes one. A verb
of `ELSEWHERE` is imported when it is asked for, so that `garrison check` starts without the probes and the other way
round.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from garrison import completion, exits
from garrison.declare import program
from garrison.errors import GarrisonError
from garrison.exits import Exit
from garrison.explain import choice, diagram, drawing
from garrison.model import codec
from garrison.model.parts import Parts
from garrison.version import VERSION

DRAWINGS: dict[str, Callable[[Parts, str], str]] = {
    "table": diagram.table,
    "mermaid": diagram.mermaid,
    "svg": drawing.svg,
    "json": codec.write,
}
# verb -> the module that runs it, and what it is for. A module has `parser()`, and `main(arguments)`, which returns the
# exit code and raises a GarrisonError for what cannot be done.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "render": (
        "garrison_stack.command",
        "every Kubernetes manifest as YAML, or with -o all that a GitOps controller needs",
    ),
    "prove": ("garrison.prove.command", "probe the live cluster: what is declared, and the rest"),
    "check": (
        "garrison_policies.commands.check",
        "policy rules on files, on rendered manifests or on the live cluster",
    ),
    "doctor": (
        "garrison.doctor.command",
        "what a cluster has, the settings that follow, and with --live whether it enforces network policies",
    ),
    "import": ("garrison_import.command", "a first program from Kubernetes manifests, charts and kustomizations"),
    "changes": ("garrison.explain.command", "what a change means: who may newly do what, who no longer"),
    "exceptions": (
        "garrison_policies.commands.exceptions",
        "the exceptions to policy rules, with days left",
    ),
    "files": ("garrison.places", "where the policy pack, the exceptions and the probe tool of this installation are"),
    "scan": (
        "garrison_supply.scan.command",
        "vulnerabilities, secrets, misconfiguration, licences, signatures",
    ),
    "outdated": ("garrison_supply.outdated.command", "what is behind: dependencies, base packages, charts and tools"),
    "users": ("garrison.people.users", "the people of the embedded issuer and their groups"),
    "token": ("garrison.people.token", "log in at the embedded issuer and print a token for the hosts of the edge"),
    "password": ("garrison.people.password", "change your own password at the embedded issuer"),
    "deployer": ("garrison_stack.deployer", "the roles of least privilege for whoever runs pulumi up"),
    "store": ("garrison.deployment.store_command", "the OpenBaos of the platform: their policies, and what files hold"),
    "issuer": ("garrison.people.issuer", "what another issuer says of itself, as a line of a program"),
    "ci": ("garrison_supply.pipelines.command", "lint workflows; make reports of checks, and judge them at a gate"),
}
EPILOG = f"""examples:
  garrison graph --app estate.py                    who may call whom, and who from outside; all else is refused
  garrison graph --of orders --depth 2 --format svg what orders reaches in two steps, as a picture
  garrison render --app estate.py > manifests.yaml  the manifests, without a cluster
  garrison render -o deploy --cluster Pulumi.x.yaml all that a cluster needs, for Argo CD or Flux
  helm template shop | garrison import - -o shop.py a first program from what there is
  garrison check deploy/ --format sarif             files against the rules, for a code-scanning service
  garrison doctor                                   this cluster, and what a stack on it has to say
  garrison doctor --live                            does it enforce network policies, and from when on?
  garrison check --live --app estate.py             is the cluster what the program derives?
  garrison prove --app estate.py                    probe it
  garrison prove --app estate.py --edge URL         the edge alone, as anybody reaches it: no cluster is asked
  garrison deployer --account ci/deployer           what an administrator grants to whoever deploys
  garrison users add alice --group customers        a person, with a password that is shown once
  garrison token --user alice                       her token, for `curl -H "Authorization: Bearer ..."`
  garrison ci lint                                  the workflows of this repository
  source <(garrison completion bash)                completion in this shell

exit codes:
{exits.table()}

docs/verbs.md says what a program can declare, docs/check.md, docs/prove.md, docs/users.md, docs/scanning.md and
docs/ci.md the rest.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, one of `garrison.exits`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = f"garrison {given[0]}" if given and given[0] in ELSEWHERE else "garrison"
    with contextlib.suppress(AttributeError):  # a stream that a test put there has no encoding to be tolerant about
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = _run(given)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where an error can still be said and counted
        return code
    except GarrisonError as error:
        return _failed(name, *str(error).splitlines())
    except BrokenPipeError:
        _let_go()
        return Exit.READER_GONE
    except OSError as error:  # a full disk, a file that went away: what could not be done is never clean
        _let_go()
        return _failed(name, f"{error.filename or 'the output'}: {error.strerror or error}")
    except KeyboardInterrupt:
        _failed(name, "interrupted; run the same command again")
        return Exit.INTERRUPTED


def _failed(name: str, *lines: str) -> Exit:
    for line in lines:
        print(f"{name}: {line}", file=sys.stderr)
    return Exit.COULD_NOT


def _let_go() -> None:
    """Python writes what is left when it ends, and would fail a second time."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _run(given: Sequence[str]) -> int:
    if given and given[0] in ELSEWHERE:
        elsewhere: int = _elsewhere(given[0]).main(given[1:])
        return elsewhere
    options = _parser().parse_args(given)
    code: int = options.run(options)
    return code


def _elsewhere(verb: str) -> Any:
    return importlib.import_module(ELSEWHERE[verb][0])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="garrison",
        description="Zero-trust Kubernetes from one declared call graph.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"garrison {VERSION}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--app", type=Path, default=program.DEFAULT, help="the program or graph (default: %(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    draw = commands.add_parser(
        "graph",
        parents=[shared],
        help="show the declared graph as a table, picture or JSON",
        description="Who may call whom, and who may come in at which host, on which terms. Everything else is refused.",
        epilog="svg and mermaid draw it: dashed and green is for anybody, violet carries a user's token. In an svg, a "
        "pointer on a part leaves its own lines alone, and on a line says what it may do; above 40 lines, boxes have "
        "names only.",
    )
    draw.add_argument("--of", metavar="NAME", default="", help="only what NAME reaches: a service, host, 'edge'")
    draw.add_argument("--to", metavar="NAME", default="", help="only what reaches NAME: also a database, a secret")
    draw.add_argument("--depth", metavar="N", type=_steps, help="at most N steps from there (default: all)")
    draw.add_argument("--format", choices=DRAWINGS, default="table", help="default: %(default)s")
    draw.set_defaults(run=_draw)

    complete = commands.add_parser("completion", help="write the completion of a shell")
    complete.add_argument("shell", choices=completion.SHELLS)
    complete.set_defaults(run=_complete)

    for name, (_, text) in ELSEWHERE.items():
        commands.add_parser(name, help=text)
    return parser


def _draw(options: argparse.Namespace) -> int:
    what = choice.Choice(options.of, options.to, options.depth)
    if options.depth and not what:
        raise choice.ChoiceError("--depth counts steps from somewhere: say --of NAME or --to NAME, too")
    print(DRAWINGS[options.format](choice.chosen(program.graph_of(options.app), what), str(what)), end="")
    return Exit.CLEAN


def _steps(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of steps, such as 2")
    return int(text)


def _complete(options: argparse.Namespace) -> int:
    words = completion.words(_parser(), {verb: _elsewhere(verb).parser() for verb in ELSEWHERE})
    print(completion.SHELLS[options.shell](words), end="")
    return Exit.CLEAN

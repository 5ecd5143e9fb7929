"""`garrison store`: what a server of the platform is told besides what Pulumi tells it.

A server reads its policies once, at its first start. When a newer Garrison asks for more, somebody with break-glass
rights writes them again: `garrison store policies | sh` in the session that docs/secret-store.md or docs/users.md
describes. Where files are deployed and not a Pulumi program, `garrison store apply` does what is in no manifest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from garrison.cluster import Store
from garrison.deployment import store_file
from garrison.deployment.platform import store_config, users_config
from garrison.deployment.store_file import StoreFile
from garrison.exits import Exit
from garrison.settings import cluster_of
from garrison.words import Ref

STEM: Final = "sys/policies/acl/"
END: Final = "END_OF_POLICY"
WAIT: Final = 600


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(prog="garrison store", description="What a server of the platform is told.")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    text = "print the commands that write the server's policies again, for a break-glass session: ... | sh"
    verb = commands.add_parser("policies", help=text, description=text[0].upper() + text[1:] + ".")
    verb.add_argument("--users", action="store_true", help="those of the embedded issuer (default: the secret store's)")
    said = "for the store of this stack's settings: what its administrator sets up and grants (docs/secret-store.md)"
    verb.add_argument("--cluster", type=Path, metavar="FILE", help=said)
    verb.set_defaults(run=_policies)
    text = "bring what garrison render -o DIR wrote for the stores into them, unseal keys included"
    verb = commands.add_parser("apply", help=text, description=text[0].upper() + text[1:] + "; again at any time.")
    verb.add_argument("file", type=Path, metavar="FILE", help="DIR/store.json")
    said = "the file that was applied before: what it has and FILE has not is taken away"
    verb.add_argument("--instead-of", type=Path, metavar="OLD", help=said)
    said = "how long a store that is being deployed meanwhile may take to be there (default: %(default)s)"
    verb.add_argument("--wait", type=int, metavar="SECONDS", default=WAIT, help=said)
    verb.set_defaults(run=_apply)
    text = "take away what garrison store apply brought into the stores, for a program that is gone"
    verb = commands.add_parser("remove", help=text, description=text[0].upper() + text[1:] + "; values stay.")
    verb.add_argument("file", type=Path, metavar="FILE", help="the DIR/store.json that was applied last")
    verb.set_defaults(run=_remove)
    return made


def main(arguments: Sequence[str]) -> int:
    """Print, or apply; raises GarrisonError for what cannot be done."""
    options = parser().parse_args(arguments)
    options.run(options)
    return Exit.CLEAN


def _policies(options: argparse.Namespace) -> None:
    store = cluster_of(options.cluster).store if options.cluster else Store()
    own = options.users or store == Store()
    print(commands_of(users=options.users) if own else set_up(store), end="")


def set_up(store: Store) -> str:
    """What an administrator of a store does for one cluster: the policy and the login at any time, the rest once."""
    account = Ref.parse(store.deployer)
    name = store.name(account.name)
    role = store_config.login_role(name, account, store.audience)
    words = " ".join(f"{key}={value[0] if isinstance(value, list) else value}" for key, value in role.items())
    config = "kubernetes_host=https://... kubernetes_ca_cert=@ca.crt token_reviewer_jwt=@reviewer.jwt"
    lines = [
        f"# {store.address}; for HashiCorp Vault write vault instead of bao",
        *([f"export BAO_NAMESPACE={store.tenant} VAULT_NAMESPACE={store.tenant}"] if store.tenant else []),
        "# once, what is not there yet:",
        f"#   bao secrets enable -path={store.kv} -version=2 kv",
        f"#   bao secrets enable -path={store.database} database",
        f"#   bao auth enable -path={store.auth} kubernetes",
        f"#   bao write auth/{store.auth}/config {config}",
        _written(name, store_config.text(store_config.required(store, account.name)))
        + f"bao write {store.login(name)} {words}",
    ]
    return "\n".join(lines) + "\n"


def _written(name: str, text: str) -> str:
    return f"bao policy write {name} - <<'{END}'\n{text}{END}\n"


def commands_of(*, users: bool) -> str:
    """One `bao policy write` for each policy but break-glass, which never changes."""
    requests = users_config.initial_requests() if users else store_config.initial_requests("0s")
    found = {
        request.path.removeprefix(STEM): request.data["policy"] for request in requests if "policy" in request.data
    }
    del found[store_config.BREAK_GLASS]
    return "".join(map(_written, found, found.values()))


def _apply(options: argparse.Namespace) -> None:
    new = store_file.read(options.file)
    _bring(new, store_file.read(options.instead_of) if options.instead_of else None, options.wait)


def _remove(options: argparse.Namespace) -> None:
    old = store_file.read(options.file)
    _bring(replace(old, kept=(), keys=()), old, 0)


def _bring(new: StoreFile, old: StoreFile | None, wait: float) -> None:
    try:
        from garrison.deployment.vault import applying  # here alone: nothing else here needs them
    except ImportError:
        raise store_file.StoreFileError("this needs hvac and Pulumi: pip install 'garrison[pulumi]'") from None
    for line in applying.applied(new, old, wait):
        print(line, flush=True)

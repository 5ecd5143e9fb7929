"""Tools and charts that come as Go modules: the newest release the module proxy of the machine's GOPROXY offers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from garrison_supply.outdated.model import Behind, UnknownError, ask
from garrison_supply.scan.settings import WITHDRAWN

_RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)(\+incompatible)?\Z")
TRIVY = "github.com/aquasecurity/trivy"


def pins(file: Path) -> dict[str, str]:
    """Module to version: the modules of a go.mod's tools; without tools the module it lies in, or all it requires."""
    said: Any = json.loads(ask(["go", "mod", "edit", "-json", file], env={"GOFLAGS": ""}))
    required = {row["Path"]: row["Version"] for row in said.get("Require") or ()}
    if tools := [row["Path"] for row in said.get("Tool") or ()]:
        owners = {max((m for m in required if f"{tool}/".startswith(f"{m}/")), key=len, default="") for tool in tools}
        return {module: required[module] for module in sorted(owners) if module}
    direct = {row["Path"] for row in said.get("Require") or () if not row.get("Indirect")}
    # A main of ours inside another module's path is there to build that module.
    direct = {module for module in direct if said["Module"]["Path"].startswith(f"{module}/")} or direct
    return {module: required[module] for module in sorted(direct)}


def behind(file: Path) -> list[Behind]:
    """What the modules of a go.mod are behind their newest release."""
    found = []
    for module, version in pins(file).items():
        latest = newest(module)
        if _order(latest) > _order(version):
            found.append(Behind(kind="go", name=module, file=str(file), current=version, newest=latest))
    return found


def newest(module: str) -> str:
    """The newest release of a module that was not withdrawn."""
    told = ask(["go", "list", "-m", "-versions", "-json", module], env={"GOFLAGS": "-mod=mod", "GO111MODULE": "on"})
    withdrawn = {f"v{version}" for version in WITHDRAWN} if module == TRIVY else set()
    releases = [one for one in json.loads(told).get("Versions") or () if _RELEASE.match(one) and one not in withdrawn]
    if not releases:
        raise UnknownError(f"the module proxy lists no release of {module}")
    best: str = max(releases, key=_order)
    return best


def _order(version: str) -> tuple[int, ...]:
    """Releases by number; a commit between two releases counts as the release before it."""
    found = re.match(r"v(\d+)\.(\d+)\.(\d+)", version)
    return tuple(int(number) for number in found.groups()) if found else ()

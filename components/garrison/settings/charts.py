"""Where the platform's charts come from: a folder, a registry, or a repository; what is fetched is pinned by digest."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from garrison.errors import did_you_mean

NAMES: Final = ("cert-manager", "trust-manager")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_LOOPBACK: Final = r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/|$)"
_EXAMPLE: Final = '{"cert-manager": "oci://HOST/PATH@sha256:...", "trust-manager": "a/folder"}'


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A chart that is fetched.

    oci: the digest is the manifest's, as a registry names it. A repository: it is the archive's, as its index says it.
    """

    repository: str
    """`oci://HOST/PATH` with the chart's own name at the end, or the URL of a repository."""
    digest: str
    version: str = ""
    """In a repository; a registry needs none."""

    @property
    def oci(self) -> bool:
        return self.repository.startswith("oci://")

    @property
    def plain(self) -> bool:
        """Whether it is on this machine, where nobody has certificates."""
        return bool(re.match(_LOOPBACK, self.repository.partition("://")[2]))

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}"


Source = Path | Reference


@dataclass(frozen=True)
class Charts:
    """Each chart with where it is from."""

    sources: tuple[tuple[str, Source], ...]

    @classmethod
    def within(cls, folder: Path) -> Charts:
        """Those in one folder, each in one of its own name."""
        return cls(tuple((name, folder / name) for name in NAMES))

    def of(self, name: str) -> Source | None:
        """Where that chart is from, if anybody said so."""
        return dict(self.sources).get(name)


def read_charts(text: str) -> Path | Charts:
    """A folder with all of them, or an object with one word or object for each; else a ValueError."""
    if not text.startswith("{"):
        return _folder(text)
    return Charts(tuple((name, _source(name, value)) for name, value in sorted(_object(text).items())))


def read_values(text: str) -> tuple[tuple[str, Path], ...]:
    """A file of values for each chart."""
    found = _object(text) if text.startswith("{") else {}
    if not found or not all(isinstance(file, str) and Path(file).is_file() for file in found.values()):
        raise ValueError('write charts and files that exist, such as {"cert-manager": "values.yaml"}')
    return tuple(sorted((name, Path(file)) for name, file in found.items()))


def _object(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        raise ValueError(f"write a folder, or an object such as {_EXAMPLE}") from None
    for name in said:
        if name not in NAMES:
            raise ValueError(f"{name!r} is no chart of the platform; {did_you_mean(name, NAMES, ' and '.join(NAMES))}")
    return dict(said)


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise ValueError("there is no such folder")
    return Path(text)


def _source(name: str, said: Any) -> Source:
    if isinstance(said, dict):
        known = [one.name for one in fields(Reference)]
        if set(said) != set(known) or not all(isinstance(value, str) for value in said.values()):
            raise ValueError(f"{name}: a repository has {', '.join(known)}, and nothing else")
        return _sound(name, Reference(**said))
    if isinstance(said, str):
        place, _, digest = said.partition("@")
        return _sound(name, Reference(repository=place, digest=digest)) if said.startswith("oci://") else _folder(said)
    raise ValueError(f"{name}: write a folder, or oci://HOST/PATH@sha256:...")


def _sound(name: str, found: Reference) -> Reference:
    if not _DIGEST.fullmatch(found.digest):
        raise ValueError(f"{name}: pin it by digest, sha256: and 64 digits; a tag or a version can be moved")
    if found.oci and found.version:
        raise ValueError(f"{name}: a digest says which it is; leave the version out")
    secure = found.repository.startswith(("https://", "oci://")) or (
        found.repository.startswith("http://") and found.plain
    )
    if not secure or re.search(r"[\s@?#]", found.repository.partition("://")[2]):
        raise ValueError(f"{name}: write https://HOST/PATH or oci://HOST/PATH, without a user; plain http is refused")
    if not found.oci and not re.fullmatch(r"v?[0-9][0-9A-Za-z.+-]*", found.version):
        raise ValueError(f"{name}: {found.version!r} is not a version; write the one that the digest is of")
    return found

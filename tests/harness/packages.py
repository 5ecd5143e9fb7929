"""The packages this machine builds with: those of the committed locks, or what Debian has in their place.

Debian's archive drops a version when a security update replaces it, so a pin lives as long as its version. Where one
is gone, the version offered now is taken, verified by Debian's own signature, and that is said; the lock that was
really used is kept in the state folder until the committed one changes. The pins move by `harness.images lock` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import archive, debs, manifest, paths
from harness.debs import REFRESH, Deb
from harness.errors import HarnessError
from harness.progress import say


def chosen(lock: Path) -> Path:
    """The lock to build from, as last settled here."""
    own = _own(lock)
    return own if own.exists() else lock


def replaced(lock: Path) -> bool:
    """Whether this machine builds with other versions than the committed lock names."""
    return _own(lock).exists()


def settled(lock: Path) -> Path:
    """The lock to build from, with every package of it in the cache."""
    missing = [deb for deb in debs.read_lock(chosen(lock)) if not deb.cached.exists()]
    if gone := _fetched_but(missing):
        _replace(lock, gone)
        return settled(lock)
    return chosen(lock)


def forget() -> None:
    """Drop what stood in for pins: they have moved."""
    for own in _folder().glob("*.lock"):
        own.unlink()


def _folder() -> Path:
    return paths.state() / "packages"


def _own(lock: Path) -> Path:
    """The name carries the committed lock's hash, so that a moved pin ends the stand-in."""
    return _folder() / f"{lock.stem}-{manifest.digest(lock)[:12]}.lock"


def _fetched_but(missing: Sequence[Deb]) -> list[Deb]:
    """Fetch packages; returns, with none of them fetched, those whose version the archives no longer have."""
    source = archive.configured()
    if not missing:
        return []
    try:
        source.download(missing)
    except HarnessError:  # the lists may be older than the lock, or than the archive: read them once more
        source.update()
        known = {(deb.name, deb.version) for deb in source.offered(deb.name for deb in missing)}
        if gone := [deb for deb in missing if (deb.name, deb.version) not in known]:
            return gone
        source.download(missing)
    return []


def _replace(lock: Path, gone: Sequence[Deb]) -> None:
    """Write the lock that stands in: what Debian offers now for the packages that are gone and those made with them."""
    pinned = debs.read_lock(chosen(lock))
    versions = {deb.version for deb in gone}  # packages of one source carry one version, and fit only each other
    stale = [deb for deb in pinned if deb.version in versions]
    source = archive.debian()
    source.update()
    offered = {deb.name: deb for deb in source.offered((deb.name for deb in stale), newest=True)}
    if lost := [deb.name for deb in gone if offered.get(deb.name, deb) == deb]:
        raise HarnessError(f"{lock.name}: Debian has no {', '.join(lost)} any more; change the recipe, then: {REFRESH}")
    taken = [offered.get(deb.name, deb) for deb in stale]
    source.download([deb for deb in taken if not deb.cached.exists()])
    debs.write_lock(_own(lock), [deb for deb in pinned if deb not in stale] + taken)
    changes = ", ".join(f"{old.name} {old.version} -> {new.version}" for old, new in zip(stale, taken, strict=True))
    say(f"{lock.name}: gone from the archive, taken instead, signed by Debian: {changes} (moves the pins: {REFRESH})")

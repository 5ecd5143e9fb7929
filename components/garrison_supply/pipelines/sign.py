"""`garrison ci sign` and `verify`: signatures of the images of a lock, by key, with nothing but cosign."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from garrison_supply.pipelines import subject
from garrison_supply.pipelines.errors import PipelineError
from garrison_supply.scan import binary, settings, signature
from garrison_supply.scan.model import ScanError

# The public key of a throw-away pair. A change is signed with one, so that the same steps run and no secret is there.
THROW_AWAY = "throw-away.pub"


def add_sign_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `sign`."""
    _add_places(parser)
    parser.add_argument("--key", type=Path, help="the private key, its password in COSIGN_PASSWORD; none: a throw-away")
    parser.set_defaults(run=sign)


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `verify`."""
    _add_places(parser)
    parser.set_defaults(run=verify)


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--signatures", type=Path, required=True, help="the folder of signatures")
    parser.add_argument("--lock", type=Path, default=subject.LOCK, help="the images (default: %(default)s)")
    parser.add_argument("--settings", type=Path, default=settings.FILE, help="cosign and keys (default: %(default)s)")


def sign(options: argparse.Namespace) -> int:
    """Sign every image of the lock and print their names."""
    images, folder = subject.images(options.lock), options.signatures
    folder.mkdir(parents=True, exist_ok=True)
    # The public half of an earlier throw-away key must not stay beside signatures of the real one.
    (folder / THROW_AWAY).unlink(missing_ok=True)
    try:
        cosign = binary.verified(_settings(options.settings).cosign, os.environ)
        with _key(cosign, options) as (key, password):
            for image in images.values():
                signature.sign(cosign, image, key=key, password=password, folder=folder)
    except ScanError as error:
        raise PipelineError(str(error)) from None
    json.dump({"signed": sorted(images.values()), "throw-away": options.key is None}, sys.stdout, indent=2)
    print()
    return 0


@contextmanager
def _key(cosign: binary.Binary, options: argparse.Namespace) -> Iterator[tuple[Path, str]]:
    """The key that was named; or a new pair, of which only the public half is left, beside the signatures."""
    if options.key is not None:
        yield options.key, os.environ.get("COSIGN_PASSWORD", "")
        return
    with tempfile.TemporaryDirectory(prefix="garrison-key-") as scratch:
        password = secrets.token_urlsafe(32)
        private, public = signature.key_pair(cosign, Path(scratch), password)
        shutil.copyfile(public, options.signatures / THROW_AWAY)
        yield private, password


def verify(options: argparse.Namespace) -> int:
    """Print every image of the lock that no key of the settings has signed; 1 when there is one."""
    try:
        said = _settings(options.settings)
        cosign = binary.verified(said.cosign, os.environ)
        against = {
            image: why
            for image in subject.images(options.lock).values()
            if (why := signature.problem(cosign, image, keys=said.signatures.keys, folder=options.signatures))
        }
    except ScanError as error:
        raise PipelineError(str(error)) from None
    for image, why in against.items():
        print(f"{image}: {why}; nothing is deployed")
    return 1 if against else 0


def _settings(file: Path) -> settings.Settings:
    return settings.load(file, today=datetime.datetime.now(datetime.UTC).date())

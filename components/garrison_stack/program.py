"""`run(app)`: the last line of a Pulumi program."""

from __future__ import annotations

import sys
from pathlib import Path

from garrison import guest
from garrison.declare.app import App
from garrison.declare.program import load
from garrison.derive.adjustment import Adjust
from garrison.errors import GarrisonError

SAID = 32  # tells Pulumi's language host that the user has been told why, so that it adds nothing of its own


def run(app: App | Path, *, adjust: Adjust | None = None, exceptions: Path | None = None) -> None:
    """Deploy an App with everything that it needs: settings, admission, platform, secrets, estate.

    Under `pulumi preview` and `pulumi up` all of it is registered, or one line for each problem says what is wrong and
    nothing is. Everywhere else that reads the program, such as `garrison graph --app`, it does nothing.

    app: an App, or the file of a program that declares one; a file's own mistakes are then told as clearly.
    adjust: sees each manifest of the estate last (`derive.adjustment`).
    exceptions: to policy rules; by default those of this installation, or of GARRISON_EXCEPTIONS.
    """
    if guest.reading():
        return
    try:
        from garrison_stack.pulumi_program import deploy, failed  # here alone: to read a program needs no Pulumi
    except ImportError:
        sys.exit("this needs hvac and Pulumi: pip install 'garrison[pulumi]'")
    try:
        deploy(_declared(app), adjust, exceptions)
    except GarrisonError as error:
        failed(str(error))
        sys.exit(SAID)


def _declared(app: App | Path) -> App:
    if isinstance(app, Path):
        return load(app)
    if not isinstance(app, App):
        raise GarrisonError(f"run({app!r}): is neither an App nor the Path of a program that declares one")
    return app

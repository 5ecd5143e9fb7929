"""Whether a registry answers and has what is asked for. Standard library only.

Only words that say "not here" count as none; anything else a registry gives, another digest above all, is an error.
"""

from __future__ import annotations

import functools
import re

from harness import shell
from harness.errors import HarnessError
from harness.progress import say

PIN = "python -m harness.upstream pin > FILE"
_NOT_HERE = re.compile(
    r"connection refused|no such host|no route to host|network is unreachable|i/o timeout|TLS handshake timeout"
    r"|no such manifest|(MANIFEST|NAME)_UNKNOWN|UNAUTHORIZED|DENIED|unauthorized:|denied:|TOOMANYREQUESTS"
    r"|status code (404|429|50[234])|docker is not installed|Cannot connect to the Docker daemon"
)


def absent(complaint: str) -> bool:
    """Whether a tool's complaint says no more than that nothing answers there, or nothing for us."""
    return _NOT_HERE.search(complaint) is not None


@functools.cache
def node(reference: str) -> bool:
    """Whether Docker has that node image or could have it; where not, one line says so and ours is made."""
    if shell.succeeds(["docker", "image", "inspect", reference]):
        return True
    try:
        # It may ask in clear, and believes nothing: what is pulled is taken by its digest, as the engine may.
        shell.run(["docker", "manifest", "inspect", "--insecure", reference], what=f"asking for {reference}")
    except HarnessError as error:
        if absent(str(error)):
            say(f"{error}; the node image is made here")
            return False
    return True  # or something is wrong with what it gives: pulling it says what

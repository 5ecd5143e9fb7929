"""A file of authorities that everything would trust: only such certificates as may vouch for others, and today."""

from __future__ import annotations

import re
import ssl
import time
from pathlib import Path
from typing import Any, Final

_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def authorities(text: str, *, now: float | None = None) -> Path:
    """The file's path, if it is one; else a ValueError that says what is wrong with it."""
    file, moment = Path(text), time.time() if now is None else now
    if not file.is_file():
        raise ValueError("there is no such file")
    blocks = list(_BLOCK.finditer(file.read_text(errors="replace")))
    if other := next((block[1] for block in blocks if block[1] != "CERTIFICATE"), ""):
        raise ValueError(
            f"{text} holds a {other}, too; give the CA's certificates alone, and let no key leave its place"
        )
    if not blocks:
        raise ValueError(f"{text} has no certificate in PEM")
    for number, block in enumerate(blocks, 1):
        _check(f"certificate {number} of {text}", block[0], moment)
    return file


def _check(what: str, pem: str, now: float) -> None:
    """The `ssl` module tells apart who may sign; only then it says what is in it."""
    store = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        store.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise ValueError(f"{what} cannot be read") from None
    found: list[dict[str, Any]] = store.get_ca_certs()
    if not found:
        raise ValueError(f"{what} is not a CA's (basicConstraints): it vouches for nobody; give its issuer's")
    if ssl.cert_time_to_seconds(found[0]["notAfter"]) <= now:
        raise ValueError(f"{what} has expired on {found[0]['notAfter']}; give the CA's present one")
    if ssl.cert_time_to_seconds(found[0]["notBefore"]) > now:
        raise ValueError(f"{what} is not valid before {found[0]['notBefore']}; look at this machine's clock")

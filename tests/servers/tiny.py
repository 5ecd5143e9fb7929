"""Images of a few kilobytes, with one package and its bill of materials: enough for what reads images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from harness import oci

FIXED, VULNERABLE = "3.0.2-1", "3.0.1-1"


def image(name: str, place: Path, scratch: Path, *, openssl: str = FIXED, user: str = "65532") -> str:
    """Make one in the folder `place`, anew; returns NAME@DIGEST."""
    shutil.rmtree(scratch, ignore_errors=True)
    status = f"Package: libssl3\nSource: openssl\nVersion: {openssl}\nArchitecture: amd64\nDescription: x\n"
    for path, text in {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
        "etc/debian_version": "12.9\n",
        "etc/name": name,
        "var/lib/dpkg/status.d/libssl3": status,
    }.items():
        file = scratch / "root" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    layer = oci.layer_from_dir(scratch / "root", scratch)
    shutil.rmtree(place, ignore_errors=True)
    made = oci.write_image(f"shop.example/{name}:1", [layer], entrypoint=["/x"], user=user, out=place)
    component = {"type": "container", "name": name, "version": made.digest}
    parts = [{"name": "libssl3", "purl": f"pkg:deb/debian/libssl3@{openssl}"}]
    bill = {"bomFormat": "CycloneDX", "metadata": {"component": component}, "components": parts}
    (place / "sbom.cdx.json").write_text(json.dumps(bill))
    return made.pinned

"""Bills of materials for images, read from the package metadata that is inside them.

CycloneDX 1.6 and SPDX 2.3; no date and no random number, so the same image gives the same bytes.
"""

from __future__ import annotations

import json
import re
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from garrison_supply.scan.unpacked import take
from harness import architecture
from harness.oci import Image, repository

Document = dict[str, Any]
_NOTE = re.compile(r"(^|/)var/lib/dpkg/status\.d/[^/]+$|\.dist-info/METADATA$")


@dataclass(frozen=True, order=True)
class Component:
    """One package in an image; `kind` is the package URL type: deb or pypi."""

    kind: str
    name: str
    version: str
    licence: str = ""

    @property
    def purl(self) -> str:
        version = quote(self.version, safe="")
        if self.kind == "deb":
            return f"pkg:deb/debian/{self.name}@{version}?arch={architecture.here().name}&distro=debian-12"
        return f"pkg:{self.kind}/{self.name.lower().replace('_', '-')}@{version}"


def components(root: Path) -> list[Component]:
    """Every Debian package and wheel in a root file system."""
    found = []
    for kind, pattern in (("deb", "var/lib/dpkg/status.d/*"), ("pypi", "**/*.dist-info/METADATA")):
        for path in root.glob(pattern):
            fields = HeaderParser().parsestr(path.read_text())
            name = fields["Package"] or fields["Name"]
            licence = fields["License-Expression"] or ""
            found.append(Component(kind, name, fields["Version"], licence))
    return sorted(found)


def of_layers(layers: Iterable[Path]) -> list[Component]:
    """Every package in layers that were made elsewhere, by the same notes."""
    with tempfile.TemporaryDirectory() as folder:
        for layer in layers:
            with tarfile.open(layer) as tar:
                take(tar, Path(folder), _NOTE.search)
        return components(Path(folder))


def save(found: list[Component], path: Path) -> None:
    """Keep a component list beside the layer it describes."""
    path.write_text(json.dumps([asdict(part) for part in found], indent=1) + "\n")


def load(path: Path) -> list[Component]:
    """The component list of a layer."""
    return [Component(**part) for part in json.loads(path.read_text())]


def cyclonedx(image: Image, found: list[Component]) -> Document:
    """The bill in CycloneDX."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, image.pinned)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": image.pinned,
                "name": repository(image.reference),
                "version": image.digest,
            }
        },
        "components": [_entry(part) for part in found],
    }


def _entry(part: Component) -> Document:
    entry: Document = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
    }
    return entry | ({"licenses": [{"expression": part.licence}]} if part.licence else {})


def spdx(image: Image, found: list[Component]) -> Document:
    """The bill in SPDX."""
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": image.pinned,
        "documentNamespace": f"urn:uuid:{uuid5(NAMESPACE_URL, 'spdx:' + image.pinned)}",
        "creationInfo": {
            "created": "1970-01-01T00:00:00Z",
            "creators": ["Tool: garrison-harness"],
        },
        "packages": [_package(number, part) for number, part in enumerate(found)],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": f"SPDXRef-{number}",
            }
            for number in range(len(found))
        ],
    }


def _package(number: int, part: Component) -> Document:
    return {
        "SPDXID": f"SPDXRef-{number}",
        "name": part.name,
        "versionInfo": part.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": part.licence or "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": part.purl,
            }
        ],
    }

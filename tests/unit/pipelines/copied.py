"""What a copy of the templates carries with it, written of what this repository pins: one truth, two forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from harness.parts import Go, Part, part
from harness.paths import REPO

# What Garrison's verbs import or start in a pipeline.
LIBRARIES = ("PyYAML", "graphviz-pure", "hvac", "pip-audit", "pulumi", "pulumi-kubernetes", "pulumi-policy", "uv")
# tool: the files it is, each by the part that gives it
TOOLS = {
    "trivy": (("trivy", "trivy"),),
    "cosign": (("cosign", "cosign"),),
    "pulumi": (
        ("pulumi", "pulumi"),
        ("pulumi-resource-pulumi-python", "pulumi"),
        ("pulumi-language-python", "pulumi-language"),
        ("pulumi-language-python-exec", "pulumi-language"),
    ),
    "helm": (("helm", "helm"),),
    "kubectl": (("kubectl", "kubernetes"),),
}


def files() -> Iterator[tuple[str, str, Part]]:
    """Tool, file and part."""
    yield from ((tool, file, part(name)) for tool, rows in TOOLS.items() for file, name in rows)


def table() -> str:
    """ci/tools.tsv: tool, file, module, package or MODULE//file in it, GOEXPERIMENT, linker's flags."""
    lines = []
    for tool, file, row in files():
        source = row.source
        assert isinstance(source, Go)
        built = file in source.commands
        flags = f"-s -w {source.ldflags}".strip() if built else "-"
        origin = source.commands[file] if built else source.files[file]
        lines.append("\t".join([tool, file, row.name, origin, source.experiment or "-", flags]))
    return "\n".join(lines) + "\n"


def lock() -> str:
    """ci/requirements.lock: of requirements.lock, what the libraries need."""
    needed = _closure()
    found = re.finditer(r"^(?P<name>[\w.-]+)==.*\\\n(?:    --hash.*\n)+", _lock(), re.MULTILINE)
    return "".join(one[0] for one in found if _normal(one["name"]) in needed)


def _lock() -> str:
    return (REPO / "requirements.lock").read_text()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure() -> set[str]:
    """The distributions that these need, as those installed here say it."""
    found: set[str] = set()
    todo = [(_normal(name), frozenset[str]()) for name in LIBRARIES]
    while todo:
        name, extras = todo.pop()
        found.add(name)
        for line in metadata.requires(name) or []:
            one = Requirement(line)
            asked = one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (*extras, ""))
            if asked and (_normal(one.name) not in found or one.extras):
                todo.append((_normal(one.name), frozenset(one.extras)))
    return found

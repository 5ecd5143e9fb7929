"""YAML as CI systems read it: YAML 1.2 words, lines kept for findings, bombs and duplicate keys refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from garrison_supply.pipelines.errors import UnreadableError

Where = tuple[str | int, ...]
# A workflow is a page or two. More is a mistake or an attack on whoever reads it.
MAX_BYTES: Final = 1_000_000
MAX_NODES: Final = 100_000


@dataclass(frozen=True)
class Reference:
    """GitLab's `!reference [job, key]`: what stands there belongs here."""

    path: tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader in which `on` is a word (YAML 1.2), every key stands once, and `!reference` is known."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


# Numbers and dates stay words: a commit such as 0e10...0 is no number, and no rule calculates.
_WORDS = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "timestamp")}
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in _WORDS]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def _reference(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> Reference:
    return Reference(tuple(map(str, loader.construct_sequence(node))))


_Loader.add_constructor("!reference", _reference)


@dataclass(frozen=True)
class Document:
    """One file: its plain value, and where everything stands."""

    file: str
    body: Mapping[str, Any]
    node: yaml.Node
    inputs: Mapping[str, Any] = field(default_factory=dict)  # of a GitLab component, from the document before

    def line(self, where: Where) -> int:
        """The line of what stands at `where`, or of the nearest thing above it."""
        node, line = self.node, 1
        for key in where:
            found = _child(node, key)
            if found is None:
                break
            line, node = found
        return line


def _child(node: yaml.Node, key: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line + 1, node.value[key]
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark.line + 1, value
    return None


def read(path: Path) -> Document:
    """The one document of a file; UnreadableError says why it is not one."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(str(path), f"cannot be read ({error})") from None
    if len(data) > MAX_BYTES:
        raise UnreadableError(str(path), f"is larger than {MAX_BYTES:,} bytes; no workflow is")
    return parse(str(path), text)


def parse(file: str, text: str) -> Document:
    """The document in `text`. GitLab allows a first document of inputs (`spec:`); the last one is the configuration."""
    try:
        loader = _Loader(text)
        nodes: list[yaml.Node] = []
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            _weigh(node, file)
            nodes.append(node)
        body = loader.construct_document(nodes[-1]) if nodes else None
        head = loader.construct_document(nodes[0]) if len(nodes) > 1 else body
    except UnreadableError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UnreadableError(file, f"is not YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(body, dict):
        raise UnreadableError(file, "holds no workflow: its top level is not a mapping")
    spec = head.get("spec") if isinstance(head, dict) else None
    inputs = spec.get("inputs") if isinstance(spec, dict) else None
    return Document(file, body, nodes[-1], inputs if isinstance(inputs, dict) else {})


def _weigh(root: yaml.Node, file: str) -> None:
    """Refuse what aliases blow up: everything below is walked as if written out."""
    weights: dict[int, int] = {}

    def weight(node: yaml.Node) -> int:
        if id(node) not in weights:
            weights[id(node)] = MAX_NODES  # an alias to its own parent weighs too much
            children = node.value if isinstance(node, yaml.CollectionNode) else ()
            flat = [part for child in children for part in (child if isinstance(child, tuple) else (child,))]
            weights[id(node)] = 1 + sum(weight(part) for part in flat)
        return weights[id(node)]

    if weight(root) >= MAX_NODES:
        raise UnreadableError(file, f"has more than {MAX_NODES:,} nodes when its aliases are written out")


def strings(value: Any, where: Where = ()) -> Iterator[tuple[Where, str]]:
    """Every string in a value, with its place."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(item, (*where, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from strings(item, (*where, number))

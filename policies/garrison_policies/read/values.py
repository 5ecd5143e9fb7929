"""Values from the events of a YAML parser, bounded: a hostile text is refused and does no harm.

PyYAML's own tree builder overflows the stack on deep nesting, takes the last of two equal keys and lets aliases grow
without end; it is never reached.
"""

from __future__ import annotations

from typing import Any

import yaml

from garrison_policies.read.scalar import resolve

MAX_DEPTH = 100  # a CustomResourceDefinition's schema, the deepest thing in use, has about 50
MAX_ALIASED = 100_000  # values that aliases add to one document; a hand-written anchor adds dozens
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_RESOLVED_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null"))


class UnreadableError(ValueError):
    """The text cannot be read, or not in one way only."""


class Reader:
    """Values from the parser's events, one document at a time.

    With `twice`, a key that is written twice is no error: the later value counts, as it did to clients of old, and the
    line and the key are added to that list.
    """

    def __init__(self, text: str, twice: list[tuple[int, str]] | None = None) -> None:
        self._twice = twice
        self._next = _LOADER(text).get_event
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0
        self._aliased = 0
        self.line = 0

    def document(self) -> tuple[int, Any] | None:
        """The line a document starts at and its value; None at the end."""
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                self._aliased = 0
                root = self._next()
                return root.start_mark.line, self._value(root, 0)
        return None

    def _value(self, event: Any, depth: int) -> Any:
        self.line = event.start_mark.line
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor))
        before = self._count
        self._count += 1
        if depth > MAX_DEPTH:
            raise UnreadableError(f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(depth + 1)
        else:
            value = self._sequence(depth + 1)
        if event.anchor:
            self._anchors[event.anchor] = value, self._count - before
        return value

    def _alias(self, name: str) -> Any:
        if name not in self._anchors:
            raise UnreadableError(f"the alias *{name} stands for nothing before it")
        value, size = self._anchors[name]
        self._count += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            raise UnreadableError(f"its aliases expand to more than {MAX_ALIASED} values")
        return value

    def _sequence(self, depth: int) -> list[Any]:
        made = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            made.append(self._value(event, depth))
        return made

    def _mapping(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merged: dict[str, Any] | None = None
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if _is_merge(event):
                if merged is not None:
                    raise UnreadableError("the key '<<' is written twice")
                merged = _merged(self._value(self._next(), depth), made)
                continue
            key = self._key(event)
            if key in made:
                if self._twice is None:
                    raise UnreadableError(f"the key {key!r} is written twice")
                self._twice.append((event.start_mark.line, key))
            made[key] = self._value(self._next(), depth)
        whole = {**merged, **made} if merged else made
        return {key: value for key, value in whole.items() if value is not None} if None in whole.values() else whole

    def _key(self, event: Any) -> str:
        found = self._value(event, 0)
        if isinstance(found, bool):
            return str(found).lower()  # `on:` is the key "true" to the API server
        if found is None or isinstance(found, dict | list):
            raise UnreadableError("a key is not a word")
        return str(found)


def _scalar(event: yaml.ScalarEvent) -> Any:
    if event.tag is None:
        return resolve(event.value) if event.implicit[0] else event.value
    if event.tag in _TEXT_TAGS:
        return event.value
    if event.tag in _RESOLVED_TAGS:
        return resolve(event.value)
    raise UnreadableError(f"the tag {event.tag} means nothing to Kubernetes")


def _is_merge(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.tag is None and bool(event.implicit[0])


def _merged(value: Any, made: dict[str, Any]) -> dict[str, Any]:
    """What `<<` brings in; of several, the first that has a key wins."""
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        raise UnreadableError("the key '<<' merges something that is not a mapping")
    merged = {key: item for source in reversed(sources) for key, item in source.items()}
    for key in made.keys() & merged.keys():
        if made[key] != merged[key]:  # go-yaml takes the later, the standard the written one
            raise UnreadableError(f"'<<' follows the key {key!r} and has another value for it; write '<<' first")
    return merged

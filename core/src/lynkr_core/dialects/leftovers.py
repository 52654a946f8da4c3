"""Keys inside messages, parts and tools that the model has no field for: in another dialect they are lost, and that has to be said.

A dialect writes down what it understands as a shape: an object is a dict of its keys, `LEAF` is what is not looked into, `Kinds`
are objects told apart by their `type`. Lists are looked into item by item. From a shape msgspec makes a strict type, so that a
fragment with nothing unknown in it, as nearly all are, costs one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Union, cast

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE
from lynkr_core.request import Node

LEAF = None
Shape = Union[dict[str, Any], "Kinds", None]
_NOTHING = Raw(b"")
_EMPTY: tuple[Any, ...] = ("", [], {}, {"enabled": False})


class Kinds:
    """Objects by their `type`; one of a type that is not here is a part of its own kind, which whoever translates tells of."""

    __slots__ = ("default", "shapes")

    def __init__(self, shapes: Mapping[str, dict[str, Any]], default: str | None = None) -> None:
        self.shapes = {kind: {"type": LEAF, **shape} for kind, shape in shapes.items()}
        self.default = default

    def of(self, value: Mapping[str, Any]) -> dict[str, Any] | None:
        return self.shapes.get(value.get("type") or self.default or "")


class Leftovers:
    """Finds them in nodes of one shape. `path` is what the losses call such a node."""

    def __init__(self, path: str, shape: dict[str, Any] | Kinds) -> None:
        self._path = path
        self._shape = shape
        self._strict = msgspec.json.Decoder(_type(shape, path))

    def of(self, nodes: Iterable[Node]) -> Iterator[str]:
        """The paths of the unknown keys that say something, each as often as it occurs."""
        for node in nodes:
            if not node.known and node.native is not None:
                yield from self.within(node.native)

    def within(self, native: Raw) -> Iterator[str]:
        try:
            self._strict.decode(native)
        except UNREADABLE:
            yield from _walk(msgspec.json.decode(native), self._shape, self._path)

    def top(self, fields: Mapping[str, Raw]) -> dict[str, Raw]:
        """Of an object at the top level, for `Request.extra`: the fragment by the path of each unknown key in it."""
        raw = fields.get(self._path)
        return {} if raw is None else dict.fromkeys(self.within(raw), raw)


def told(paths: Iterable[str]) -> list[str]:
    """As losses, each once."""
    return [f"{path}: the other API has no such key" for path in dict.fromkeys(paths)]


def _walk(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _walk(item, shape, path)
    elif isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        known = shape.of(fields) if isinstance(shape, Kinds) else shape
        if known is not None:
            yield from _walk_keys(fields, known, path)


def _walk_keys(fields: dict[str, Any], known: dict[str, Any], path: str) -> Iterator[str]:
    for key, inner in fields.items():
        if key in known:
            if known[key] is not None:
                yield from _walk(inner, known[key], f"{path}.{key}")
        elif inner is not None and inner is not False and inner not in _EMPTY:
            yield f"{path}.{key}"


def _type(shape: dict[str, Any] | Kinds, name: str) -> Any:
    """A strict type for an object of this shape."""
    if isinstance(shape, Kinds):
        structs = [_struct(f"{name}.{kind}", inner, kind) for kind, inner in shape.shapes.items()]
        return Union[tuple(structs)]  # noqa: UP007
    return _struct(name, shape, None)


def _struct(name: str, shape: dict[str, Any], tag: str | None) -> Any:
    fields: list[Any] = []
    for key, inner in shape.items():
        if tag is None or key != "type":
            one = None if inner is None else _type(inner, f"{name}.{key}")
            kind = Raw if inner is None else Union[one, list[one], str, None]  # noqa: UP007
            fields.append((key, kind, _NOTHING if inner is None else None))
    marked: dict[str, Any] = {} if tag is None else {"tag_field": "type", "tag": tag}
    return msgspec.defstruct("Strict", fields, forbid_unknown_fields=True, gc=False, **marked)

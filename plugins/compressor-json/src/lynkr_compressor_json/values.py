"""JSON as values that keep how each number was spelt, and back."""

from __future__ import annotations

import json
from json.encoder import encode_basestring as quoted
from typing import Any


class Number(str):
    """A number as it was spelt."""

    __slots__ = ()


class Special(Exception):
    """JSON that not every reader reads alike: a key twice, NaN, an unpaired surrogate."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Special("a key stands twice")
    return found


def _constant(name: str) -> Any:
    raise Special(f"{name} is no JSON")


decoder = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_constant, object_pairs_hook=_pairs)


def read(text: str) -> Any:
    """Raises `ValueError`, `Special` or `RecursionError`."""
    return decoder.decode(text)


def write(value: Any) -> str:
    """The shortest JSON of a value that was read. Letters of all languages are written as they are."""
    kind: object = value.__class__
    if kind is str:
        return quoted(value)
    if kind is Number:
        return str(value)
    if kind is dict:
        fields: dict[str, Any] = value
        pairs = [f"{quoted(key)}:{quoted(one) if type(one) is str else write(one)}" for key, one in fields.items()]
        return "{" + ",".join(pairs) + "}"
    if kind is list:
        return "[" + ",".join(map(write, value)) + "]"
    return "null" if value is None else "true" if value else "false"

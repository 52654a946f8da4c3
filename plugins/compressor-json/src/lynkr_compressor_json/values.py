"""JSON as values that keep how each number was spelt, and back."""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import Any, cast


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
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        return (
            "{" + ",".join([f"{encode_basestring(key)}:{write(one)}" for key, one in cast("dict[str, Any]", value).items()]) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join([write(one) for one in cast("list[Any]", value)]) + "]"
    return "null" if value is None else "true" if value else "false"

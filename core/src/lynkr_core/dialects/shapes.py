"""The JSON types of a request's top-level keys, told by their first byte: what is wrong there reaches no provider."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from lynkr_core.dialect import first_byte
from lynkr_core.errors import InvalidRequest

Shape = tuple[frozenset[bytes], str]


def shape(signs: str, words: str) -> Shape:
    return frozenset([sign.encode() for sign in signs]), words


LIST = shape("[n", "a list")
OBJECT = shape("{n", "an object")
NUMBER = shape("-0123456789n", "a number")
TEXT = shape('"n', "a string")
FLAG = shape("tfn", "true or false")
TEXT_OR_LIST = shape('"[n', "a string or a list")
TEXT_OR_OBJECT = shape('"{n', "a string or an object")


def check_shapes(fields: Mapping[str, Raw], shapes: Mapping[str, Shape]) -> None:
    """Null is always taken. Raises `InvalidRequest` with the key at fault."""
    for key, raw in fields.items():  # a request has five keys, a table four times as many
        known = shapes.get(key)
        if known is not None and first_byte(raw)[0] not in known[0]:
            raise InvalidRequest(f"{key}: expected {known[1]}", param=key)

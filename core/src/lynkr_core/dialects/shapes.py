"""The JSON types of a request's top-level keys, told by their first byte: what is wrong there reaches no provider."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from lynkr_core.errors import InvalidRequest

Shape = tuple[frozenset[int], str]


def shape(signs: str, words: str) -> Shape:
    return frozenset(signs.encode()), words


LIST = shape("[n", "a list")
OBJECT = shape("{n", "an object")
NUMBER = shape("-0123456789n", "a number")
TEXT = shape('"n', "a string")
FLAG = shape("tfn", "true or false")
TEXT_OR_LIST = shape('"[n', "a string or a list")
TEXT_OR_OBJECT = shape('"{n', "a string or an object")


def check_shapes(fields: Mapping[str, Raw], shapes: Mapping[str, Shape]) -> None:
    """Null is always taken. Raises `InvalidRequest` with the key at fault."""
    for key, (signs, words) in shapes.items():
        raw = fields.get(key)
        if raw is not None and memoryview(raw)[0] not in signs:
            raise InvalidRequest(f"{key}: expected {words}", param=key)

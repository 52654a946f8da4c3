"""The few messages of OTLP that are sent, written as protobuf by hand: a tenth of what the generated classes cost.

Field numbers are those of opentelemetry-proto (trace.proto, metrics.proto, common.proto), in which they are frozen.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache

LENGTH, FIXED64 = 2, 1
"""How a field is written: its bytes after their number, or eight bytes."""
pack_double = struct.Struct("<d").pack
pack_fixed = struct.Struct("<Q").pack
Value = str | int | float | bool
MAX_HEADS = 300
"""Longer values are written without remembering how they begin."""


def varint(number: int) -> bytes:
    """Negative numbers take ten bytes, as in protobuf's int64."""
    if 0 <= number < 0x80:
        return bytes((number,))
    if 0 <= number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    number &= 0xFFFFFFFFFFFFFFFF
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


@lru_cache(maxsize=256)
def tag(field: int, kind: int) -> bytes:
    return varint(field << 3 | kind)


def message(field: int, content: bytes) -> bytes:
    """Also for texts and bytes."""
    size = len(content)
    return tag(field, LENGTH) + (bytes((size,)) if size < 0x80 else varint(size)) + content


def number(field: int, value: int) -> bytes:
    return tag(field, 0) + varint(value)


def fixed(field: int, value: int) -> bytes:
    return tag(field, FIXED64) + pack_fixed(value)


def double(field: int, value: float) -> bytes:
    return tag(field, FIXED64) + pack_double(value)


def doubles(field: int, values: Iterable[float]) -> bytes:
    return message(field, b"".join(map(pack_double, values)))


def fixeds(field: int, values: Iterable[int]) -> bytes:
    return message(field, b"".join(map(pack_fixed, values)))


def any_value(value: Value) -> bytes:
    """An AnyValue."""
    if isinstance(value, str):
        return message(1, value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return number(2, value)
    return number(3, value) if isinstance(value, int) else double(4, value)


@lru_cache(maxsize=512)
def key_of(key: str) -> bytes:
    return message(1, key.encode())


def pair(field: int, key: str, value: Value) -> bytes:
    """A KeyValue."""
    return message(field, key_of(key) + message(2, any_value(value)))


class Attribute:
    """A KeyValue whose key is known, so that all but the value is written once for each size of a value."""

    __slots__ = ("_field", "_heads", "_key")

    def __init__(self, field: int, key: str) -> None:
        self._field = field
        self._key = key_of(key)
        self._heads: dict[int, bytes] = {}

    def _whole(self, value: bytes) -> bytes:
        size = len(value)
        head = self._heads.get(size)
        if head is None:
            inner = self._key + tag(2, LENGTH) + varint(size)
            head = tag(self._field, LENGTH) + varint(len(inner) + size) + inner
            if size < MAX_HEADS:
                self._heads[size] = head
        return head + value

    def integer(self, value: int) -> bytes:
        return self._whole(b"\x18" + varint(value))

    def double(self, value: float) -> bytes:
        return self._whole(b"\x21" + pack_double(value))

    def text(self, value: str) -> bytes:
        encoded = value.encode("utf-8", "replace")
        return self._whole(b"\x0a" + varint(len(encoded)) + encoded)


def envelope(resource: bytes, scope: bytes, field: int, items: Sequence[bytes]) -> bytes:
    """A whole export request: of spans and of metrics the messages have the same numbers."""
    return message(1, message(1, resource) + message(2, scope + b"".join([message(field, item) for item in items])))


def scope(name: str, version: str) -> bytes:
    return message(1, message(1, name.encode()) + message(2, version.encode()))

"""Reading and comparing JSON fragments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.losses import note as lose
from lynkr_core.errors import InvalidRequest

__all__ = [
    "NAME", "NOTHING", "Wire", "array", "changes", "encode", "fields", "fragments", "is_object", "is_string", "lose", "read", "some",
    "string",
]  # fmt: skip
T = TypeVar("T")
Wire = dict[str, Any]
NAME = "openai.responses"
NOTHING = Raw(b"")
_NULL = Raw(b"null")
_QUOTE, _BRACE = ord('"'), ord("{")

encode = msgspec.json.Encoder().encode
string = msgspec.json.Decoder(str)
fragments = msgspec.json.Decoder(list[Raw])
fields = msgspec.json.Decoder(dict[str, Raw])


def read(decoder: msgspec.json.Decoder[T], raw: Raw, path: str) -> T:
    """Decodes a fragment of a request. Raises `InvalidRequest`."""
    try:
        return decoder.decode(raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def some(raw: Raw | None) -> Raw | None:
    """The value, or None when it is missing or null."""
    return raw if raw and raw != _NULL else None


def is_string(raw: Raw) -> bool:
    return memoryview(raw)[0] == _QUOTE


def is_object(raw: Raw | None) -> bool:
    return raw is not None and memoryview(raw)[0] == _BRACE


def array(values: list[Raw]) -> Raw:
    return Raw(b"[" + b",".join([bytes(value) for value in values]) + b"]")


def changes(new: Mapping[str, Any], old: Mapping[str, Any]) -> Wire:
    """The keys of `new` that `old` does not have with the same value."""
    return {key: value for key, value in new.items() if key not in old or old[key] != value}

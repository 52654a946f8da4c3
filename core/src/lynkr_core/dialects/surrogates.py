"""Halves of UTF-16 pairs that stand alone among JSON's escapes: they are no text, so nothing reads the JSON around them.

Clients make them when they cut a string in the middle of an emoji, upstreams when they cut one into the pieces of a stream.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from msgspec import Raw

from lynkr_core import dialect
from lynkr_core.errors import InvalidRequest

_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rb"%b%b|(?P<high>%b)|(?P<low>%b)|\\." % (_HIGH, _LOW, _HIGH, _LOW), re.DOTALL)
_HALF = re.compile("[\ud800-\udfff]")
_UNKNOWN = rb"\ufffd"
"""Unicode's sign for what could not be read, escaped."""


def read_fields(body: bytes) -> dict[str, Raw]:
    """As `dialect.read_fields`; of half a character it says where it stands. Raises `InvalidRequest`."""
    try:
        return dialect.read_fields(body)
    except InvalidRequest as error:
        place = find(body)
        if place is None:
            raise
        raise InvalidRequest(
            f"{place}: half of a surrogate pair stands alone, which is no text; was a string cut in the middle of a character?",
            param=place,
        ) from error


def find(body: bytes) -> str | None:
    """The path of the first text with such a half; None when there is none."""
    if not any(match.lastgroup for match in _ESCAPE.finditer(body)):
        return None
    try:
        return _place(json.loads(body), "")
    except (ValueError, RecursionError):
        return None


def _place(value: Any, path: str) -> str | None:
    if isinstance(value, str):
        return path if _HALF.search(value) else None
    if isinstance(value, dict):
        inner = [(f"{path}.{key}" if path else key, item) for key, item in cast("dict[str, Any]", value).items()]
        odd = next((key for key in cast("dict[str, Any]", value) if _HALF.search(key)), None)
        if odd is not None:
            return path or "the body"
    elif isinstance(value, list):
        inner = [(f"{path}[{index}]", item) for index, item in enumerate(cast("list[Any]", value))]
    else:
        return None
    return next((found for place, item in inner if (found := _place(item, place)) is not None), None)


def repaired(body: bytes) -> bytes | None:
    """A whole answer with each half that stands alone as U+FFFD; None when there is none."""
    mended = _ESCAPE.sub(lambda match: _UNKNOWN if match.lastgroup else match[0], body) if b"\\u" in body else body
    return None if mended == body else mended


class Mender:
    """Puts together, for one stream, the halves that came in two pieces: the first is held back until the second comes."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = b""

    def mend(self, data: bytes) -> bytes | None:
        """The event's data as it can be read; None when this is not what is wrong with it."""
        if not any(match.lastgroup for match in _ESCAPE.finditer(data)):
            return None
        half, self._half = self._half, b""

        def whole(match: re.Match[bytes]) -> bytes:
            if match.lastgroup == "low":
                return half + match[0] if half and data[match.start() - 1 : match.start()] == b'"' else _UNKNOWN
            if match.lastgroup == "high" and data[match.end() : match.end() + 1] == b'"':
                self._half = match[0]
                return b""
            return match[0] if match.lastgroup is None else _UNKNOWN

        return _ESCAPE.sub(whole, data)

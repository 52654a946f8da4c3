"""Patterns that take time in proportion to the text, whatever it says: RE2, over UTF-8 bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs]

_re2 = cast("Any", re2)


class Found(Protocol):
    """A match, as of `re`, in bytes."""

    lastindex: int | None
    lastgroup: str | None

    def start(self, group: int = 0) -> int: ...
    def end(self, group: int = 0) -> int: ...
    def group(self, group: int = 0) -> bytes: ...


class Pattern(Protocol):
    """A compiled pattern. `match` is anchored at `pos`."""

    groups: int

    def search(self, text: bytes, pos: int = 0) -> Found | None: ...
    def match(self, text: bytes, pos: int = 0) -> Found | None: ...
    def fullmatch(self, text: bytes) -> Found | None: ...
    def finditer(self, text: bytes) -> Iterator[Found]: ...


def compiled(pattern: str) -> Pattern:
    """Raises `ValueError` with what RE2 says of a pattern that it cannot read."""
    options = _re2.Options()
    options.encoding = _re2.Options.Encoding.LATIN1
    options.log_errors = False
    try:
        return cast("Pattern", _re2.compile(pattern.encode(), options))
    except _re2.error as error:
        told = error.args[0] if error.args else ""
        raise ValueError(told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)) from None


def cases(words: Iterable[str]) -> list[str]:
    """The words as they stand within a sentence, at its beginning and in a headline: RE2 knows no other case of bytes that are not ASCII."""
    return list(dict.fromkeys([form for word in words for form in (word, word.capitalize(), word.upper())]))


def any_of(literals: Iterable[str]) -> str:
    """A pattern for one of these words, none of which means anything but itself. Longer ones go first."""
    return "|".join([cast("str", _re2.escape(word)) for word in sorted(literals, key=len, reverse=True)])

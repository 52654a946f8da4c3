"""The elements of a JSON array from the last to the first, without reading the ones in front.

Why this is right for valid JSON (the body's top level was decoded before, so it is valid): outside strings there are no backslashes and no
quotes but those that begin or end a string. Going back from the array's end, which is outside, the first quote ends a string; inside, a
quote with an even number of backslashes before it can only be the one that began it, and that number is then zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

MIN_BYTES = 32_768
"""Below this size one pass from the front is quicker."""
BYTES_PER_QUOTE, MAX_QUOTES = 400, 200
"""One quote is passed for each of so many bytes; beyond that the pass from the front costs less."""
WINDOW = 65_536
"""An element longer than this is left to the pass from the front."""
NEAR = 4_096
"""Bytes in which an element that begins with its role is looked for first."""
ROLE = b'{"role":'
BLANK, MAX_BLANK = b", \t\r\n", 64
PLAIN = frozenset((b":", b",", b": ", b", "))
"""What stands between most strings and has no brace."""
OPEN, CLOSE = b"{}"

_items = msgspec.json.Decoder(list[Raw])
_item = msgspec.json.Decoder(Raw)


def elements(data: bytes | memoryview) -> Iterable[bytes | Raw]:
    """The elements of a valid JSON array, last one first. Raises `msgspec.DecodeError` when it is none."""
    return _backwards(memoryview(data)) if len(data) > MIN_BYTES else reversed(_items.decode(data))


def _backwards(data: memoryview) -> Iterator[bytes | Raw]:
    end = len(data) - 1
    while end >= MIN_BYTES:
        tail = bytes(data[end - MAX_BLANK : end])
        stop = end - len(tail) + len(tail.rstrip(BLANK))
        start = guessed(data, stop)
        if start < 0:
            start = opening(data, stop, min(MAX_QUOTES, end // BYTES_PER_QUOTE))
        if start < 0:
            break
        yield bytes(data[start:stop])
        end = start
    front = data if end == len(data) - 1 else bytes(data[:end]).rstrip(BLANK) + b"]"
    yield from reversed(_items.decode(front))


def guessed(data: bytes | memoryview, end: int) -> int:
    """Where the object that ends at `end` begins, if that is where `{"role":` stands last; else -1.

    In valid JSON these bytes begin an object wherever they stand: inside a string the quote would be escaped. It is the right one when
    it ends at `end`, and an inner one does not.
    """
    near = bytes(data[max(0, end - NEAR) : end])
    start = near.rfind(ROLE)
    if start < 0:
        return -1
    try:
        _item.decode(near[start:])
    except msgspec.DecodeError:
        return -1
    return end - len(near) + start


def opening(data: bytes | memoryview, end: int, quotes: int) -> int:
    """Where the object begins whose brace closes just before `end`; -1 when there is none or it takes more than `quotes` quotes."""
    if data[end - 1] != CLOSE:
        return -1
    pieces = bytes(data[max(0, end - WINDOW) : end]).rsplit(b'"', quotes)
    depth, inside, position = 0, False, end
    for index in range(len(pieces) - 1, 0, -1):
        piece = pieces[index]
        position -= len(piece)
        if not inside:
            inside = True
            if piece not in PLAIN:
                depth, start = unwind(piece, depth)
                if start >= 0:
                    return position + start
        elif pieces[index - 1].endswith(b"\\"):
            inside = escapes(pieces[index - 1])
        else:
            inside = False
        position -= 1
    return -1


def unwind(between: bytes, depth: int) -> tuple[int, int]:
    """The depth of braces after going back over what stands between two strings, and where it came down to zero or -1."""
    for index in range(len(between) - 1, -1, -1):
        if between[index] == CLOSE:
            depth += 1
        elif between[index] == OPEN:
            depth -= 1
            if depth == 0:
                return 0, index
    return depth, -1


def escapes(before: bytes) -> bool:
    """Whether the quote after these bytes is escaped: an odd number of backslashes."""
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1

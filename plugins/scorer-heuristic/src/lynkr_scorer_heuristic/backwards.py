"""The elements of a JSON array from the last to the first, without reading the ones in front.

Why this is right for valid JSON (the body's top level was decoded before, so it is valid): outside strings there are no backslashes and no
quotes but those that begin or end a string. Going back from the array's end, which is outside, the first quote ends a string; inside, a
quote with an even number of backslashes before it can only be the one that began it, and that number is then zero.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

MIN_BYTES = 32_768
"""Below this size one pass from the front is quicker."""
BYTES_PER_QUOTE = 1_024
"""One quote is passed for each of so many bytes; beyond that the pass from the front costs less."""
MAX_GAP = 4_096
MAX_BACKSLASHES = 64
BACKSLASH, OPEN, CLOSE = b"\\{}"
BLANK = b", \t\r\n"

_items = msgspec.json.Decoder(list[Raw])


def elements(data: bytes) -> Iterator[bytes | Raw]:
    """The elements of a valid JSON array, last one first. Raises `msgspec.DecodeError` when it is none."""
    end = len(data) - 1
    while end >= MIN_BYTES:
        stop = len(data[end - MAX_GAP : end].rstrip(BLANK)) + end - MAX_GAP
        start = opening(data, stop, end // BYTES_PER_QUOTE)
        if start < 0:
            break
        yield data[start:stop]
        end = start
    front = data if end == len(data) - 1 else data[:end].rstrip(BLANK) + b"]"
    yield from reversed(_items.decode(front))


def opening(data: bytes, end: int, quotes: int) -> int:
    """Where the object begins whose brace closes just before `end`; -1 when there is none or it takes more than `quotes` quotes."""
    if data[end - 1 : end] != b"}":
        return -1
    depth, inside = 0, False
    for _ in range(quotes):
        quote = data.rfind(b'"', 0, end)
        if inside:
            slashes = backslashes(data, quote) if data[quote - 1] == BACKSLASH else 0
            if slashes == MAX_BACKSLASHES:
                return -1
            inside = slashes % 2 == 1
        else:
            depth, start = unwind(data, quote, end, depth)
            if start >= 0 or quote < 0:
                return start
            inside = True
        end = quote
    return -1


def unwind(data: bytes, first: int, end: int, depth: int) -> tuple[int, int]:
    """The depth of braces after going back from `end` to `first`, and where it came down to zero or -1. No string lies between."""
    if end - first > MAX_GAP:
        return depth, -1
    for index in range(end - 1, first, -1):
        if data[index] == CLOSE:
            depth += 1
        elif data[index] == OPEN:
            depth -= 1
            if depth == 0:
                return 0, index
    return depth, -1


def backslashes(data: bytes, end: int) -> int:
    """How many stand right before `end`, counted up to `MAX_BACKSLASHES`."""
    before = data[max(0, end - MAX_BACKSLASHES) : end]
    return len(before) - len(before.rstrip(b"\\"))

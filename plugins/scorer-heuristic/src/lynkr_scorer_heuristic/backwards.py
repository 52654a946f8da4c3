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
BYTES_PER_QUOTE, MAX_QUOTES = 400, 200
"""One quote is passed for each of so many bytes; beyond that the pass from the front costs less."""
WINDOW = 65_536
"""An element longer than this is left to the pass from the front."""
BLANK, MAX_BLANK = b", \t\r\n", 64
PLAIN = frozenset((b":", b",", b": ", b", "))
"""What stands between most strings and has no brace."""
OPEN, CLOSE = b"{}"

_items = msgspec.json.Decoder(list[Raw])


def elements(data: bytes) -> Iterator[bytes | Raw]:
    """The elements of a valid JSON array, last one first. Raises `msgspec.DecodeError` when it is none."""
    end = len(data) - 1
    while end >= MIN_BYTES:
        tail = data[end - MAX_BLANK : end]
        stop = end - len(tail) + len(tail.rstrip(BLANK))
        start = opening(data, stop, min(MAX_QUOTES, end // BYTES_PER_QUOTE))
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
    pieces = data[max(0, end - WINDOW) : end].rsplit(b'"', quotes)
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

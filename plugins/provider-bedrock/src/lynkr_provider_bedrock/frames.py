"""AWS event-stream frames, `application/vnd.amazon.eventstream`.

A frame is `total u32 | headers u32 | crc u32 | headers | payload | crc u32`, big-endian. The first CRC-32 is over the eight bytes before it,
the second over all that precedes it. A header is `length u8, name, type u8, value` (Amazon Transcribe's developer guide, "Event stream
encoding"; limits as botocore 1.44.5 has them).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from lynkr_core.errors import UpstreamError

MAX_FRAME = 16 * 1024 * 1024
"""Bytes of one frame."""
MAX_HEADERS = 128 * 1024
PRELUDE = 12
MAX_KINDS = 64
"""Different header blocks that are remembered; a stream has about eight."""
_PRELUDE = Struct(">III").unpack_from
_NUMBER = Struct(">I").unpack_from
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a value by its type; 6 (bytes) and 7 (text) say theirs in two bytes before it."""


class Frame(NamedTuple):
    """`headers` has the headers that are text."""

    headers: dict[str, str]
    payload: bytes


class Frames:
    """Takes frames out of a stream that comes in any pieces. `torn`: the last frame is not complete yet."""

    __slots__ = ("_known", "_pieces", "_size", "_wanted")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = self._wanted = 0
        self._known: dict[bytes, dict[str, str]] = {}

    @property
    def torn(self) -> bool:
        return self._size > 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete. Raises `UpstreamError` at bytes that are no frame, after the frames before them."""
        if self._pieces:
            self._pieces.append(data)
            self._size += len(data)
            if self._size < self._wanted:
                return
            data = b"".join(self._pieces)
        place, size, wanted = 0, len(data), PRELUDE
        while size - place >= PRELUDE:
            total, length = sizes(data, place)
            end = place + total
            if end > size:
                wanted = total
                break
            if crc32(data[place : end - 4]) != _NUMBER(data, end - 4)[0]:
                raise UpstreamError("server", "a frame of the stream was garbled")
            body = place + PRELUDE + length
            yield Frame(self._headers(data[place + PRELUDE : body]), data[body : end - 4])
            place = end
        self._pieces = [data[place:]] if place < size else []
        self._size, self._wanted = size - place, wanted

    def _headers(self, block: bytes) -> dict[str, str]:
        """Frames of one kind have the same headers, so most blocks are known already."""
        found = self._known.get(block)
        if found is None:
            found = read_headers(block)
            if len(self._known) < MAX_KINDS:
                self._known[block] = found
        return found


def sizes(data: bytes, place: int) -> tuple[int, int]:
    """Bytes of the frame that begins here, and of its headers. Raises `UpstreamError`."""
    total, length, check = _PRELUDE(data, place)
    if crc32(data[place : place + 8]) != check:
        raise UpstreamError("server", "the stream is no AWS event stream, or was garbled")
    if total > MAX_FRAME or length > MAX_HEADERS or total < length + PRELUDE + 4:
        raise UpstreamError("server", f"a frame of the stream says it has {total} bytes, {length} of them headers")
    return total, length


def read_headers(block: bytes) -> dict[str, str]:
    """The headers that are text. Raises `UpstreamError`."""
    found: dict[str, str] = {}
    place = 0
    try:
        while place < len(block):
            start = place + 1
            place = start + block[place] + 1
            kind = block[place - 1]
            if kind not in (6, 7):
                place += _SIZES[kind]
                continue
            value = place + 2
            place = value + int.from_bytes(block[place:value])
            if kind == 7:
                found[block[start : value - 3].decode()] = block[value:place].decode()
    except (IndexError, KeyError, UnicodeDecodeError):
        raise UpstreamError("server", "the headers of a frame cannot be read") from None
    if place != len(block):
        raise UpstreamError("server", "the headers of a frame cannot be read")
    return found

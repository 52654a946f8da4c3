"""Server-sent events, as bytes: a reader that gives the same events however the stream was cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lynkr_core.errors import UpstreamError

MAX_EVENT = 8 * 1024 * 1024
CR, LF = b"\r\n"
"""As numbers they are looked for at once; `in` first takes bytes for a number, and that is an exception."""


class ServerSentEvent(NamedTuple):
    """`event` is empty when the stream named none; several `data:` lines are joined by a line end."""

    event: bytes
    data: bytes


class Reader:
    """Feeds on bytes and gives whole events.

    Comments, ids and unknown fields are passed over. Raises `UpstreamError` for an event over 8 MiB. `half` is what stood in the
    stream's last line when it ended before the line did; known after `close`.
    """

    __slots__ = ("_rest", "half")

    def __init__(self) -> None:
        self._rest = self.half = b""

    def feed(self, data: bytes) -> Sequence[ServerSentEvent]:
        single = data.startswith(b"data: ") and data.endswith(b"\n\n") and data.find(b"\n") == len(data) - 2
        if single and not self._rest and CR not in data:
            return (ServerSentEvent(b"", data[6:-2]),)  # one whole event a read, as providers send them
        if self._rest:
            data = self._rest + data
        held = b""
        if CR in data:
            data, held = normalise(data)
        whole, _, rest = data.rpartition(b"\n\n")
        self._rest = rest + held
        if len(self._rest) > MAX_EVENT:
            raise UpstreamError("server", f"an event of the stream is over {MAX_EVENT} bytes")
        return [event for block in whole.split(b"\n\n") if (event := parse(block)) is not None]

    def close(self) -> Sequence[ServerSentEvent]:
        """An event that the stream ended without the empty line after it; half a line is none."""
        rest, self._rest = self._rest.replace(b"\r", b"\n"), b""
        whole, end, self.half = rest.rpartition(b"\n")
        event = parse((whole + end).strip(b"\n")) if not self.half else None
        return () if event is None else (event,)


def normalise(data: bytes) -> tuple[bytes, bytes]:
    """Line ends as `\\n`; a `\\r` at the very end is held back, its `\\n` may be still to come."""
    held = b"\r" if data.endswith(b"\r") else b""
    return data[: len(data) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n"), held


def parse(block: bytes) -> ServerSentEvent | None:
    """One block of lines; None when it has no data."""
    if block.startswith(b"data: ") and LF not in block:
        return ServerSentEvent(b"", block[6:])
    event = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value
    return ServerSentEvent(event, b"\n".join(data)) if data else None


def event(data: bytes, name: bytes = b"") -> bytes:
    """The bytes of one event."""
    return b"event: %b\ndata: %b\n\n" % (name, data) if name else b"data: %b\n\n" % data

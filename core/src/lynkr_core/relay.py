"""Streams on their way to the caller, at the fidelity that the exchange needs.

`Metered` passes raw bytes; it decodes the events that carry a mark, or all of them when someone observes. `Translated` decodes
every event and encodes it in the caller's dialect. `Rewritten` lets plugins wrap the events in between. Each tells when the exchange
is committed, and refuses to end a stream that was not whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from msgspec import structs

from lynkr_core.consumed import Amount
from lynkr_core.dialect import Dialect, StreamDecoder, StreamEncoder
from lynkr_core.errors import UpstreamError
from lynkr_core.events import CONTENT, End, Event, Failure, PartStart, Start, UsageEvent
from lynkr_core.request import Reasoning, Usage
from lynkr_core.sse import MAX_EVENT
from lynkr_core.upstream import UpstreamResponse

Observer = Callable[[Event], None]
Wrapper = Callable[[AsyncIterator[Event]], AsyncIterator[Event]]


IDLE = (b":", b"\n", b"\r")
"""How an event begins that only says that the upstream lives."""
Put = Callable[[bytes], Awaitable[object] | None]
"""Writes to the caller, who may have nothing to get; what it returns has to be awaited before more is written."""


def nobody(data: bytes) -> None:
    """Nobody is there to write to yet."""


class Named:
    """A decoder for streams that do not say which model they are from."""

    def __init__(self, decoder: StreamDecoder, model: str) -> None:
        self._decoder = decoder
        self._model = model
        self.close = decoder.close

    def feed(self, data: bytes) -> Sequence[Event]:
        """The decoder's events; the first one with the model's name, after which nothing stands in between."""
        events = self._decoder.feed(data)
        if not any(isinstance(event, Start) for event in events):
            return events
        self.feed = self._decoder.feed
        return [structs.replace(event, model=self._model) if isinstance(event, Start) else event for event in events]


class Stream(ABC):
    """One streamed answer. `usage` is the last one told; `failure` the error the upstream reported inside the stream.

    `sent`: the last bytes of a stream that goes to the caller as it comes. `pieces` counts what came after the commit point. The rest is
    for the time limits, see `waiting.Pulse`.
    """

    __slots__ = (
        "amount", "begun", "billed", "blocked", "closed", "committed", "decoder", "ended", "failure", "heard", "observer", "pieces", "put",
        "response", "sent", "thinking", "usage",
    )  # fmt: skip

    def __init__(self, response: UpstreamResponse, decoder: StreamDecoder, observer: Observer | None) -> None:
        self.response = response
        self.put: Put = nobody
        self.decoder = decoder
        self.observer = observer
        self.committed = self.ended = self.closed = False
        self.sent = b""
        self.begun = self.heard = self.thinking = self.blocked = False
        self.pieces = 0
        self.amount = Amount()
        self.billed = False
        self.usage: Usage | None = None
        self.failure: UpstreamError | None = None

    async def next(self) -> bytes | None:
        """The caller's next bytes, which may be none yet; None at the end. Raises `UpstreamError` when the stream was cut."""
        piece = await self.response.next()
        if piece:
            fed = self.feed(piece)
            if self.committed:
                self.amount.add(piece)
            return fed
        if self.closed:
            return None
        self.closed = True
        return self.close()

    async def pump(self, put: Put) -> None:
        """Gives the caller everything that still comes. Raises as `next`."""
        if not self.closed:
            self.put = put
            await self.response.pump(self.take)
            self.closed = True
            await self.give(put, self.close())

    def take(self, piece: bytes) -> Awaitable[object] | None:
        self.pieces += 1
        self.amount.add(piece)
        full = self.put(self.feed(piece))
        return None if full is None else self.unblocked(full)

    async def give(self, put: Put, data: bytes) -> None:
        """Puts, and waits until more may be put."""
        full = put(data)
        if full is not None:
            await self.unblocked(full)

    async def unblocked(self, full: Awaitable[object]) -> None:
        """Waits for a caller that reads too slowly; the silence meanwhile is not the upstream's."""
        self.blocked = True
        try:
            await full
        finally:
            self.blocked = False

    @abstractmethod
    def feed(self, piece: bytes) -> bytes: ...

    @abstractmethod
    def close(self) -> bytes: ...

    def broken(self, error: UpstreamError) -> bytes:
        """What the caller is told of a cut by whoever knows what it has been told so far; empty when nobody does."""
        return b""

    def note(self, events: Iterable[Event]) -> None:
        """Remembers what the kernel must know of the stream, and shows the events to the observers."""
        for event in events:
            if isinstance(event, CONTENT):
                self.committed = self.begun = self.heard = True
                if isinstance(event, PartStart):
                    self.thinking = isinstance(event.part, Reasoning)
            elif isinstance(event, UsageEvent):
                self.usage = event.usage
                self.billed = True
            elif isinstance(event, Start):
                self.begun = self.heard = True
                self.usage = event.usage or self.usage
            elif isinstance(event, End):
                self.ended = self.committed = True
            elif isinstance(event, Failure):
                self.failure = event.error
            if self.observer is not None:
                self.observer(event)


class Metered(Stream):
    """Raw bytes out, whole events at a time. `strip`: usage that only lynkr asked for is taken out again."""

    __slots__ = ("_boundary", "_dialect", "_held", "_idle", "_marks", "_strip")

    def __init__(self, response: UpstreamResponse, dialect: Dialect, strip: bool, observer: Observer | None) -> None:
        super().__init__(response, dialect.decoder(), observer)
        self._dialect = dialect
        self._marks = dialect.marks
        self._idle = (*IDLE, line) if (line := dialect.ping.partition(b"\n")[0]) else IDLE
        self._strip = strip
        self._held = b""
        self._boundary = dialect.boundary

    def feed(self, piece: bytes) -> bytes:
        if self.committed and not self._held and self.observer is None and piece.endswith(self._boundary):
            for mark in self._marks:
                if piece.find(mark) >= 0:  # `in` first tries whether the mark is a number: four times the cost
                    break
            else:
                self.sent = piece
                if not piece.startswith(self._idle) or self._says_something(piece):
                    self.heard = True
                return piece  # whole events, and nothing in them to be read: nearly all of a stream
        data = self._held + piece if self._held else piece
        if self.committed and self.observer is None and (not data.startswith(self._idle) or self._says_something(data)):
            self.heard = True
        if data.endswith(self._boundary):
            whole, self._held = data, b""
        else:
            whole = self._whole_events(data)
        told = self._look(whole)
        if self.failure is not None and not self.failure.reported:
            raise self.failure  # at once: what follows may look like an end, and nobody has told the caller
        self.sent = whole or self.sent
        return self._dialect.strip_usage(whole) if self._strip and told else whole

    def _says_something(self, data: bytes) -> bool:
        """Whether any of these events is more than a sign of life."""
        return any(event and not event.startswith(self._idle) for event in data.split(self._boundary))

    def _whole_events(self, data: bytes) -> bytes:
        if not self.committed and self._boundary == b"\n\n" and b"\r\n\r\n" in data:
            self._boundary = b"\r\n\r\n"
        whole, end, self._held = data.rpartition(self._boundary)
        if len(self._held) > MAX_EVENT:
            raise UpstreamError("server", f"an event of the stream is over {MAX_EVENT} bytes")
        return whole + end

    def _look(self, whole: bytes) -> bool:
        """Decodes what has to be: everything for an observer, else the events up to the commit point and from the first mark on.

        True when there was a mark.
        """
        if self.observer is not None:
            self.note(self.decoder.feed(whole))
            return True
        place = 0
        while not self.committed and place < len(whole):
            found = whole.find(self._boundary, place)  # not found: one line end more than there has to be
            end = len(whole) if found < 0 else found + len(self._boundary)
            self.note(self.decoder.feed(whole[place:end]))
            place = end
        marks = [at for mark in self._marks if (at := whole.find(mark, place)) >= 0]
        if marks:
            begin = whole.rfind(self._boundary, place, min(marks))
            self.note(self.decoder.feed(whole[place if begin < 0 else begin + len(self._boundary) :]))
        return bool(marks)

    def close(self) -> bytes:
        self.note(self.decoder.feed(self._held))
        if not self.ended and self.failure is None:
            self.note(self.decoder.close())
        if self.failure is not None and not (self.ended or self.failure.reported):
            raise self.failure
        return self._held


class Translated(Stream):
    """Every event decoded and encoded again."""

    __slots__ = ("_encoder",)

    def __init__(
        self, response: UpstreamResponse, decoder: StreamDecoder, encoder: StreamEncoder, observer: Observer | None
    ) -> None:
        super().__init__(response, decoder, observer)
        self._encoder = encoder

    def feed(self, piece: bytes) -> bytes:
        return self._write(self.decoder.feed(piece))

    def close(self) -> bytes:
        events = self.decoder.close()
        self.note(events)
        if self.failure is not None and not self.ended:
            raise self.failure
        return self._encode(events)

    def broken(self, error: UpstreamError) -> bytes:
        return self._encoder.encode(Failure(error))

    def _write(self, events: Iterable[Event]) -> bytes:
        self.note(events)
        return self._encode(events)

    def _encode(self, events: Iterable[Event]) -> bytes:
        if self.failure is not None and not self.committed:
            return b""  # the exchange goes to the next candidate: the caller must not see this one's error
        return b"".join([self._encoder.encode(event) for event in events])


class Rewritten(Translated):
    """A translated stream whose events plugins wrap."""

    __slots__ = ("_wrapped",)

    def __init__(
        self, response: UpstreamResponse, decoder: StreamDecoder, encoder: StreamEncoder, observer: Observer | None, wrap: Wrapper
    ) -> None:
        super().__init__(response, decoder, encoder, observer)
        self._wrapped = wrap(self._events())

    async def next(self) -> bytes | None:
        event = await anext(self._wrapped, None)
        return None if event is None else self._encode((event,))

    async def pump(self, put: Put) -> None:
        while (piece := await self.next()) is not None:
            await self.give(put, piece)

    async def _events(self) -> AsyncIterator[Event]:
        while piece := await self.response.next():
            events = self.decoder.feed(piece)
            self.note(events)
            if self.committed:
                self.amount.add(piece)
            for event in events:
                yield event
        events = self.decoder.close()
        self.note(events)
        if self.failure is not None and not self.ended:
            raise self.failure
        for event in events:
            yield event

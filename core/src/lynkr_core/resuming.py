"""A cut answer that another candidate continues (`[routing] resume`): one stream for the caller, made of two.

Only what has nothing but text and thinking in it can be continued. The next model is given the text so far: as the beginning of its own
answer where its card says that it takes one, else with the words of `GO_ON` after it. It may still repeat or reword: the outcome says that
the answer was resumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lynkr_core.dialect import StreamDecoder, StreamEncoder
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, Event, Failure, Finish, PartEnd, PartStart, Start
from lynkr_core.exchange import Candidate
from lynkr_core.relay import Observer, Put, Translated, nobody
from lynkr_core.request import Message, Reasoning, Request, Text
from lynkr_core.tokens import estimate_text
from lynkr_core.upstream import UpstreamResponse

GO_ON = (
    "Your answer was interrupted by a lost connection. Continue it exactly where it stopped: begin with the very next word, "
    "repeat nothing, and do not mention the interruption."
)


class Told:
    """What the caller has been told so far: the text, the number of parts, and which of them is open."""

    def __init__(self) -> None:
        self.parts = 0
        self.open: int | None = None
        self.plain = True
        self._texts: list[str] = []
        self._in_text = False

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def note(self, event: Event) -> None:
        if isinstance(event, PartStart):
            self.parts, self.open = event.index + 1, event.index
            self._in_text = isinstance(event.part, Text)
            self.plain &= event.choice == 0 and isinstance(event.part, Text | Reasoning)
        elif isinstance(event, Delta):
            if self._in_text:
                self._texts.append(event.value if event.field == "text" else "")
        elif isinstance(event, PartEnd):
            self.open = None
        elif isinstance(event, Finish):
            self.plain = False


class Joint:
    """Events of the second stream, as they go on after the first: no new start, no second thinking, and one text."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._places: dict[int, int] = {}
        self._blank = told.text != told.text.rstrip()

    def join(self, event: Event) -> Iterator[Event]:
        match event:
            case Start():
                return
            case PartStart(index=index, part=part):
                yield from self._part(index, event, isinstance(part, Text), isinstance(part, Reasoning))
            case Delta(index=index):
                if index in self._places:
                    yield Delta(self._places[index], self._joined(event), event.field)
            case PartEnd(index=index):
                if index in self._places:
                    yield PartEnd(self._places[index])
            case Finish():
                yield from self._closed()
                yield event
            case _:
                yield event

    def _part(self, index: int, event: PartStart, text: bool, thought: bool) -> Iterator[Event]:
        if thought and self._told.text:
            return
        if text and self._told.open is not None and self._told.text and index not in self._places.values():
            self._places[index] = self._told.open
            return
        yield from self._closed()
        self._places[index] = self._told.parts
        yield PartStart(self._told.parts, event.part)

    def _closed(self) -> Iterator[Event]:
        if self._told.open is not None:
            yield PartEnd(self._told.open)

    def _joined(self, event: Delta) -> str:
        """White space at the end of the first text was not shown to the second model, who may write it again."""
        if not self._blank or event.field != "text":
            return event.value
        value = event.value.lstrip()
        self._blank = not value
        return value


class Resumable(Translated):
    """A stream whose end, when it is cut, may come from elsewhere: it never tells the caller of a failure itself."""

    __slots__ = ("_joint", "_left", "told")

    def __init__(
        self,
        response: UpstreamResponse,
        decoder: StreamDecoder,
        encoder: StreamEncoder,
        observer: Observer | None,
        before: Told | None,
    ) -> None:
        super().__init__(response, decoder, encoder, observer)
        self.told = before or Told()
        self._left = b""
        self._joint = Joint(before) if before else None

    def rest(self, request: Request, candidate: Candidate) -> Request | None:
        """The request that asks the next candidate for the rest."""
        return continued(request, self.told.text, candidate)

    def after(self, response: UpstreamResponse, decoder: StreamDecoder, observer: Observer | None) -> Resumable:
        """The stream that has the rest."""
        return Resumable(response, decoder, self._encoder, observer, self.told)

    def feed(self, piece: bytes) -> bytes:
        written = self._write(self.decoder.feed(piece))
        if self.failure is None or not self.committed or self.put is nobody:
            return written
        self._left = written
        raise self.failure

    async def pump(self, put: Put) -> None:
        if self.failure is not None:
            raise self.failure
        try:
            await super().pump(put)
        except UpstreamError:
            await self.give(put, self._left)
            raise

    def _encode(self, events: Iterable[Event]) -> bytes:
        if self.failure is not None and not self.committed:
            return b""
        out: list[bytes] = []
        for event in events:
            for joined in (event,) if self._joint is None else self._joint.join(event):
                if not isinstance(joined, Failure):
                    self.told.note(joined)
                    out.append(self._encoder.encode(joined))
        return b"".join(out)


def continued(request: Request, text: str, candidate: Candidate) -> Request:
    """The request that asks for the rest."""
    text = text.rstrip()
    if not text:
        return request.edit()
    messages = (*request.messages, Message(role="assistant", parts=(Text(text=text),)))
    if not (candidate.card and candidate.card.prefill):
        messages = (*messages, Message(role="user", parts=(Text(text=GO_ON),)))
    limit = request.max_tokens and max(request.max_tokens - estimate_text(text), 1)
    return request.edit(messages=messages, max_tokens=limit)


def may_resume(stream: object, error: UpstreamError) -> bool:
    """Whether this stream's caller can be given the rest of it."""
    return isinstance(stream, Resumable) and stream.told.plain and error.kind != "content"

"""Reads a stream of chunks as events."""

from __future__ import annotations

import msgspec

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.failures import upstream_error
from lynkr_core.dialects.fold import unfold
from lynkr_core.dialects.openai_chat import wire
from lynkr_core.dialects.openai_chat.chunk import Chunk, ChunkChoice, WireDelta, chunks
from lynkr_core.dialects.openai_chat.content import part_of
from lynkr_core.dialects.openai_chat.message import legacy_id
from lynkr_core.dialects.openai_chat.request import NAME
from lynkr_core.dialects.openai_chat.response import decode_response, finish_reason, new_id
from lynkr_core.dialects.openai_chat.toolcalls import Pending, ToolCalls
from lynkr_core.dialects.openai_chat.usage import usage_of
from lynkr_core.dialects.openai_chat.wire import Call, Piece
from lynkr_core.dialects.surrogates import Mender
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, PartEnd, PartStart, Start, UsageEvent
from lynkr_core.request import Reasoning, Text
from lynkr_core.sse import MAX_EVENT, Reader, ServerSentEvent

_DONE = b"[DONE]"
_LAST_LINES = (b"", b"data: [DONE]", b"data:[DONE]")
"""What the last line may be when it has no end."""
_OPENINGS = {"text": Text(text=""), "refusal": Text(text="", refusal=True), "reasoning": Reasoning()}


class ChoiceStream:
    """One choice of the answer. `open` is what kind of part is open: text, refusal, reasoning, call, or empty for none."""

    __slots__ = ("called", "calls", "finish", "number", "open", "part")

    def __init__(self, number: int) -> None:
        self.number = number
        self.open = ""
        self.part = -1
        self.calls: ToolCalls | None = None
        self.called = False
        self.finish: str | None = None

    def write(self, kind: str, text: str, events: list[Event]) -> None:
        """A piece of text; opens a part of its kind when another is open."""
        if self.open != kind:
            self.settle(events)
            self.part += 1
            self.open = kind
            events.append(PartStart(self.part, _OPENINGS[kind], self.number))
        events.append(Delta(self.part, text, "text", self.number))

    def close(self, events: list[Event]) -> None:
        if self.open:
            self.open = ""
            events.append(PartEnd(self.part, self.number))

    def settle(self, events: list[Event]) -> None:
        """Closes what is open; of tool calls, gives out and closes all."""
        if self.calls is not None:
            for call in self.calls.waiting():
                self.give(call, events)
                self.close_call(call, events)
        self.close(events)

    def add_calls(self, pieces: list[Call], events: list[Event]) -> None:
        if self.calls is None:
            self.calls = ToolCalls()
        for piece in pieces:
            self.calls.add(piece)
            self.advance(events)

    def advance(self, events: list[Event]) -> None:
        """Gives out what can be: the first call as it comes, the next ones once those before them are complete."""
        waiting = self.calls.waiting() if self.calls else []
        for place, call in enumerate(waiting):
            self.give(call, events)
            if place + 1 == len(waiting) or not call.complete:
                return
            self.close_call(call, events)

    def give(self, call: Pending, events: list[Event]) -> None:
        """Opens the call once its name is known, and sends its arguments so far."""
        if not call.name:
            return
        if call.part < 0:
            self.close(events)
            self.part += 1
            self.open = "call"
            self.called = True
            call.part = self.part
            events.append(PartStart(self.part, call.opening(), self.number))
        text = call.unsent()
        if text:
            events.append(Delta(call.part, text, "arguments", self.number))

    def close_call(self, call: Pending, events: list[Event]) -> None:
        """Raises `UpstreamError` for a call that was never named; arguments alone are what a partly read stream shows."""
        if call.id and not call.name:
            raise UpstreamError("server", "a tool call without a name")
        call.closed = True
        if call.part >= 0:
            self.close(events)


class Decoder:
    """See `StreamDecoder`. `Finish` is held back to the end, as some providers send more after a finish reason."""

    __slots__ = ("_body", "_choices", "_ended", "_first", "_mender", "_plain", "_reader", "_started", "_tier")

    def __init__(self) -> None:
        self._reader = Reader()
        self._mender = Mender()
        self._choices: dict[int, ChoiceStream] = {}
        self._started = self._ended = False
        self._tier: str | None = None
        self._first = True
        self._plain = False
        self._body = b""

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            if self._first and self._is_plain(data):
                return events
            for event in self._reader.feed(data):
                if not self._ended:
                    self._read(event, events)
        except UpstreamError as error:
            self._fail(error, events)
        except UNREADABLE as error:  # a value that was passed over unread, such as arguments, is checked only here
            self._fail(UpstreamError("server", f"a chunk of the stream is broken: {error}"), events)
        return events

    def close(self) -> list[Event]:
        events: list[Event] = []
        if self._ended:
            return events
        try:
            if self._plain:
                return self._whole()
            for event in self._reader.close():
                self._read(event, events)
            if not self._ended:
                self._cut(events)
        except UpstreamError as error:
            self._fail(error, events)
        except UNREADABLE as error:
            self._fail(UpstreamError("server", f"a chunk of the stream is broken: {error}"), events)
        return events

    def _is_plain(self, data: bytes) -> bool:
        """Some providers answer with plain JSON when a stream was asked for, mostly to tell an error."""
        if not self._plain:
            start = data.lstrip()
            if not start:
                return False
            self._plain = start[:1] in b"{["
            self._first = self._plain
        if self._plain:
            self._body += data
            if len(self._body) > MAX_EVENT:
                raise UpstreamError("server", f"the answer is over {MAX_EVENT} bytes and no stream")
        return self._plain

    def _whole(self) -> list[Event]:
        events = unfold(decode_response(self._body))
        self._ended = True
        return events

    def _cut(self, events: list[Event]) -> None:
        """The body has ended. That is an end like any other when every choice had its finish reason and no event was torn."""
        torn = self._reader.half.strip() not in _LAST_LINES
        if torn or not self._choices or any(choice.finish is None for choice in self._choices.values()):
            raise UpstreamError("cut", "the stream ended before the answer did")
        self._end(events)

    def _read(self, event: ServerSentEvent, events: list[Event]) -> None:
        data = event.data
        if data[:6] == _DONE or data.strip() == _DONE:
            self._end(events)
            return
        try:
            chunk = chunks.decode(data)
        except UNREADABLE as error:
            self._unreadable(event, error, events)
            return
        if chunk.error is not wire.NOTHING and chunk.error != wire.NULL:
            raise upstream_error(None, {}, data)
        if chunk.choices:
            if not self._started:
                self._start(chunk, events)
            for choice in chunk.choices:
                self._choice(choice, events)
        elif event.event == b"error" or chunk.object == "error":
            raise upstream_error(None, {}, data)
        if chunk.usage is not None or chunk.x_groq is not None:
            self._usage(chunk, events)

    def _unreadable(self, event: ServerSentEvent, error: Exception, events: list[Event]) -> None:
        """Half a character can be mended, an empty event is none."""
        mended = self._mender.mend(event.data)
        if mended is not None:
            self._read(ServerSentEvent(event.event, mended), events)
        elif event.data.strip():
            raise corrupt(event.data, error) from None

    def _start(self, chunk: Chunk, events: list[Event]) -> None:
        self._started = True
        self._tier = chunk.service_tier
        created = int(chunk.created) if isinstance(chunk.created, (int, float)) else None
        id = str(chunk.id or new_id())
        events.append(Start(id=id, model=chunk.model or "", created=created, service_tier=chunk.service_tier, dialect=NAME))

    def _usage(self, chunk: Chunk, events: list[Event]) -> None:
        groq = chunk.x_groq
        if groq is not None and groq.error:
            raise upstream_error(None, {}, wire.encode({"error": groq.error}))
        usage = usage_of(chunk.usage or (groq.usage if groq else None), chunk.service_tier or self._tier)
        if usage is not None:
            if not self._started:
                self._start(chunk, events)
            events.append(UsageEvent(usage))

    def _choice(self, choice: ChunkChoice, events: list[Event]) -> None:
        number = choice.index or 0
        stream = self._choices.get(number)
        if stream is None:
            stream = self._choices[number] = ChoiceStream(number)
        if choice.delta is not None:
            self._delta(stream, choice.delta, events)
        if choice.logprobs is not wire.NOTHING and choice.logprobs != wire.NULL:
            events.append(Logprobs(choice.logprobs, number))
        if choice.finish_reason is not None:
            stream.finish = stream.finish or choice.finish_reason

    def _delta(self, stream: ChoiceStream, delta: WireDelta, events: list[Event]) -> None:
        """Thinking comes before text, text before calls."""
        thinking = delta.reasoning_content or delta.reasoning
        if thinking and isinstance(thinking, str):
            stream.write("reasoning", thinking, events)
        content = delta.content
        if isinstance(content, str):
            if content:
                stream.write("text", content, events)
        elif content:
            write_pieces(stream, content, events)
        if delta.refusal:
            stream.write("refusal", delta.refusal, events)
        if delta.tool_calls:
            stream.add_calls(delta.tool_calls, events)
        if delta.function_call is not None:
            id = legacy_id(delta.function_call.name) or None
            stream.add_calls([Call(index=0, id=id, function=delta.function_call)], events)
        if delta.annotations is not wire.NOTHING and delta.annotations != wire.NULL and stream.open == "text":
            events.append(Delta(stream.part, bytes(delta.annotations).decode(), "annotations", stream.number))

    def _end(self, events: list[Event]) -> None:
        """The dialect's terminator, or as good as it. Raises `UpstreamError` when there was no answer."""
        if not self._choices:
            raise UpstreamError("server", "the stream ended without an answer")
        for choice in self._choices.values():
            choice.settle(events)
        events += [Finish(finish_reason(one.finish, one.called), None, one.number) for one in self._choices.values()]
        events.append(End())
        self._ended = True

    def _fail(self, error: UpstreamError, events: list[Event]) -> None:
        if not self._ended:
            events.append(Failure(error))
            self._ended = True


def write_pieces(stream: ChoiceStream, pieces: list[Piece], events: list[Event]) -> None:
    """Content as a list; only what can be a piece of a stream counts."""
    for piece in pieces:
        part = part_of(piece, None)
        if isinstance(part, Reasoning) and part.text:
            stream.write("reasoning", part.text, events)
        elif isinstance(part, Text) and part.text:
            stream.write("refusal" if part.refusal else "text", part.text, events)


def corrupt(data: bytes, cause: Exception) -> UpstreamError:
    """What a chunk that is none says: an error of another shape, or rubbish."""
    shape = isinstance(cause, msgspec.ValidationError)
    return UpstreamError("server", f"a chunk of the stream is not {'a chat completion' if shape else 'JSON'}: {cause}")


def is_usage_only(data: bytes) -> bool:
    """Is this the chunk that `stream_options.include_usage` adds?"""
    try:
        chunk = chunks.decode(data)
    except UNREADABLE:
        return False
    return chunk.choices is not None and not chunk.choices and chunk.usage is not None

"""Streams, one JSON object a line: read as events, and written of events."""

from __future__ import annotations

from lynkr_core.dialect import UNREADABLE
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, PartEnd, PartStart, Start, UsageEvent, empty
from lynkr_core.request import Choice, Part, Reasoning, Text, ToolCall, Usage
from lynkr_core.sse import MAX_EVENT
from lynkr_provider_ollama.message import write_call
from lynkr_provider_ollama.response import ending, finish_reason, logprobs_list, read_answer, seconds, stamp, usage_of
from lynkr_provider_ollama.wire import Line, WireMessage, encode, given, objects, read_line

_TEXT, _THINKING = Text(text=""), Reasoning()


class Decoder:
    """See `StreamDecoder`. The line with `done` ends the answer; a body that ends without it was cut."""

    __slots__ = ("_called", "_ended", "_open", "_part", "_rest", "_started")

    def __init__(self) -> None:
        self._rest = b""
        self._started = self._ended = self._called = False
        self._open: Part | None = None
        self._part = -1

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if self._rest:
            data = self._rest + data
        *whole, self._rest = data.split(b"\n")
        try:
            for line in whole:
                if line and not line.isspace() and not self._ended:
                    self._read(read_line(line), events)
            if len(self._rest) > MAX_EVENT:
                raise UpstreamError("server", f"a line of the stream is over {MAX_EVENT} bytes")
        except UpstreamError as error:
            self._fail(error, events)
        return events

    def close(self) -> list[Event]:
        """The last line may have no end; when it is not whole, or not the last of the answer, the stream was cut."""
        events: list[Event] = []
        if self._ended:
            return events
        try:
            if self._rest.strip() and is_whole(self._rest):
                self._read(read_line(self._rest), events)
            if not self._ended:
                raise UpstreamError("cut", "the stream ended before the answer did")
        except UpstreamError as error:
            self._fail(error, events)
        return events

    def _read(self, line: Line, events: list[Event]) -> None:
        message = line.message or WireMessage()
        if not self._started:
            self._started = True
            events.append(Start(id="", model=line.model or "", created=seconds(line.created_at)))
        if message.thinking:
            self._write(_THINKING, message.thinking, events)
        if message.content:
            self._write(_TEXT, message.content, events)
        if message.tool_calls or message.images:
            self._whole(message, events)
        logprobs = given(line.logprobs)
        if logprobs is not None:
            events.append(Logprobs(logprobs))
        if line.done:
            self._end(line, events)

    def _write(self, kind: Part, text: str, events: list[Event]) -> None:
        """A piece of text; opens a part of its kind when another is open."""
        if self._open is not kind:
            self._close(events)
            self._part += 1
            self._open = kind
            events.append(PartStart(self._part, kind))
        events.append(Delta(self._part, text))

    def _whole(self, message: WireMessage, events: list[Event]) -> None:
        """Calls and images, which come in one piece."""
        self._close(events)
        for part in read_answer(WireMessage(images=message.images, tool_calls=message.tool_calls)):
            self._part += 1
            events.append(PartStart(self._part, empty(part)))
            if isinstance(part, ToolCall):
                self._called = True
                events.append(Delta(self._part, part.arguments, "arguments"))
            events.append(PartEnd(self._part))

    def _close(self, events: list[Event]) -> None:
        if self._open is not None:
            self._open = None
            events.append(PartEnd(self._part))

    def _end(self, line: Line, events: list[Event]) -> None:
        self._close(events)
        self._ended = True
        events.append(Finish(finish_reason(line.done_reason, self._called)))
        usage = usage_of(line)
        if usage is not None:
            events.append(UsageEvent(usage))
        events.append(End())

    def _fail(self, error: UpstreamError, events: list[Event]) -> None:
        if not self._ended:
            self._ended = True
            events.append(Failure(error))


def is_whole(data: bytes) -> bool:
    """Is this a JSON object to its end?"""
    try:
        objects.decode(data)
    except UNREADABLE:
        return False
    return True


class Encoder:
    """See `StreamEncoder`. One choice; a call is one line, once its arguments are complete."""

    text, thinking, after = b',"message":{"role":"assistant","content":', b'"","thinking":', b"}"

    def __init__(self, model: str) -> None:
        self._model = model
        self._head = self._before = self._after = b""
        self._usage: Usage | None = None
        self._finish = Choice()
        self._call: ToolCall | None = None
        self._arguments: list[str] = []

    def encode(self, event: Event) -> bytes:
        if type(event) is Delta:
            if event.choice:
                return b""
            if self._call is not None:
                self._arguments.append(event.value)
                return b""
            return self._before + encode(event.value) + self._after if event.field == "text" else b""
        if isinstance(event, (PartStart, PartEnd, Logprobs, Finish)):
            return b"" if event.choice else self._within(event)
        return self._other(event)

    def _other(self, event: Event) -> bytes:
        match event:
            case Start():
                self._usage = event.usage
                fixed = {"model": event.model or self._model, "created_at": stamp(event.created)}
                self._head = encode(fixed)[:-1] + self.text
                self._after = self.after + b',"done":false}\n'
            case UsageEvent():
                self._usage = event.usage
            case End():
                return self._line(b'""', b"", encode(ending(self._finish, self._usage))[1:])
            case Failure():
                return encode({"error": event.error.message}) + b"\n"
            case _:
                pass
        return b""

    def _within(self, event: PartStart | PartEnd | Logprobs | Finish) -> bytes:
        match event:
            case PartStart():
                return self._open(event.part)
            case PartEnd():
                return self._close()
            case Finish():
                self._finish = Choice(finish_reason=event.reason)
                return b""
            case Logprobs():
                return self._line(b'""', b"", b'"logprobs":%b,"done":false}' % encode(logprobs_list(event.value)))

    def _open(self, part: Part) -> bytes:
        """A part of a kind that this API's answers do not have says nothing."""
        self._call = part if isinstance(part, ToolCall) else None
        self._before = self._head + self.thinking if isinstance(part, Reasoning) else self._head
        return b""

    def _close(self) -> bytes:
        if self._call is None:
            return b""
        call = write_call(
            ToolCall(id=self._call.id, name=self._call.name, kind=self._call.kind, arguments="".join(self._arguments))
        )
        self._call, self._arguments = None, []
        return self._line(b'""', b',"tool_calls":[%b]' % encode(call), b'"done":false}')

    def _line(self, content: bytes, inside: bytes, beside: bytes) -> bytes:
        return b"".join((self._head, content, inside, self.after, b",", beside, b"\n"))


class GenerateEncoder(Encoder):
    """As `/api/generate` writes them: the text stands beside the rest, and there are no calls."""

    text, thinking, after = b',"response":', b'"","thinking":', b""

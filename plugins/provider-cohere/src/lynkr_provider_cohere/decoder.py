"""Reads a stream of Cohere's as events."""

from __future__ import annotations

import msgspec

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.failures import excerpt, upstream_error
from lynkr_core.dialects.fold import unfold
from lynkr_core.dialects.openai_chat.response import new_call_id
from lynkr_core.dialects.openai_chat.wire import NOTHING, given
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, PartEnd, PartStart, Start, UsageEvent
from lynkr_core.request import Part, Reasoning, Text, ToolCall
from lynkr_core.sse import MAX_EVENT, Reader, ServerSentEvent
from lynkr_provider_cohere import errors
from lynkr_provider_cohere.response import FAILURES, decode_response, finish, new_id, read_logprobs
from lynkr_provider_cohere.usage import usage_of
from lynkr_provider_cohere.wire import PLAN, Call, Content, DeltaMessage, WireDelta, WireEvent, wire_events

_OPENINGS: dict[str, Part] = {"text": Text(text=""), "thinking": Reasoning(), "plan": Reasoning(id=PLAN)}
_NOTHING = DeltaMessage()


class Decoder:
    """See `StreamDecoder`. A text stays open until something else opens, as citations may come after its end."""

    __slots__ = ("_body", "_called", "_ended", "_index", "_open", "_part", "_plain", "_reader", "_started", "_waiting")

    def __init__(self) -> None:
        self._reader = Reader()
        self._started = self._ended = self._called = False
        self._open = ""
        """What kind of part is open: text, thinking, plan, call, or empty for none."""
        self._index: int | None = None
        """The wire's number of what is open."""
        self._part = -1
        self._waiting: list[str] = []
        """Citations that came before any text."""
        self._plain: bool | None = None
        self._body = b""

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            if not self._is_plain(data):
                for event in self._reader.feed(data):
                    self._read(event, events)
        except UpstreamError as error:
            self._fail(error, events)
        return events

    def close(self) -> list[Event]:
        events: list[Event] = []
        try:
            if self._plain and not self._ended:
                self._ended = True
                return unfold(decode_response(self._body))
            for event in self._reader.close():
                self._read(event, events)
            if not self._ended:
                raise UpstreamError("cut", "the stream ended before the answer did")
        except UpstreamError as error:
            self._ended = False
            self._fail(error, events)
        return events

    def _is_plain(self, data: bytes) -> bool:
        """Whether this is one JSON value instead of a stream, as some servers answer to tell an error."""
        if self._plain is None:
            start = data.lstrip()
            self._plain = start[:1] in (b"{", b"[") if start else None
        if self._plain:
            self._body += data
            if len(self._body) > MAX_EVENT:
                raise UpstreamError("server", f"the answer is over {MAX_EVENT} bytes and no stream")
        return bool(self._plain)

    def _read(self, event: ServerSentEvent, events: list[Event]) -> None:
        if self._ended or not event.data.strip() or event.data.strip() == b"[DONE]":
            return
        try:
            found = wire_events.decode(event.data)
        except UNREADABLE as error:
            self._strange(event.data, error)
            return
        if not self._started:
            self._started = True
            events.append(Start(id=str(found.id or new_id()), model=""))
        self._dispatch(found, events)

    def _strange(self, data: bytes, error: Exception) -> None:
        """What is no event: an error of another shape, or rubbish."""
        if isinstance(error, msgspec.ValidationError) and b'"message"' in data and b'"type"' not in data:
            raise upstream_error(None, {}, data)
        raise UpstreamError("server", f"an event of the stream is none of Cohere's: {excerpt(data)[:100]}") from None

    def _dispatch(self, event: WireEvent, events: list[Event]) -> None:
        delta = event.delta or WireDelta()
        message = delta.message or _NOTHING
        match event.type:
            case "content-delta" | "content-start":
                self._content(event, message, events)
            case "tool-plan-delta":
                if message.tool_plan:
                    self._write("plan", message.tool_plan, None, events)
            case "tool-call-start" | "tool-call-delta":
                self._call(event, message, events)
            case "tool-call-end":
                self._close(events)
            case "citation-start":
                self._cite(message, events)
            case "message-end":
                self._end(delta, events)
            case _:
                pass  # content-end, citation-end, debug, and what is yet to come

    def _content(self, event: WireEvent, message: DeltaMessage, events: list[Event]) -> None:
        content = message.content
        if not isinstance(content, Content):
            return
        kind = "thinking" if content.thinking is not None or content.type == "thinking" else "text"
        text = content.thinking if kind == "thinking" else content.text
        if text or event.type == "content-delta":
            self._write(kind, text or "", event.index, events)
        if event.logprobs is not None:
            events.append(Logprobs(read_logprobs([event.logprobs])))

    def _write(self, kind: str, text: str, index: int | None, events: list[Event]) -> None:
        """A piece of text; opens a part of its kind when another is open, or another one of this kind."""
        if self._open != kind or self._index != index:
            if not text:
                return
            self._begin(kind, _OPENINGS[kind], index, events)
        if text:
            events.append(Delta(self._part, text))
        if kind == "text" and self._waiting:
            events += [Delta(self._part, citation, "annotations") for citation in self._waiting]
            self._waiting = []

    def _begin(self, kind: str, part: Part, index: int | None, events: list[Event]) -> None:
        self._close(events)
        self._part += 1
        self._open, self._index = kind, index
        events.append(PartStart(self._part, part))

    def _call(self, event: WireEvent, message: DeltaMessage, events: list[Event]) -> None:
        """Raises `UpstreamError` for a call without a name, and for arguments of a call that is not open."""
        call = message.tool_calls
        if not isinstance(call, Call) or call.function is None:
            return
        function = call.function
        if event.type == "tool-call-start":
            if not function.name:
                raise UpstreamError("server", "a tool call without a name")
            opening = ToolCall(id=call.id or new_call_id(), name=function.name, arguments="")
            self._begin("call", opening, event.index, events)
            self._called = True
        if function.arguments:
            if self._open != "call" or self._index != event.index:
                raise UpstreamError("server", "arguments of a tool call that is not open")
            events.append(Delta(self._part, function.arguments, "arguments"))

    def _cite(self, message: DeltaMessage, events: list[Event]) -> None:
        raw = given(message.citations) if message.citations is not NOTHING else None
        citation = "" if raw is None else bytes(raw).decode()
        if not citation.startswith("{") or '"PLAN"' in citation or '"THINKING_CONTENT"' in citation:
            return
        if self._open == "text":
            events.append(Delta(self._part, citation, "annotations"))
        else:
            self._waiting.append(citation)

    def _close(self, events: list[Event]) -> None:
        if self._open:
            self._open, self._index = "", None
            events.append(PartEnd(self._part))

    def _end(self, delta: WireDelta, events: list[Event]) -> None:
        if delta.error or delta.finish_reason in FAILURES:
            raise errors.failed(delta.finish_reason or "ERROR", delta.error)
        self._close(events)
        events.append(Finish(*finish(delta.finish_reason, self._called)))
        usage = usage_of(delta.usage)
        if usage is not None:
            events.append(UsageEvent(usage))
        events.append(End())
        self._ended = True

    def _fail(self, error: UpstreamError, events: list[Event]) -> None:
        if not self._ended:
            events.append(Failure(error))
            self._ended = True

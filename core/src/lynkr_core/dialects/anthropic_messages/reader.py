"""A streamed answer of this dialect, read into events."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE, opens_with
from lynkr_core.dialects.anthropic_messages import usage as counts
from lynkr_core.dialects.anthropic_messages.errors import read_inner_error
from lynkr_core.dialects.anthropic_messages.response import FINISH
from lynkr_core.dialects.anthropic_messages.signatures import reasoning
from lynkr_core.dialects.anthropic_messages.wire import NAME, Head, WireBlock, WireDelta, WireEvent, is_unknown, opened, type_of
from lynkr_core.dialects.anthropic_messages.wire import events as wire_events
from lynkr_core.dialects.splice import splice
from lynkr_core.dialects.surrogates import Mender
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Event, Failure, Finish, PartEnd, PartStart, Ping, Start, UsageEvent
from lynkr_core.request import Generic, Part, Reasoning, Text, ToolCall, Usage
from lynkr_core.sse import Reader

KNOWN = ("text", "thinking", "redacted_thinking", "tool_use")


class MessageReader:
    """Keeps the grammar of `events.py` whatever the upstream does: what never opened is opened, what never closed is closed."""

    __slots__ = ("_body", "_done", "_finished", "_index", "_input", "_mender", "_open", "_reader", "_started", "_usage")

    def __init__(self) -> None:
        self._reader = Reader()
        self._mender = Mender()
        self._body: bytes | None = b""  # what came so far while it may still be a JSON body and no stream
        self._started = self._finished = self._done = False
        self._index = -1
        self._open: Part | None = None
        self._input = ""
        self._usage: Usage | None = None

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that these bytes complete; nothing after a failure or the end."""
        if self._body is not None:
            data = self._sniff(data)
        events: list[Event] = []
        try:
            for sent in self._reader.feed(data):
                if self._done:
                    break
                self._read(sent.data, events)
        except UpstreamError as error:
            self._fail(error, events)
        except UNREADABLE as error:  # a value that was passed over unread, such as an input, is checked only here
            self._fail(UpstreamError("server", f"an event of the stream is broken: {error}"), events)
        return events

    def close(self) -> Sequence[Event]:
        """`Failure` of kind `cut` when `message_stop` never came."""
        events: list[Event] = []
        if self._body:
            self._fail(read_inner_error(self._body) or UpstreamError("server", "the answer is not an event stream"), events)
        try:
            for sent in self._reader.close():
                if not self._done:
                    self._read(sent.data, events)
        except UpstreamError as error:
            self._fail(error, events)
        except UNREADABLE as error:
            self._fail(UpstreamError("server", f"an event of the stream is broken: {error}"), events)
        if not self._done:
            self._fail(UpstreamError("cut", "the stream ended before the message did"), events)
        return events

    def _sniff(self, data: bytes) -> bytes:
        """Some upstreams answer a stream's request with a plain JSON error; no line of an event stream begins with a brace."""
        body = (self._body or b"") + data
        head = body.lstrip()
        if not head or head.startswith(b"{"):
            self._body = head
            return b""
        self._body = None
        return body

    def _read(self, data: bytes, events: list[Event]) -> None:
        try:
            event = wire_events.decode(data)
        except UNREADABLE as error:
            mended = self._mender.mend(data)
            if mended is not None:
                self._read(mended, events)
            elif not is_unknown(data):
                self._fail(
                    read_inner_error(data) or UpstreamError("server", f"an event of the stream is broken: {error}"), events
                )
            return
        match event.type:
            case "content_block_delta":
                if event.delta is not None:
                    self._block_delta(event.delta, events)
            case "content_block_start":
                self._block_start(event.content_block, events)
            case "content_block_stop":
                self._end(events)
            case _:
                self._read_frame(event, data, events)

    def _read_frame(self, event: WireEvent, data: bytes, events: list[Event]) -> None:
        match event.type:
            case "message_start":
                self._message_start(event.message or Head(), events)
            case "message_delta":
                self._message_delta(event, events)
            case "message_stop":
                self._message_stop(events)
            case "ping":
                events.append(Ping())
            case "error":
                self._fail(
                    read_inner_error(data) or UpstreamError("server", "the upstream reported an error", reported=True), events
                )
            case _:
                pass

    def _fail(self, error: UpstreamError, events: list[Event]) -> None:
        if not self._done:
            self._done = True
            events.append(Failure(error))

    def _message_start(self, head: Head, events: list[Event]) -> None:
        tier = None
        if head.usage is not None:
            self._usage, tier = counts.read(head.usage), head.usage.service_tier
        if not self._started:
            self._started = True
            events.append(Start(id=head.id, model=head.model, usage=self._usage, service_tier=tier, dialect=NAME))

    def _begin(self, part: Part, events: list[Event]) -> None:
        """Raises `UpstreamError` when the message has ended already."""
        if self._finished:
            raise UpstreamError("server", "the stream went on after the end of the message")
        if not self._started:
            self._started = True
            events.append(Start(id="", model="", dialect=NAME))
        self._end(events)
        self._index += 1
        self._open = part
        if not isinstance(part, Generic):
            events.append(PartStart(self._index, part))

    def _end(self, events: list[Event]) -> None:
        """A part we do not know is sent here, when all of its input has come."""
        part, self._open = self._open, None
        if part is None:
            return
        if isinstance(part, Generic):
            events.append(PartStart(self._index, self._complete(part)))
        elif isinstance(part, ToolCall) and self._input:
            events.append(Delta(self._index, self._input, "arguments"))  # all that came is what the block began with
        self._input = ""
        events.append(PartEnd(self._index))

    def _complete(self, part: Generic) -> Generic:
        try:
            value = msgspec.json.decode(self._input, type=Raw)
        except UNREADABLE:
            return part
        return Generic(type=part.type, native=splice(part.native, {"input": value}))

    def _block_start(self, raw: Raw, events: list[Event]) -> None:
        try:
            block = opened.decode(raw)
        except UNREADABLE:
            block = None
        match block:
            case WireBlock(type="text"):
                self._begin(Text(text=""), events)
                self._say(block.text, events)
            case WireBlock(type="thinking"):
                self._begin(Reasoning(), events)
                self._say(block.thinking, events)
                self._say(block.signature, events, "signature")
            case WireBlock(type="redacted_thinking"):
                self._begin(Reasoning(native=raw), events)
                self._say(block.data, events, "encrypted")
            case WireBlock(type="tool_use"):
                self._begin(ToolCall(id=block.id or made_id(), name=named(block.name), arguments=""), events)
                self._input = bytes(block.input).decode() or "{}"
            case None if not raw or not opens_with(raw, b"{") or type_of(raw) in KNOWN:
                raise UpstreamError("server", "a content block of the stream is broken")
            case _:
                self._begin(Generic(type=type_of(raw), native=raw), events)

    def _say(self, value: str | None, events: list[Event], field: Literal["text", "signature", "encrypted"] = "text") -> None:
        if value:
            events.append(Delta(self._index, value, field))

    def _block_delta(self, delta: WireDelta, events: list[Event]) -> None:
        kind = delta.type
        if kind == "text_delta":
            if not isinstance(self._open, Text):
                self._begin(Text(text=""), events)
            events.append(Delta(self._index, delta.text))
        elif kind == "input_json_delta":
            self._arguments(delta.partial_json, events)
        elif kind == "thinking_delta":
            if not isinstance(self._open, Reasoning):
                self._begin(Reasoning(), events)
            events.append(Delta(self._index, delta.thinking))
        elif kind == "signature_delta" and isinstance(self._open, Reasoning):
            self._sign(delta.signature, events)
        elif kind == "citations_delta" and isinstance(self._open, Text):
            events.append(Delta(self._index, bytes(delta.citation).decode(), "annotations"))

    def _arguments(self, value: str, events: list[Event]) -> None:
        if isinstance(self._open, Generic):
            self._input += value
        elif isinstance(self._open, ToolCall) and value:
            self._input = ""
            events.append(Delta(self._index, value, "arguments"))

    def _sign(self, signature: str, events: list[Event]) -> None:
        """A signature of ours, from another lynkr, gives back what it keeps."""
        part = reasoning("", signature)
        self._say(part.signature, events, "signature")
        self._say(part.encrypted, events, "encrypted")

    def _message_delta(self, event: WireEvent, events: list[Event]) -> None:
        self._end(events)
        delta = event.delta
        if delta is not None and delta.stop_reason is not None:
            self._finish(delta.stop_reason, delta.stop_sequence, events)
        if event.usage is not None and self._started:
            usage = counts.read(event.usage)
            self._usage = usage if self._usage is None else counts.merge(self._usage, usage)
            events.append(UsageEvent(self._usage))

    def _finish(self, reason: str, sequence: str | None, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Start(id="", model="", dialect=NAME))
        if not self._finished:
            self._finished = True
            events.append(Finish(FINISH.get(reason, "stop"), sequence))

    def _message_stop(self, events: list[Event]) -> None:
        self._end(events)
        self._finish("end_turn", None, events)
        self._done = True
        events.append(End())


def made_id() -> str:
    """For a call that came without one."""
    return f"toolu_{os.urandom(12).hex()}"


def named(name: str) -> str:
    """Raises `UpstreamError` for a call of nothing."""
    if not name:
        raise UpstreamError("server", "a tool call without a name")
    return name

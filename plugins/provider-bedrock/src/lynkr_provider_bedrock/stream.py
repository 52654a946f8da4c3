"""Reads a stream of Converse as events."""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Event, Failure, Finish, PartEnd, PartStart, Start, UsageEvent
from lynkr_core.request import Part, Reasoning, Text, ToolCall
from lynkr_provider_bedrock.errors import exception, read_told
from lynkr_provider_bedrock.frames import Frame, Frames
from lynkr_provider_bedrock.response import FINISH, ModelFields, new_id, sequence_of
from lynkr_provider_bedrock.usage import Tier, WireUsage, usage_of


class ToolInput(Struct):
    input: str = ""


class Thought(Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class Piece(Struct, rename="camel"):
    text: str | None = None
    tool_use: ToolInput | None = None
    reasoning_content: Thought | None = None


class BlockDelta(Struct, rename="camel"):
    delta: Piece
    content_block_index: int = 0


class OpenedTool(Struct, rename="camel"):
    tool_use_id: str
    name: str
    type: str | None = None


class Opened(Struct, rename="camel"):
    tool_use: OpenedTool | None = None


class BlockStart(Struct, rename="camel"):
    start: Opened
    content_block_index: int = 0


class Stopped(Struct, rename="camel"):
    stop_reason: str | None = None
    additional_model_response_fields: ModelFields | None = None


class Metadata(Struct, rename="camel"):
    usage: WireUsage | None = None
    service_tier: Tier | None = None


_delta = msgspec.json.Decoder(BlockDelta).decode
_start = msgspec.json.Decoder(BlockStart).decode
_stopped = msgspec.json.Decoder(Stopped).decode
_metadata = msgspec.json.Decoder(Metadata).decode


class Decoder:
    """See `StreamDecoder`. A text block has no start of its own, so a part opens with what it first says.

    `_block` is the index of the wire's open block, `_kind` what part is open: text, thought, call, or empty for none. The stream
    has ended well when `messageStop` came; `metadata` may follow it, and then nothing.
    """

    __slots__ = ("_block", "_done", "_finished", "_frames", "_kind", "_part", "_redacted", "_started")

    def __init__(self) -> None:
        self._frames = Frames()
        self._kind = ""
        self._part = self._block = -1
        self._started = self._finished = self._done = False
        self._redacted: list[str] = []

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            for frame in self._frames.feed(data):
                if not self._done:
                    self._read(frame, events)
        except UpstreamError as error:
            self._fail(error, events)
        return events

    def close(self) -> list[Event]:
        events: list[Event] = []
        if self._finished and not self._done and not self._frames.torn:
            self._end(events)
        self._fail(UpstreamError("cut", "the stream ended before the answer did"), events)
        return events

    def _fail(self, error: UpstreamError, events: list[Event]) -> None:
        if not self._done:
            self._done = True
            events.append(Failure(error))

    def _end(self, events: list[Event]) -> None:
        self._done = True
        events.append(End())

    def _read(self, frame: Frame, events: list[Event]) -> None:
        headers, payload = frame
        if headers.get(":message-type") != "event":
            raise told_error(headers, payload)
        try:
            event = headers.get(":event-type")
            if event == "contentBlockDelta":
                self._delta(payload, events)
            elif event == "contentBlockStart":
                self._open(payload, events)
            elif event == "contentBlockStop":
                self._close(events)
            elif event == "messageStop":
                self._stop(payload, events)
            elif event == "metadata":
                self._meter(payload, events)
            elif event == "messageStart":
                self._begin(events)
        except UNREADABLE as error:
            raise UpstreamError("server", f"an event of the stream cannot be read: {error}") from None

    def _begin(self, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Start(id=new_id(), model=""))

    def _open(self, payload: bytes, events: list[Event]) -> None:
        """A tool that Bedrock calls itself, its result and pictures are not for the caller."""
        started = _start(payload)
        self._close(events)
        self._block = started.content_block_index
        tool = started.start.tool_use
        if tool is not None and tool.type is None:
            self._give("call", ToolCall(id=tool.tool_use_id, name=tool.name, arguments=""), events)

    def _give(self, kind: str, part: Part, events: list[Event]) -> None:
        self._begin(events)
        if self._finished:
            raise UpstreamError("server", "the stream goes on after its end")
        self._close(events)
        self._kind = kind
        self._part += 1
        events.append(PartStart(self._part, part))

    def _delta(self, payload: bytes, events: list[Event]) -> None:
        wire = _delta(payload)
        if wire.content_block_index != self._block:
            self._close(events)
            self._block = wire.content_block_index
        piece = wire.delta
        if piece.text is not None:
            if self._kind != "text":
                self._give("text", Text(text=""), events)
            events.append(Delta(self._part, piece.text))
        elif piece.tool_use is not None:
            if self._kind == "call" and piece.tool_use.input:
                events.append(Delta(self._part, piece.tool_use.input, "arguments"))
        elif piece.reasoning_content is not None:
            self._think(piece.reasoning_content, events)

    def _think(self, thought: Thought, events: list[Event]) -> None:
        if self._kind != "thought":
            self._give("thought", Reasoning(), events)
        if thought.text:
            events.append(Delta(self._part, thought.text))
        if thought.signature:
            events.append(Delta(self._part, thought.signature, "signature"))
        if thought.redacted_content:
            self._redacted.append(thought.redacted_content)

    def _close(self, events: list[Event]) -> None:
        if self._redacted:
            events.append(Delta(self._part, joined(self._redacted), "encrypted"))
            self._redacted = []
        if self._kind:
            self._kind = ""
            events.append(PartEnd(self._part))

    def _stop(self, payload: bytes, events: list[Event]) -> None:
        stopped = _stopped(payload)
        if self._finished:
            return
        self._begin(events)
        self._close(events)
        self._finished = True
        reason = FINISH.get(stopped.stop_reason or "", "stop")
        events.append(Finish(reason, sequence_of(stopped.additional_model_response_fields)))

    def _meter(self, payload: bytes, events: list[Event]) -> None:
        told = _metadata(payload)
        self._begin(events)
        if told.usage is not None:
            events.append(UsageEvent(usage_of(told.usage, told.service_tier)))
        if self._finished:
            self._end(events)


def joined(pieces: list[str]) -> str:
    """Base64 text of what several base64 texts hold. Raises `UpstreamError`."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join([base64.b64decode(piece, validate=True) for piece in pieces])).decode()
    except (binascii.Error, ValueError):
        raise UpstreamError("server", "redacted reasoning of the stream is not base64") from None


def told_error(headers: dict[str, str], payload: bytes) -> UpstreamError:
    """What a frame says that is no event: an exception of the service model, or an error that is not in it."""
    told = read_told(payload)
    named = headers.get(":exception-type") or headers.get(":error-code") or ""
    message = told.message or told.capital or headers.get(":error-message") or ""
    if headers.get(":message-type") == "exception" or named:
        return exception(named, message, None, {})
    return UpstreamError("server", "a frame of the stream has no type")

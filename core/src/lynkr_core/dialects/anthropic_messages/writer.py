"""Events written as a stream of this dialect."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from lynkr_core.dialects.anthropic_messages import usage as counts
from lynkr_core.dialects.anthropic_messages.errors import envelope, error_type, told
from lynkr_core.dialects.anthropic_messages.fragments import encode
from lynkr_core.dialects.anthropic_messages.names import message_id, safe_id
from lynkr_core.dialects.anthropic_messages.response import stop_reason
from lynkr_core.dialects.anthropic_messages.signatures import is_foreign, make
from lynkr_core.dialects.anthropic_messages.wire import NAME
from lynkr_core.dialects.calls import Calls
from lynkr_core.dialects.splice import splice
from lynkr_core.events import Delta, End, Event, Failure, Finish, PartEnd, PartStart, Ping, Start, UsageEvent
from lynkr_core.request import Generic, Part, Reasoning, Text, ToolCall, Usage
from lynkr_core.sse import event as sse
from lynkr_core.tokens import CHARACTERS_PER_TOKEN

PING = sse(b'{"type":"ping"}', b"ping")
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_TAIL = b"}}\n\n"
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_END = sse(b'{"type":"message_stop"}', b"message_stop")
_object = msgspec.json.Decoder(dict[str, Raw])


class MessageWriter:
    """Writes each block when it has something to say: clients send the blocks back, and empty ones would then be refused."""

    __slots__ = (
        "_arguments",
        "_beginning",
        "_calls",
        "_chars",
        "_done",
        "_encrypted",
        "_finish",
        "_foreign",
        "_head",
        "_index",
        "_open",
        "_own",
        "_part",
        "_signed",
        "_usage",
        "_wrap",
    )

    def __init__(self, input_tokens: int, calls: Calls) -> None:
        self._calls = calls
        self._own = False  # whether the upstream speaks this dialect too
        self._usage = Usage(input_tokens=max(input_tokens, 1), estimated=True)
        self._finish: Finish | None = None
        self._part: Part | None = None
        self._open = self._signed = self._done = self._wrap = self._arguments = False
        self._encrypted = self._foreign = self._beginning = ""
        self._index = -1
        self._chars = 0
        self._head = b""

    def encode(self, event: Event) -> bytes:
        """The bytes of this event. After a failure or the end there are none; only the first choice is written."""
        if self._done:
            return b""
        match event:
            case Delta(field="text", choice=0):
                return self._text(event.value)
            case Delta(choice=0):
                return self._delta(event)
            case PartStart(choice=0):
                return self._start_part(event.part)
            case PartEnd(choice=0):
                return self._end_part()
            case _:
                return self._encode_frame(event)

    def _encode_frame(self, event: Event) -> bytes:
        match event:
            case Start():
                return self._start(event)
            case Ping():
                return PING
            case UsageEvent():
                self._usage = event.usage
            case Finish(choice=0):
                self._finish = event
            case End():
                return self._end()
            case Failure():
                self._done = True
                error = event.error
                return sse(envelope(error_type(error), told(error.kind, error.message)), b"error")
            case _:
                pass
        return b""

    def _start(self, event: Start) -> bytes:
        self._own = event.dialect == NAME
        if event.usage is not None and event.usage.input_tokens:
            self._usage = event.usage
        message: dict[str, Any] = {
            "id": message_id(event.id),
            "type": "message",
            "role": "assistant",
            "model": event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": counts.write(self._usage, event.service_tier),
        }
        return sse(encode({"type": "message_start", "message": message}), b"message_start")

    def _start_part(self, part: Part) -> bytes:
        self._part, self._encrypted, self._foreign, self._open, self._signed = part, "", "", False, False
        if isinstance(part, ToolCall):
            self._wrap, self._arguments, self._beginning = part.kind == "custom", False, ""
            return self._open_block(_call(self._calls.opened(part)), b"input_json_delta", b"partial_json")
        if isinstance(part, Generic):
            return self._generic(part)
        return b""

    def _open_block(self, block: Any, delta: bytes = b"text_delta", key: bytes = b"text") -> bytes:
        self._index += 1
        self._open = True
        self._head = _DELTA % (self._index, delta, key)
        start = {"type": "content_block_start", "index": self._index, "content_block": block}
        return sse(encode(start), b"content_block_start")

    def _text(self, value: str) -> bytes:
        self._chars += len(value)
        if self._open:
            return self._head + encode(value) + _TAIL
        if not value:
            return b""
        if isinstance(self._part, Reasoning):
            return self._open_thinking() + self._head + encode(value) + _TAIL
        if isinstance(self._part, Text):
            return self._open_block({"type": "text", "text": ""}) + self._head + encode(value) + _TAIL
        return b""

    def _open_thinking(self) -> bytes:
        return self._open_block({"type": "thinking", "thinking": "", "signature": ""}, b"thinking_delta", b"thinking")

    def _delta(self, event: Delta) -> bytes:
        part, value = self._part, event.value
        if event.field == "arguments" and isinstance(part, ToolCall):
            return self._write_arguments(value)
        if event.field == "encrypted" and isinstance(part, Reasoning):
            self._encrypted += value
        elif event.field == "signature" and isinstance(part, Reasoning) and (self._foreign or is_foreign(value)):
            self._foreign += value
        elif event.field == "signature" and isinstance(part, Reasoning):
            self._signed = True
            start = b"" if self._open else self._open_thinking()
            return start + self._signature(value)
        elif event.field == "annotations" and self._open and '"cited_text"' in value:
            return _DELTA % (self._index, b"citations_delta", b"citation") + value.encode() + _TAIL
        return b""

    def _signature(self, value: str) -> bytes:
        return _DELTA % (self._index, b"signature_delta", b"signature") + encode(value) + _TAIL

    def _write_arguments(self, value: str) -> bytes:
        """Arguments that are no JSON object, a custom tool's text for one, are put into one as they come."""
        if not value:
            return b""
        self._chars += len(value)
        if self._arguments:
            return self._head + encode(_inside(value) if self._wrap else value) + _TAIL
        value = self._beginning = self._beginning + value
        opens = None if self._wrap else begins_object(value)
        if opens is None and not self._wrap:
            return b""
        return self._begin_arguments(not opens)

    def _begin_arguments(self, wrap: bool) -> bytes:
        self._arguments, self._wrap = True, wrap
        value, self._beginning = self._beginning, ""
        return self._head + encode('{"input":"' + _inside(value) if wrap else value) + _TAIL

    def _end_part(self) -> bytes:
        part, self._part = self._part, None
        tail = b""
        if isinstance(part, ToolCall):
            tail = self._end_arguments()
        elif isinstance(part, Reasoning):
            tail = self._end_reasoning(part)
        if not self._open:
            return b""
        self._open = False
        return tail + _STOP % self._index

    def _end_arguments(self) -> bytes:
        if not self._arguments and not self._beginning.strip():
            return self._head + encode('{"input":""}' if self._wrap else "{}") + _TAIL
        if not self._arguments:
            return self._begin_arguments(True) + self._head + encode('"}') + _TAIL
        return self._head + encode('"}') + _TAIL if self._wrap else b""

    def _end_reasoning(self, part: Reasoning) -> bytes:
        """Every thinking block is signed before it ends, by its vendor or by us."""
        own = make(part.id, self._encrypted or None, self._foreign or None)
        if self._open:
            return b"" if self._signed else self._signature(own)
        if not self._encrypted and not self._foreign:
            return b""
        if part.native is not None and b'"redacted_thinking"' in bytes(part.native):
            return self._open_block({"type": "redacted_thinking", "data": self._encrypted})
        return self._open_thinking() + self._signature(own)

    def _generic(self, part: Generic) -> bytes:
        """A block that only this API has. Clients gather a tool's input from deltas, so it is sent as one."""
        if part.native is None or not self._own:
            return b""
        fields = _object.decode(part.native)
        arguments = fields.get("input") if part.type.endswith("tool_use") else None
        if arguments is None:
            return self._open_block(part.native)
        start = self._open_block(splice(part.native, {"input": {}}), b"input_json_delta", b"partial_json")
        return start + self._head + encode(bytes(arguments).decode()) + _TAIL

    def _end(self) -> bytes:
        """Usage may come after the last block, so the delta with the stop reason waits for the end."""
        self._done = True
        finish = self._finish or Finish("stop")
        usage = counts.write(self._usage)
        if self._usage.estimated and not usage["output_tokens"]:
            usage["output_tokens"] = max(round(self._chars / CHARACTERS_PER_TOKEN), 1)
        del usage["cache_creation"]  # a delta's usage has no such key (SDK: MessageDeltaUsage)
        delta = {"stop_reason": stop_reason(finish.reason, finish.stop_sequence), "stop_sequence": finish.stop_sequence}
        return sse(encode({"type": "message_delta", "delta": delta, "usage": usage}), b"message_delta") + _END


def _call(part: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": safe_id(part.id), "name": part.name, "input": {}}


def begins_object(text: str) -> bool | None:
    """Whether arguments that begin so can be a JSON object; None when that is still open."""
    text = text.lstrip()
    if not text.startswith("{"):
        return False if text else None
    inside = text[1:].lstrip()
    return inside[0] in '"}' if inside else None


def _inside(text: str) -> str:
    """The text as it stands between the quotes of a JSON string."""
    return encode(text).decode()[1:-1]

"""Writes events as a stream of Cohere's for a caller."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from lynkr_core.dialects.openai_chat.wire import encode
from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, PartEnd, PartStart, Ping, Start, UsageEvent
from lynkr_core.request import Reasoning, Text, ToolCall, Usage
from lynkr_core.sse import event
from lynkr_provider_cohere.errors import encode_in_stream
from lynkr_provider_cohere.message import is_plan
from lynkr_provider_cohere.response import finish_word, new_id, write_logprobs
from lynkr_provider_cohere.usage import write_usage

_PING = b": ping\n\n"
_BEGUN: dict[str, Any] = {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}


def wire_event(type: str, **keys: Any) -> bytes:
    return event(encode({"type": type, **keys}), type.encode())


class Encoder:
    """See `StreamEncoder`. Content and tool calls are counted each for themselves. Cohere has one choice: the first."""

    __slots__ = ("_after", "_before", "_calls", "_citations", "_contents", "_ending", "_filled", "_finish", "_id", "_usage")

    def __init__(self) -> None:
        self._id = ""
        self._contents = self._calls = self._citations = 0
        self._before = self._after = b""
        self._ending = b""
        """The event that ends the open part."""
        self._filled = True
        self._finish = Finish("stop")
        self._usage: Usage | None = None

    def encode(self, event: Event) -> bytes:
        if type(event) is Delta:
            return self._delta(event) if event.choice == 0 else b""
        match event:
            case PartStart() | PartEnd() | Logprobs() | Finish():
                return self._within(event) if event.choice == 0 else b""
            case Start():
                self._id = event.id or new_id()
                self._usage = event.usage
                return wire_event("message-start", id=self._id, delta=_BEGUN)
            case UsageEvent():
                self._usage = event.usage
            case Ping():
                return _PING
            case End():
                return self._end()
            case Failure():
                return encode_in_stream(event.error.message, self._id)
            case _:
                pass
        return b""

    def _within(self, event: PartStart | PartEnd | Logprobs | Finish) -> bytes:
        """Events of the choice."""
        if isinstance(event, PartStart):
            return self._open(event)
        if isinstance(event, PartEnd):
            return self._close()
        if isinstance(event, Logprobs):
            return self._logprobs(event)
        self._finish = event
        return b""

    def _open(self, opened: PartStart) -> bytes:
        part = opened.part
        self._filled = True
        if isinstance(part, ToolCall):
            return self._open_call(part)
        if is_plan(part):
            self._before = b'event: tool-plan-delta\ndata: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":'
            self._after, self._ending = b"}}}\n\n", b""
            return b""
        key = "thinking" if isinstance(part, Reasoning) else "text"
        if key == "text" and not isinstance(part, Text):
            self._before = self._ending = b""
            return b""  # an image or another thing that Cohere's answers cannot hold
        index, self._contents = self._contents, self._contents + 1
        self._before = b'event: content-delta\ndata: {"type":"content-delta","index":%d,"delta":{"message":{"content":{"%b":' % (
            index,
            key.encode(),
        )
        self._after = b"}}}}\n\n"
        self._ending = wire_event("content-end", index=index)
        return wire_event("content-start", index=index, delta={"message": {"content": {"type": key, key: ""}}})

    def _open_call(self, call: ToolCall) -> bytes:
        index, self._calls = self._calls, self._calls + 1
        self._before = (
            b'event: tool-call-delta\ndata: {"type":"tool-call-delta","index":%d,"delta":{"message":{"tool_calls":'
            b'{"function":{"arguments":' % index
        )
        self._after = b"}}}}}\n\n"
        self._ending = wire_event("tool-call-end", index=index)
        self._filled = False
        begun = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        return wire_event("tool-call-start", index=index, delta={"message": {"tool_calls": begun}})

    def _delta(self, delta: Delta) -> bytes:
        if delta.field in ("text", "arguments"):
            self._filled = True
            return self._before + encode(delta.value) + self._after if self._before else b""
        if delta.field != "annotations" or '"sources"' not in delta.value:
            return b""
        return self._cite(delta.value)

    def _cite(self, citation: str) -> bytes:
        index, self._citations = self._citations, self._citations + 1
        cited = wire_event("citation-start", index=index, delta={"message": {"citations": Raw(citation.encode())}})
        return cited + wire_event("citation-end", index=index)

    def _close(self) -> bytes:
        """A tool that was called without arguments gets `{}`: clients parse what they are given."""
        empty = b"" if self._filled else self._before + b'"{}"' + self._after
        return empty + self._ending

    def _logprobs(self, told: Logprobs) -> bytes:
        """Beside an empty piece of the open text, or of the first."""
        place: dict[str, Any] = {"index": max(0, self._contents - 1), "delta": {"message": {"content": {"text": ""}}}}
        return b"".join([wire_event("content-delta", **place, logprobs=item) for item in write_logprobs(told.value)])

    def _end(self) -> bytes:
        if self._finish.reason in ("error", "content_filter"):
            why = "the model failed" if self._finish.reason == "error" else "the answer was stopped by a content filter"
            return encode_in_stream(why, self._id)
        delta: dict[str, Any] = {"finish_reason": finish_word(self._finish.reason, self._finish.stop_sequence)}
        if self._usage is not None:
            delta["usage"] = write_usage(self._usage)
        return wire_event("message-end", id=self._id, delta=delta)

"""Writes events as a stream of chunks for a caller."""

from __future__ import annotations

import time
from typing import Any

from msgspec import Raw

from lynkr_core.dialect import Envelope
from lynkr_core.dialects import openai_errors
from lynkr_core.dialects.calls import Calls, free_text
from lynkr_core.dialects.openai_chat.response import call_for_caller, citations, new_id, write_logprobs
from lynkr_core.dialects.openai_chat.usage import write_usage
from lynkr_core.dialects.openai_chat.wire import encode
from lynkr_core.errors import AllFailed
from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, PartEnd, PartStart, Ping, Start, UsageEvent
from lynkr_core.request import Part, Reasoning, Text, ToolCall, Usage
from lynkr_core.sse import event as sse_event

_PING = b": ping\n\n"
_DONE = b"data: [DONE]\n\n"
_AFTER = b'},"finish_reason":null}]}\n\n'


class ChoiceWriter:
    """One choice. What stands before and after the value of a delta is made once for each part."""

    __slots__ = ("after", "before", "calls", "filled", "head", "part", "wrapped")

    def __init__(self, head: bytes, number: int) -> None:
        self.head = head + b',"choices":[{"index":%d,"delta":{' % number
        self.before = self.after = b""
        self.part: Part | None = None
        self.calls = 0
        self.filled = False
        self.wrapped: list[str] | None = None
        """Pieces of free text in an object, which can be taken out of it only when it is whole."""

    def chunk(self, delta: bytes) -> bytes:
        return self.head + delta + _AFTER

    def open(self, part: Part, calls: Calls) -> bytes:
        self.part = part
        self.filled = False
        if isinstance(part, ToolCall):
            self.part = opened = calls.opened(part)
            self.wrapped = None if opened.kind == part.kind else []
            return self.open_call(opened)
        key = b"reasoning_content" if isinstance(part, Reasoning) else b"content"
        if isinstance(part, Text) and part.refusal:
            key = b"refusal"
        self.before = self.head + b'"%b":' % key
        self.after = _AFTER
        return b""

    def open_call(self, call: ToolCall) -> bytes:
        inside, value = ("custom", "input") if call.kind == "custom" else ("function", "arguments")
        self.before = self.head + b'"tool_calls":[{"index":%d,"%b":{"%b":' % (self.calls, inside.encode(), value.encode())
        self.after = b"}}]" + _AFTER
        fragment: Any = call_for_caller(call)
        fragment[inside][value] = ""
        opening = self.chunk(b'"tool_calls":[%b]' % encode({"index": self.calls, **fragment}))
        self.calls += 1
        return opening

    def delta(self, value: str) -> bytes:
        if self.wrapped is not None:
            self.wrapped.append(value)
            return b""
        self.filled = True
        return self.before + encode(value) + self.after

    def close(self) -> bytes:
        """A function that was called without arguments gets `{}`, as clients parse what they are given; free text is told now."""
        if self.wrapped is not None:
            text, self.wrapped = free_text("".join(self.wrapped)), None
            return self.delta(text)
        called = isinstance(self.part, ToolCall) and self.part.kind == "function"
        return self.delta("{}") if called and not self.filled else b""

    def annotations(self, value: str) -> bytes:
        """Citations in this API's own form; another's mean nothing to the caller."""
        notes = citations(Raw(value.encode()))
        return self.chunk(b'"annotations":%b' % encode(notes)) if notes else b""

    def beside(self, key: bytes, value: bytes) -> bytes:
        """A chunk that says something beside an empty delta."""
        finish = b"" if key == b"finish_reason" else b',"finish_reason":null'
        return self.head + b'},"%b":%b%b}]}\n\n' % (key, value, finish)


class Encoder:
    """See `StreamEncoder`. Every chunk has the same id, and a finish reason even when it is null."""

    __slots__ = ("_calls", "_choices", "_head", "_usage", "_usage_asked")

    def __init__(self, envelope: Envelope, calls: Calls) -> None:
        self._calls = calls
        self._usage_asked = envelope.usage_asked
        self._usage: Usage | None = None
        self._head = b""
        self._choices: dict[int, ChoiceWriter] = {}

    def encode(self, event: Event) -> bytes:
        if type(event) is Delta:
            if event.field in ("text", "arguments"):
                return self._choices[event.choice].delta(event.value)
            return self._choices[event.choice].annotations(event.value) if event.field == "annotations" else b""
        return self._other(event)

    def _other(self, event: Event) -> bytes:
        match event:
            case PartStart() | Logprobs() | Finish():
                return self._within(event)
            case PartEnd():
                return self._choices[event.choice].close()
            case Start():
                return self._start(event)
            case UsageEvent():
                self._usage = event.usage
                return b""
            case Ping():
                return _PING
            case End():
                return self._end()
            case Failure():
                return sse_event(openai_errors.encode(AllFailed(event.error, ())))
            case _:
                return b""

    def _start(self, start: Start) -> bytes:
        created = int(time.time()) if start.created is None else start.created
        fixed = {"id": start.id or new_id(), "object": "chat.completion.chunk", "created": created, "model": start.model}
        if start.service_tier is not None:
            fixed["service_tier"] = start.service_tier
        self._head = b"data: " + encode(fixed)[:-1]
        self._usage = start.usage
        return self._begin(0)

    def _begin(self, number: int) -> bytes:
        """The chunk that tells a choice's role, once."""
        if number in self._choices:
            return b""
        self._choices[number] = writer = ChoiceWriter(self._head, number)
        return writer.chunk(b'"role":"assistant","content":""')

    def _within(self, event: PartStart | Logprobs | Finish) -> bytes:
        """Events of a choice that may be its first."""
        begin = self._begin(event.choice)
        writer = self._choices[event.choice]
        if isinstance(event, PartStart):
            return begin + writer.open(event.part, self._calls)
        if isinstance(event, Finish):
            return begin + writer.beside(b"finish_reason", encode(event.reason))
        return begin + writer.beside(b"logprobs", encode(write_logprobs(event.value)))

    def _end(self) -> bytes:
        if not self._usage_asked or self._usage is None:
            return _DONE
        return self._head + b',"choices":[],"usage":' + encode(write_usage(self._usage)) + b"}\n\n" + _DONE

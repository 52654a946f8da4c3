"""Writes this API's stream for the caller: one item after the other, each event numbered, everything closed that was opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from msgspec import Raw

from lynkr_core.dialect import Envelope
from lynkr_core.dialects.calls import Calls
from lynkr_core.dialects.openai_responses import output
from lynkr_core.dialects.openai_responses.content import citations
from lynkr_core.dialects.openai_responses.errors import failure
from lynkr_core.dialects.openai_responses.output import Callers, Ids
from lynkr_core.dialects.openai_responses.usage import write_usage
from lynkr_core.dialects.openai_responses.wire import NAME, Wire, encode
from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, PartEnd, PartStart, Ping, Start, UsageEvent
from lynkr_core.request import FinishReason, Part, Reasoning, Text, ToolCall, Usage
from lynkr_core.sse import CR, LF

PING = b": ping\n\n"
_CALLS = {"function": "response.function_call_arguments", "custom": "response.custom_tool_call_input"}


def one_line(data: bytes) -> bytes:
    """JSON without line ends, which fragments echoed from the request may have and an event's data may not."""
    return data.replace(b"\r", b" ").replace(b"\n", b" ") if LF in data or CR in data else data


class ResponsesEncoder:
    """One stream. Usage may come last, so the terminal event is written at `End`."""

    def __init__(self, envelope: Envelope, input_tokens: int, calls: Calls) -> None:
        self._model = envelope.model
        self._base = output.skeleton(envelope.fields)
        self._callers = Callers(envelope.fields, calls)
        self._ids = Ids()
        self._id = ""
        self._created: int | None = None
        self._number = 0  # of the next event
        self._usage = Usage(input_tokens=input_tokens, estimated=True)
        self._reason: FinishReason = "stop"
        self._items: list[Raw | Wire] = []
        self._part: Part | None = None
        self._item_id = ""
        self._pieces: list[str] = []
        self._notes: list[Any] = []
        self._logprobs: list[Any] = []
        self._secrets: dict[str, str] = {}
        self._delta: tuple[bytes, bytes] | None = None  # the bytes before and after the number of a delta's event
        self._begun = False  # the summary of the open reasoning item

    def encode(self, event: Event) -> bytes:
        if type(event) is Delta:
            return b"" if event.choice else self._encode_delta(event)
        if getattr(event, "choice", 0):
            return b""  # this API gives one answer
        return self._WRITERS[type(event)](self, event)

    def _event(self, name: str, **body: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        data = one_line(encode({"type": name, "sequence_number": number, **body}))
        return b"event: %b\ndata: %b\n\n" % (name.encode(), data)

    def _of_item(self, name: str, **body: Any) -> bytes:
        """An event that speaks of the open item."""
        return self._event(name, item_id=self._item_id, output_index=len(self._items), **body)

    def _response(self, status: str, **more: Any) -> Wire:
        return output.response(self._base, self._id, self._model, self._created, status, **more)

    def _start(self, event: Start) -> bytes:
        self._id, self._created = self._ids.response(event.id), event.created
        self._model = event.model or self._model
        self._callers.own = event.dialect == NAME
        self._usage = event.usage or self._usage
        if event.service_tier is not None:
            self._base["service_tier"] = event.service_tier
        response = self._response("in_progress")
        self._created = response["created_at"]
        return self._event("response.created", response=response) + self._event("response.in_progress", response=response)

    # an item opens
    def _part_start(self, event: PartStart) -> bytes:
        part = self._part = event.part
        self._pieces, self._notes, self._logprobs, self._secrets, self._delta = [], [], [], {}, None
        match part:
            case Text():
                return self._text_start(part)
            case ToolCall():
                return self._call_start(part)
            case Reasoning():
                return self._reasoning_start(part)
            case _:
                return b""

    def _add(self, id: str, item: Wire) -> bytes:
        self._item_id = id
        return self._event("response.output_item.added", output_index=len(self._items), item=item)

    def _prepare(self, name: str, **body: Any) -> None:
        """Makes all of a delta event but its number and text, which are last."""
        fixed = encode({"type": name, "item_id": self._item_id, "output_index": len(self._items), **body})
        head = b"event: %b\ndata: %b" % (name.encode(), fixed[:-1])
        self._delta = (head + b',"sequence_number":', b',"delta":')

    def _text_start(self, part: Text) -> bytes:
        id = self._ids.item("msg", len(self._items))
        added = self._add(id, output.message(id, "in_progress", []))
        empty = output.content(Text(text="", refusal=part.refusal))
        if part.refusal:
            self._prepare("response.refusal.delta", content_index=0)
        else:
            self._prepare("response.output_text.delta", content_index=0, logprobs=[])
        return added + self._of_item("response.content_part.added", content_index=0, part=empty)

    def _call_start(self, part: ToolCall) -> bytes:
        kind = self._callers.kind(part)
        id = self._ids.item(output.prefix(kind), len(self._items))
        opened = ToolCall(id=part.id, name=part.name, arguments="", kind=part.kind)
        added = self._add(id, self._callers.call(opened, id, "in_progress"))
        if kind == part.kind:  # else the text is known only when the arguments are whole
            self._prepare(_CALLS[kind] + ".delta")
        return added

    def _reasoning_start(self, part: Reasoning) -> bytes:
        self._begun = False
        id = part.id or self._ids.item("rs", len(self._items))
        added = self._add(id, {"id": id, "type": "reasoning", "summary": []})
        self._prepare("response.reasoning_summary_text.delta", summary_index=0)
        return added

    # a piece of it
    def _encode_delta(self, event: Delta) -> bytes:
        if event.field in ("text", "arguments"):
            self._pieces.append(event.value)
            if self._delta is None or not event.value:
                return b""
            begin = self._summary_start() if isinstance(self._part, Reasoning) and not self._begun else b""
            return begin + self._piece(event.value)
        if event.field != "annotations":
            self._secrets[event.field] = self._secrets.get(event.field, "") + event.value
            return b""
        return self._annotation(Raw(event.value.encode()))

    def _piece(self, text: str) -> bytes:
        assert self._delta is not None
        number, self._number = self._number, self._number + 1
        return b"%b%d%b%b}\n\n" % (self._delta[0], number, self._delta[1], encode(text))

    def _summary_start(self) -> bytes:
        self._begun = True
        part = {"type": "summary_text", "text": ""}
        return self._of_item("response.reasoning_summary_part.added", summary_index=0, part=part)

    def _annotation(self, raw: Raw) -> bytes:
        written = b""
        for note in citations(raw):
            index = len(self._notes)
            self._notes.append(note)
            name = "response.output_text.annotation.added"
            written += self._of_item(name, content_index=0, annotation_index=index, annotation=note)
        return written

    def _keep_logprobs(self, event: Logprobs) -> bytes:
        """They come after their tokens, so the deltas are already written: they stand in the whole text's event."""
        self._logprobs += output.logprobs(event.value)
        return b""

    # the item ends
    def _part_end(self, event: PartEnd) -> bytes:
        part, self._part = self._part, None
        text = "".join(self._pieces)
        match part:
            case Text():
                return self._text_end(Text(text=text, refusal=part.refusal))
            case ToolCall():
                return self._call_end(ToolCall(id=part.id, name=part.name, arguments=text, kind=part.kind))
            case Reasoning():
                return self._reasoning_end(self._thought(part, text))
            case None:
                return b""
            case _:
                return self._whole(part)

    def _done(self, item: Raw | Wire) -> bytes:
        index = len(self._items)
        self._items.append(item)
        return self._event("response.output_item.done", output_index=index, item=item)

    def _text_end(self, part: Text) -> bytes:
        content = output.content(part, self._logprobs)
        if part.refusal:
            written = self._of_item("response.refusal.done", content_index=0, refusal=part.text)
        else:
            content["annotations"] = self._notes
            written = self._of_item("response.output_text.done", content_index=0, text=part.text, logprobs=self._logprobs)
        written += self._of_item("response.content_part.done", content_index=0, part=content)
        return written + self._done(output.message(self._item_id, "completed", [content]))

    def _call_end(self, part: ToolCall) -> bytes:
        """A call without arguments has the empty object. What was not written piece by piece is written in one."""
        missing = ""
        if part.kind == "function" and not part.arguments.strip():
            missing = "{}"
            part = ToolCall(id=part.id, name=part.name, arguments=missing, kind=part.kind)
        item = self._callers.call(part, self._item_id)
        kind = self._callers.kind(part)
        key = "input" if kind == "custom" else "arguments"
        if self._delta is None:
            self._prepare(_CALLS[kind] + ".delta")
            missing = item[key]
        written = self._piece(missing) if missing else b""
        return written + self._of_item(_CALLS[kind] + ".done", **{key: item[key]}) + self._done(item)

    def _reasoning_end(self, part: Reasoning) -> bytes:
        written = b""
        if self._begun:
            text = {"type": "summary_text", "text": part.text}
            written += self._of_item("response.reasoning_summary_text.done", summary_index=0, text=part.text)
            written += self._of_item("response.reasoning_summary_part.done", summary_index=0, part=text)
        return written + self._done(output.reasoning(part, self._item_id))

    def _thought(self, part: Reasoning, text: str) -> Reasoning:
        secrets = self._secrets
        return Reasoning(text=text, id=part.id, signature=secrets.get("signature"), encrypted=secrets.get("encrypted"))

    def _whole(self, part: Part) -> bytes:
        """An item that comes all at once."""
        item = output.write_part(part, self._ids, len(self._items), self._callers)
        if item is None:
            return b""
        return self._event("response.output_item.added", output_index=len(self._items), item=item) + self._done(item)

    # the response ends
    def _finish(self, event: Finish) -> bytes:
        self._reason = event.reason
        return b""

    def _keep_usage(self, event: UsageEvent) -> bytes:
        self._usage = event.usage
        return b""

    def _ping(self, event: Ping) -> bytes:
        return PING

    def _end(self, event: End) -> bytes:
        status, more = output.ending(self._reason)
        response = self._response(status, output=self._items, usage=write_usage(self._usage), **more)
        return self._event(f"response.{status}", response=response)

    def _failed(self, event: Failure) -> bytes:
        begin = b"" if self._id else self._start(Start(id="", model=""))
        response = self._response("failed", output=self._items, error=failure(event.error))
        return begin + self._event("response.failed", response=response)

    _WRITERS: ClassVar[dict[type, Callable[[ResponsesEncoder, Any], bytes]]] = {
        Start: _start,
        PartStart: _part_start,
        PartEnd: _part_end,
        Logprobs: _keep_logprobs,
        Finish: _finish,
        UsageEvent: _keep_usage,
        Ping: _ping,
        End: _end,
        Failure: _failed,
    }

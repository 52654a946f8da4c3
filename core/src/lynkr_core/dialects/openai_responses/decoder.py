"""Reads this API's stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.openai_responses.errors import Problem, inside_error, read_problem
from lynkr_core.dialects.openai_responses.items import read_item
from lynkr_core.dialects.openai_responses.parts import Parts
from lynkr_core.dialects.openai_responses.response import Answer, answer_decoder, finish, used
from lynkr_core.dialects.openai_responses.wire import NAME, NOTHING, some
from lynkr_core.dialects.surrogates import Mender
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, Ping, Start, UsageEvent, empty
from lynkr_core.request import Reasoning, Text, ToolCall
from lynkr_core.sse import Reader


class _Wire(Struct):
    """The keys of every event that is read."""

    type: str = ""
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: str = ""
    text: str = ""
    refusal: str = ""
    arguments: str = ""
    input: str = ""
    item: Raw = NOTHING
    part: Raw = NOTHING
    annotation: Raw = NOTHING
    response: Raw = NOTHING
    logprobs: Raw = NOTHING
    error: Raw = NOTHING
    code: Any = None
    message: Any = None


class _Type(Struct):
    type: str = ""


class _Head(Struct):
    type: str = ""
    id: str | None = None


_wire = msgspec.json.Decoder(_Wire)
_type = msgspec.json.Decoder(_Type)
_head = msgspec.json.Decoder(_Head)
_EMPTY_LIST = Raw(b"[]")
_CALLS = ("function_call", "custom_tool_call")


class ResponsesDecoder:
    """One stream. Parts of two items that are open at once come one after the other: what belongs to the later one waits."""

    def __init__(self) -> None:
        self._reader = Reader()
        self._mender = Mender()
        self._parts = Parts()
        self._started = self._ended = False
        self._item: int | None = None  # output index of the item whose parts are being given
        self._waiting: dict[int, list[_Wire]] = {}
        self._place: tuple[str, int] | None = None  # which content or summary part the last delta was of

    def feed(self, data: bytes) -> Sequence[Event]:
        out = self._parts.out = []
        if not self._ended:
            try:
                for event in self._reader.feed(data):
                    self._event(event.data)
            except UpstreamError as error:
                self._fail(error)
        return out

    def close(self) -> Sequence[Event]:
        out = self._parts.out = []
        if not self._ended:
            for event in self._reader.close():
                self._event(event.data)
        if not self._ended:
            self._fail(UpstreamError("cut", "the upstream's stream ended without response.completed"))
        return out

    def _event(self, data: bytes) -> None:
        if self._ended or data == b"[DONE]":
            return
        try:
            wire = _wire.decode(data)
        except UNREADABLE as error:
            self._undecoded(data, error)
            return
        action = self._ACTIONS.get(wire.type)
        try:
            if action is not None:
                action(self, wire)
            elif not wire.type and some(wire.error):
                self._failed(wire)
        except (*UNREADABLE, InvalidRequest) as error:
            self._fail(UpstreamError("server", f"the upstream sent a broken event: {error}"))

    def _undecoded(self, data: bytes, error: Exception) -> None:
        """An event that we do not read may use our keys for something else; anything else is broken."""
        mended = self._mender.mend(data)
        if mended is not None:
            self._event(mended)
            return
        try:
            if _type.decode(data).type not in self._ACTIONS:
                return
        except UNREADABLE:
            pass
        self._fail(UpstreamError("server", f"the upstream sent a broken event: {error}"))

    def _fail(self, error: UpstreamError) -> None:
        self._ended = True
        self._parts.out.append(Failure(error))

    # the response as a whole
    def _begin(self, wire: _Wire) -> None:
        self._start(answer_decoder.decode(wire.response) if some(wire.response) else Answer())

    def _start(self, answer: Answer) -> None:
        if not self._started:
            self._started = True
            created = int(answer.created_at) if answer.created_at else None
            tier = answer.service_tier
            self._parts.out.append(Start(id=answer.id, model=answer.model, created=created, service_tier=tier, dialect=NAME))

    def _terminal(self, wire: _Wire) -> None:
        """A server that only ever sends whole responses tells of its items here."""
        answer = answer_decoder.decode(wire.response)
        self._start(answer)
        self._drain()
        if not self._parts.count:
            for item in answer.output or []:
                self._whole(_Wire(item=item))
        self._parts.out.append(Finish(finish(answer, (ToolCall(id="", name=""),) if self._parts.called else ())))
        usage = used(answer)
        if usage is not None:
            self._parts.out.append(UsageEvent(usage))
        self._parts.out.append(End())
        self._ended = True

    def _failed(self, wire: _Wire) -> None:
        answer = answer_decoder.decode(wire.response) if some(wire.response) else Answer(error=wire.error)
        problem = read_problem(answer.error) if some(answer.error) else None
        self._fail(inside_error(problem or Problem(message=wire.message, code=wire.code)))

    def _ping(self, wire: _Wire) -> None:
        self._parts.out.append(Ping())

    # items, one at a time
    def _turn(self, wire: _Wire) -> bool:
        """Whether this event's item may go on now; if not, the event is kept."""
        index = wire.output_index
        if self._item is None:
            self._start(Answer())
            self._item = index
        if self._item == index:
            return True
        self._waiting.setdefault(index, []).append(wire)
        return False

    def _added(self, wire: _Wire) -> None:
        head = _head.decode(wire.item)
        if head.type in (*_CALLS, "reasoning", "message") and self._turn(wire) and head.type != "message":
            self._parts.open(empty(read_item(wire.item, "item").parts[0]) if head.type in _CALLS else Reasoning(id=head.id))

    def _whole(self, wire: _Wire) -> None:
        """An item is done: what of it was not told yet is told now."""
        if not self._turn(wire):
            return
        parts = read_item(wire.item, "item").parts
        if self._parts.open_part is not None and self._parts.told <= len(parts):
            self._parts.rest(parts[self._parts.told - 1])
        for part in parts[self._parts.told :]:
            self._parts.tell(part)
        self._parts.close()
        self._next()

    def _next(self) -> None:
        """The item is over; the ones that waited get their turn."""
        self._item = self._place = None
        self._parts.told = 0
        if self._waiting:
            index = min(self._waiting)
            for wire in self._waiting.pop(index):
                self._ACTIONS[wire.type](self, wire)

    def _drain(self) -> None:
        """Ends what was left open."""
        while self._item is not None:
            self._parts.close()
            self._next()

    # text and refusals
    def _part_added(self, wire: _Wire) -> None:
        if self._turn(wire) and not isinstance(self._parts.open_part, Reasoning):
            self._text(wire, _head.decode(wire.part).type == "refusal" if wire.part else False)

    def _text(self, wire: _Wire, refusal: bool = False) -> bool:
        """Opens the text part that this event speaks of. False when that one is already over."""
        place = ("content", wire.content_index)
        if place != self._place:
            self._place = place
            self._parts.open(Text(text="", refusal=refusal))
        return self._parts.open_part is not None

    def _text_delta(self, wire: _Wire) -> None:
        if self._turn(wire) and self._text(wire):
            self._parts.delta(wire.delta)
            if wire.logprobs and wire.logprobs != _EMPTY_LIST and some(wire.logprobs):
                self._parts.out.append(Logprobs(wire.logprobs))

    def _refusal_delta(self, wire: _Wire) -> None:
        if self._turn(wire) and self._text(wire, refusal=True):
            self._parts.delta(wire.delta)

    def _annotation(self, wire: _Wire) -> None:
        if self._turn(wire) and isinstance(self._parts.open_part, Text) and some(wire.annotation):
            self._parts.out.append(Delta(self._parts.count, bytes(wire.annotation).decode(), "annotations"))

    def _text_done(self, wire: _Wire) -> None:
        if self._turn(wire) and self._text(wire, refusal=bool(wire.refusal)):
            self._parts.missing(wire.text or wire.refusal, "text")

    def _part_done(self, wire: _Wire) -> None:
        if self._turn(wire) and isinstance(self._parts.open_part, Text):
            self._parts.close()

    # calls
    def _arguments(self, wire: _Wire) -> None:
        if self._turn(wire) and self._parts.open_part is not None:
            self._parts.delta(wire.delta, "arguments")

    def _arguments_done(self, wire: _Wire) -> None:
        if self._turn(wire) and self._parts.open_part is not None:
            self._parts.missing(wire.arguments or wire.input, "arguments")

    # reasoning: the parts of a summary, or of the full text, are joined by an empty line
    def _thought(self, wire: _Wire, place: tuple[str, int]) -> None:
        if not self._turn(wire):
            return
        if self._parts.open_part is None:
            self._parts.open(Reasoning())
        separator = "\n\n" if self._parts.sent and place != self._place else ""
        self._place = place
        self._parts.delta(separator + wire.delta)

    def _summary(self, wire: _Wire) -> None:
        self._thought(wire, ("summary", wire.summary_index))

    def _reasoning(self, wire: _Wire) -> None:
        self._thought(wire, ("reasoning", wire.content_index))

    _ACTIONS: ClassVar[dict[str, Callable[[ResponsesDecoder, _Wire], None]]] = {
        "response.created": _begin,
        "response.in_progress": _begin,
        "response.queued": _begin,
        "response.completed": _terminal,
        "response.incomplete": _terminal,
        "response.failed": _failed,
        "response.cancelled": _failed,
        "error": _failed,
        "keepalive": _ping,
        "response.output_item.added": _added,
        "response.output_item.done": _whole,
        "response.content_part.added": _part_added,
        "response.content_part.done": _part_done,
        "response.output_text.delta": _text_delta,
        "response.output_text.done": _text_done,
        "response.output_text.annotation.added": _annotation,
        "response.refusal.delta": _refusal_delta,
        "response.refusal.done": _text_done,
        "response.function_call_arguments.delta": _arguments,
        "response.function_call_arguments.done": _arguments_done,
        "response.custom_tool_call_input.delta": _arguments,
        "response.custom_tool_call_input.done": _arguments_done,
        "response.reasoning_summary_text.delta": _summary,
        "response.reasoning_text.delta": _reasoning,
    }

"""A stream folded into one response, and a response unfolded into the events of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec
from msgspec import Raw, structs

from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, PartEnd, PartStart, Start, UsageEvent, empty
from lynkr_core.request import Choice, Part, Reasoning, Response, Text, ToolCall, Usage


class Fold:
    """Gathers a stream's events into the response they tell of. `add` raises the `UpstreamError` of a `Failure`.

    `dialect` is the response's; it has no `native`, so it is written from its parts.
    """

    def __init__(self, dialect: str = "") -> None:
        self.dialect = dialect
        self.start = Start(id="", model="")
        self.usage: Usage | None = None
        self.parts: dict[int, list[Part]] = {}
        self.pieces: dict[tuple[int, int], dict[str, list[str]]] = {}
        self.logprobs: dict[int, list[Raw]] = {}
        self.finished: dict[int, Finish] = {}

    def add(self, event: Event) -> None:
        match event:
            case Delta():
                self.pieces[event.choice, event.index].setdefault(event.field, []).append(event.value)
            case PartStart():
                self.parts.setdefault(event.choice, []).append(event.part)
                self.pieces[event.choice, event.index] = {}
            case Start():
                self.start, self.usage = event, event.usage
            case UsageEvent():
                self.usage = event.usage
            case Logprobs():
                self.logprobs.setdefault(event.choice, []).append(event.value)
            case Finish():
                self.finished[event.choice] = event
            case Failure():
                raise event.error
            case _:
                pass

    def response(self) -> Response:
        """What was gathered so far; a choice without its `Finish` has ended in an error."""
        start = self.start
        numbers = sorted(self.parts.keys() | self.finished.keys())
        return Response(
            dialect=self.dialect, id=start.id, model=start.model, created=start.created, service_tier=start.service_tier,
            usage=self.usage, choices=tuple([self._choice(number) for number in numbers]),
        )  # fmt: skip

    def _choice(self, number: int) -> Choice:
        opened = enumerate(self.parts.get(number, ()))
        parts = tuple([filled(part, self.pieces[number, index]) for index, part in opened])
        finish = self.finished.get(number, Finish("error"))
        logprobs = joined(self.logprobs[number]) if number in self.logprobs else None
        return Choice(parts=parts, finish_reason=finish.reason, stop_sequence=finish.stop_sequence, logprobs=logprobs)


def fold(events: Iterable[Event], dialect: str = "") -> Response:
    """The response that these events tell of. Raises the `UpstreamError` of a `Failure`."""
    gathered = Fold(dialect)
    for event in events:
        gathered.add(event)
    return gathered.response()


def unfold(response: Response) -> list[Event]:
    """The events of a whole response, each part in one piece. The opposite of `fold`."""
    events: list[Event] = [
        Start(
            id=response.id, model=response.model, created=response.created, service_tier=response.service_tier,
            dialect=response.dialect,
        )
    ]  # fmt: skip
    for number, choice in enumerate(response.choices):
        for index, part in enumerate(choice.parts):
            events.append(PartStart(index, empty(part), number))
            events.extend(deltas(part, index, number))
            events.append(PartEnd(index, number))
        if choice.logprobs is not None:
            events.append(Logprobs(choice.logprobs, number))
    events.extend([Finish(choice.finish_reason, choice.stop_sequence, number) for number, choice in enumerate(response.choices)])
    if response.usage is not None:
        events.append(UsageEvent(response.usage))
    return [*events, End()]


def deltas(part: Part, index: int, choice: int = 0) -> list[Delta]:
    """What fills a part after it has opened `empty`."""
    pieces: list[Delta] = []
    if isinstance(part, (Text, Reasoning)) and part.text:
        pieces.append(Delta(index, part.text, "text", choice))
    if isinstance(part, Text) and part.annotations is not None:
        pieces.append(Delta(index, bytes(part.annotations).decode(), "annotations", choice))
    if isinstance(part, ToolCall) and part.arguments:
        pieces.append(Delta(index, part.arguments, "arguments", choice))
    if isinstance(part, Reasoning):
        if part.signature is not None:
            pieces.append(Delta(index, part.signature, "signature", choice))
        if part.encrypted is not None:
            pieces.append(Delta(index, part.encrypted, "encrypted", choice))
    return pieces


def filled(part: Part, pieces: dict[str, list[str]]) -> Part:
    """An opened part with its deltas in it. A function called without arguments has `{}` as its arguments."""
    if not pieces and not (isinstance(part, ToolCall) and part.kind == "function" and not part.arguments):
        return part
    changes: dict[str, Any] = {name: getattr(part, name, None) or "" for name in pieces if name != "annotations"}
    for name in changes:
        changes[name] += "".join(pieces[name])
    if isinstance(part, ToolCall) and part.kind == "function":
        changes["arguments"] = changes.get("arguments") or part.arguments or "{}"
    if "annotations" in pieces:
        changes["annotations"] = listed([Raw(piece.encode()) for piece in pieces["annotations"]])
    return structs.replace(part, **changes)


def joined(values: list[Raw]) -> Raw:
    """Log probabilities of several pieces as of one: lists are put together, of objects the lists in them."""
    if len(values) == 1:
        return values[0]
    decoded: list[Any] = [msgspec.json.decode(value) for value in values]
    if not all(isinstance(value, dict) for value in decoded):
        return listed(values)
    whole: dict[str, Any] = {}
    for value in cast("list[dict[str, Any]]", decoded):
        for key, inner in value.items():
            whole[key] = [*(whole.get(key) or []), *inner] if isinstance(inner, list) else whole.get(key, inner)
    return Raw(msgspec.json.encode(whole))


def listed(values: list[Raw]) -> Raw:
    """One list of the items of several lists; a value that is none is an item itself."""
    items: list[Raw] = []
    for value in values:
        items += msgspec.json.decode(value, type=list[Raw]) if bytes(value).startswith(b"[") else [value]
    return Raw(msgspec.json.encode(items))

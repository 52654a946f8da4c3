"""A streamed response as typed events, the grammar they keep, and how they fold into a whole response.

    Start  (PartStart Delta* PartEnd | Logprobs | UsageEvent | Ping)*  Finish+  UsageEvent*  End
    and at any point: Failure, after which nothing comes

Parts of one choice never overlap: part k is closed before part k+1 opens. `index` counts the parts of a choice from 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, cast

import msgspec
from msgspec import Raw, Struct, structs

from lynkr_core.errors import LynkrError, UpstreamError
from lynkr_core.request import Choice, FinishReason, Part, Reasoning, Response, Text, ToolCall, Usage


class Start(Struct, frozen=True, kw_only=True):
    """The answer begins. `usage` when the upstream already tells the input's size."""

    id: str
    model: str
    created: int | None = None
    usage: Usage | None = None
    service_tier: str | None = None


class PartStart(Struct, frozen=True):
    """A part opens. `part` is empty but for what is known at once: a tool call's id and name, a reasoning part's id."""

    index: int
    part: Part
    choice: int = 0


class Delta(Struct, frozen=True):
    """A piece of the open part. `field` says of what: text, arguments (JSON text), signature, encrypted or annotations (JSON)."""

    index: int
    value: str
    field: Literal["text", "arguments", "signature", "encrypted", "annotations"] = "text"
    choice: int = 0


class PartEnd(Struct, frozen=True):
    index: int
    choice: int = 0


class Logprobs(Struct, frozen=True):
    """Log probabilities of the tokens just sent, as they came."""

    value: Raw
    choice: int = 0


class Finish(Struct, frozen=True):
    """One choice is complete."""

    reason: FinishReason
    stop_sequence: str | None = None
    choice: int = 0


class UsageEvent(Struct, frozen=True):
    """Usage so far; the last one counts."""

    usage: Usage


class Ping(Struct, frozen=True):
    """The upstream is alive and has nothing to say."""


class End(Struct, frozen=True):
    """The stream ended as its dialect says it must."""


class Failure(Struct, frozen=True, eq=False):
    """The upstream reported an error inside the stream, or the stream was cut."""

    error: UpstreamError


Event = Start | PartStart | Delta | PartEnd | Logprobs | Finish | UsageEvent | Ping | End | Failure
CONTENT = (PartStart, Delta, Finish)
"""Once one of these has been seen, the exchange is committed to its candidate."""


class GrammarError(LynkrError):
    """A stream decoder gave events in an impossible order."""


class Grammar:
    """Checks the order of a stream's events. `check` returns the event, or raises `GrammarError`."""

    def __init__(self) -> None:
        self.started = self.ended = False
        self.open: dict[int, int] = {}
        self.seen: dict[int, int] = {}
        self.finished: set[int] = set()

    def check(self, event: Event) -> Event:
        if self.ended:
            raise GrammarError(f"{type(event).__name__} after the end")
        if isinstance(event, Failure):
            self.ended = True
        elif isinstance(event, Start):
            self._require(not self.started, "a second Start")
            self.started = True
        elif not isinstance(event, Ping):
            self._require(self.started, f"{type(event).__name__} before Start")
            self._check_part(event)
        return event

    def _check_part(self, event: Event) -> None:
        match event:
            case PartStart(index=index, choice=choice):
                self._require(choice not in self.open, f"part {index} opens while {self.open.get(choice)} is open")
                self._require(choice not in self.finished, f"part {index} after Finish")
                self._require(index == self.seen.get(choice, 0), f"part {index}, expected {self.seen.get(choice, 0)}")
                self.open[choice] = index
                self.seen[choice] = index + 1
            case Delta(index=index, choice=choice):
                self._require(self.open.get(choice) == index, f"Delta for part {index}, which is not open")
            case PartEnd(index=index, choice=choice):
                self._require(self.open.pop(choice, None) == index, f"PartEnd for part {index}, which is not open")
            case Finish(choice=choice):
                self._require(choice not in self.open, f"Finish while part {self.open.get(choice)} is open")
                self._require(choice not in self.finished, "a second Finish")
                self.finished.add(choice)
            case End():
                self._require(bool(self.finished) and not self.open, "End before Finish")
                self.ended = True
            case _:
                pass

    def _require(self, holds: bool, message: str) -> None:
        if not holds:
            raise GrammarError(message)


def empty(part: Part) -> Part:
    """The part as it stands when it opens: ids and names, no content."""
    match part:
        case Text():
            return Text(text="", refusal=part.refusal)
        case Reasoning():
            return Reasoning(id=part.id)
        case ToolCall():
            return ToolCall(id=part.id, name=part.name, arguments="", kind=part.kind, signature=part.signature)
        case _:
            return part


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
        Start(id=response.id, model=response.model, created=response.created, service_tier=response.service_tier)
    ]
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

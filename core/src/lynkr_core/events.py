"""A streamed response as typed events, and the grammar they keep.

    Start  (PartStart Delta* PartEnd | Logprobs | UsageEvent | Ping)*  Finish+  UsageEvent*  End
    and at any point: Failure, after which nothing comes

Parts of one choice never overlap: part k is closed before part k+1 opens. `index` counts the parts of a choice from 0.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Raw, Struct

from lynkr_core.errors import LynkrError, UpstreamError
from lynkr_core.request import FinishReason, Part, Reasoning, Response, Text, ToolCall, Usage


class Start(Struct, frozen=True, kw_only=True):
    """The answer begins. `usage` when the upstream already tells the input's size; `dialect` is that of `Generic` parts' fragments."""

    id: str
    model: str
    created: int | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    dialect: str = ""


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


class Examiner(Protocol):
    """Sees one attempt's answer before the caller does: each event, or a whole answer.

    While it is `holding`, the caller gets nothing of a stream. Until then it may raise `UpstreamError`: the attempt has then failed,
    and what it cost is settled. A whole answer it sees once.
    """

    holding: bool

    def __call__(self, said: Event | Response) -> None: ...


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

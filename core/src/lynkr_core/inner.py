"""Inner tools: lynkr offers them to the model and answers them itself. The caller gets one answer, made of several of the model's.

A plugin adds a tool to the request in `transform_request`, and says here who answers its calls. What the model says beside them reaches the
caller as it comes. Each time it is asked again is an attempt of its own, reserved and settled like any other; see `rounds.py`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

from msgspec import structs

from lynkr_core.exchange import Attempt, Exchange, Outcome
from lynkr_core.pricing import cost
from lynkr_core.request import FinishReason, Message, Part, Reasoning, Request, Response, Text, ToolCall, ToolCallResponse, Usage
from lynkr_core.tokens import estimate_text

log = logging.getLogger("lynkr.inner")
ROUNDS = 8
"""How often the model is asked again at most, before its answer ends as it stands."""
SECONDS = 10.0
"""How long an inner tool may take that does not say so itself."""
LAST = "\n\n(No more calls of this tool are answered in this turn.)"
FAILED = "The tool failed. Go on without it."
Answering = Callable[[ToolCall], str | ToolCall] | Callable[[ToolCall], Coroutine[Any, Any, str]]
"""What a call is answered with: the tool's result, or another call. When that is one of an inner tool, it is answered in the place of this
one; else the caller gets it under the id of this one. An `async def` gives the result, and is not called where the caller's own tools come
first."""


class Said:
    """What the model said in one round. `parts` as it said them, `shown` as the caller gets them.

    `asked`: calls of inner tools, each with its answer, or with the call that an `async def` has to answer.
    """

    __slots__ = ("_inner", "asked", "finish", "parts", "shown")

    def __init__(self, inner: Inner) -> None:
        self._inner = inner
        self.parts: list[Part] = []
        self.shown: list[Part] = []
        self.asked: list[tuple[ToolCall, str | ToolCall]] = []
        self.finish: FinishReason = "stop"

    def add(self, part: Part) -> Part | None:
        """Takes the next part. Gives what the caller is shown of it."""
        self.parts.append(part)
        shown = self._called(part) if isinstance(part, ToolCall) and part.name in self._inner.tools else part
        if shown is not None:
            self.shown.append(shown)
        return shown

    def _called(self, call: ToolCall) -> ToolCall | None:
        meant, answer = call, self._told(call)
        if isinstance(answer, ToolCall) and answer.name in self._inner.tools:
            meant, answer = answer, self._told(answer)
        if isinstance(answer, ToolCall):
            return structs.replace(answer, id=call.id, signature=call.signature, native=None)
        self.asked.append((call, meant if answer is None else answer))
        return None

    def _told(self, call: ToolCall) -> str | ToolCall | None:
        """Its answer; None when it has to be waited for."""
        answering = self._inner.tools[call.name]
        try:
            return None if inspect.iscoroutinefunction(answering) else cast("str | ToolCall", answering(call))
        except Exception as error:
            log.error("the inner tool %s failed: %s", call.name, type(error).__name__)
            return FAILED

    @property
    def calls(self) -> bool:
        """Whether the caller has tools to run now."""
        return any(isinstance(part, ToolCall) for part in self.shown)

    @property
    def goes_on(self) -> bool:
        """Whether the model is asked again: it waits for inner tools, and for nothing that only the caller can do."""
        complete = self.finish in ("tool_calls", "stop")
        return bool(self.asked) and complete and not self.calls and len(self._inner.rounds) < ROUNDS

    @property
    def reason(self) -> FinishReason:
        """Why the answer ended, as the caller is told."""
        return "stop" if self.finish == "tool_calls" and not self.calls else self.finish


class Inner:
    """The inner tools of one exchange, and the rounds so far.

    `rounds`: attempts whose answers were gone on from. `history`: what was said in them, for the next one. `parts`: what of it is shown.
    """

    def __init__(self) -> None:
        self.tools: dict[str, Answering] = {}
        self.seconds: dict[str, float] = {}
        self.rounds: list[Attempt] = []
        self.history: tuple[Message, ...] = ()
        self.parts: tuple[Part, ...] = ()

    def extended(self, request: Request) -> Request:
        """The request, and what was said since."""
        return request.edit(messages=(*request.messages, *self.history)) if self.history else request

    def read(self, response: Response) -> Said:
        """A whole answer."""
        said = Said(self)
        for choice in response.choices[:1]:
            said.finish = choice.finish_reason
            for part in choice.parts:
                said.add(part)
        return said

    def joined(self, response: Response, said: Said) -> Response:
        """The last answer, as the caller gets it: with what was shown of those before it, and what all took."""
        if not self.rounds and said.shown == said.parts:
            return response
        choices = [
            choice.edit(parts=(*self.parts, *said.shown), finish_reason=said.reason, native=None)
            for choice in response.choices[:1]
        ]
        return response.edit(choices=tuple(choices), usage=self.usage(response.usage))

    def usage(self, last: Usage | None) -> Usage | None:
        """What all rounds took, the last one given."""
        return summed([attempt.usage for attempt in self.rounds] + [last])

    async def answer(self, said: Said, attempt: Attempt, same: bool) -> None:
        """Answers what was asked in a round that is gone on from. `same`: the answer's own JSON fits the request."""
        last = len(self.rounds) + 1 >= ROUNDS
        results = await self.results(said, LAST if last else "")
        parts = [part if same and not plain(part) else structs.replace(part, native=None) for part in said.parts]
        self.history += (Message(role="assistant", parts=tuple(parts)), Message(role="tool", parts=results))
        self.parts += tuple([structs.replace(part, native=None) for part in said.shown])
        self.rounds.append(attempt)
        attempt.answered = tuple([(known if isinstance(known, ToolCall) else call).name for call, known in said.asked])

    async def results(self, said: Said, note: str = "") -> tuple[ToolCallResponse, ...]:
        """What was asked, answered in its order. A tool that fails or takes too long says so to the model."""
        texts = await asyncio.gather(*[self._result(known) for _, known in said.asked])
        return tuple([result_of(call, text + note) for (call, _), text in zip(said.asked, texts, strict=True)])

    async def _result(self, known: str | ToolCall) -> str:
        if isinstance(known, str):
            return known
        try:
            async with asyncio.timeout(self.seconds[known.name]):
                return await cast("Coroutine[Any, Any, str]", self.tools[known.name](known))
        except Exception as error:
            log.error("the inner tool %s failed: %s", known.name, type(error).__name__)
            return FAILED

    @property
    def added(self) -> int:
        """Tokens that the rounds have added to the input: an estimate."""
        pieces = [part for message in self.history for part in message.parts]
        return sum([estimate_text(text) for part in pieces for text in texts(part)])


COUNTS = tuple([field.name for field in structs.fields(Usage) if field.type is int])


def offer(exchange: Exchange, name: str, answer: Answering, seconds: float = SECONDS) -> bool:
    """Says who answers calls of this tool, which the plugin adds to the request. For `transform_request`; to be said for each attempt.
    `seconds`: how long an `async def` may take.

    False where it must not be added: the caller has a tool of this name, or asks for several answers at once, or a plugin wraps streams.
    """
    request = exchange.request
    if exchange.closed or (request.n or 1) > 1 or any(tool.name == name for tool in request.tools):
        return False
    if exchange.inner is None:
        exchange.inner = Inner()
    inner = exchange.inner
    inner.tools[name], inner.seconds[name] = answer, seconds
    return True


def plain(part: Part) -> bool:
    """Whether its fields say all that has to go back, so that it can be written today as in a later turn."""
    return isinstance(part, (Text, ToolCall)) or (isinstance(part, Reasoning) and bool(part.signature or part.encrypted))


def result_of(call: ToolCall, text: str) -> ToolCallResponse:
    return ToolCallResponse(id=call.id, content=(Text(text=text),), name=call.name)


def texts(part: Part) -> list[str]:
    if isinstance(part, ToolCallResponse):
        return [text for inner in part.content for text in texts(inner)]
    return [getattr(part, "arguments", "") or getattr(part, "text", "")]


def summed(told: Iterable[Usage | None]) -> Usage | None:
    """One usage for several calls; None for none."""
    usages = [usage for usage in told if usage is not None]
    if len(usages) < 2:
        return usages[0] if usages else None
    numbers = {name: sum([getattr(usage, name) for usage in usages]) for name in COUNTS}
    fees: dict[str, int] = {}
    for usage in usages:
        for name, count in usage.fees.items():
            fees[name] = fees.get(name, 0) + count
    billed = [usage.billed for usage in usages if usage.billed is not None]
    return Usage(
        **numbers, fees=fees, service=usages[-1].service, estimated=any(usage.estimated for usage in usages),
        billed=sum(billed) if len(billed) == len(usages) else None,
    )  # fmt: skip


def costs(attempts: Iterable[Attempt]) -> float | None:
    """USD that these took together; None when one of them is not known."""
    total = 0.0
    for attempt in attempts:
        spent = cost(attempt.usage, attempt.candidate.price)
        if spent is None:
            return None
        total += spent
    return total


def whole(outcome: Outcome, inner: Inner) -> Outcome:
    """The outcome of the last attempt as that of all rounds."""
    before = [attempt for attempt in inner.rounds if attempt is not outcome.attempts[-1]]
    spent = costs(before)
    cost = None if spent is None or outcome.cost is None else spent + outcome.cost
    return structs.replace(outcome, usage=summed([*[attempt.usage for attempt in before], outcome.usage]), cost=cost)

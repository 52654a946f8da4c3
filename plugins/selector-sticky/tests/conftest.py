"""Conversations, turn by turn, as the kernel would lead them: selected by tiers, revised, answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lynkr_core.cards import Price
from lynkr_core.exchange import Exchange, Principal, Score, Selection
from lynkr_core.request import Usage
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_selector_sticky import StickySelector, plugin

FREE = factories.candidate("home/free", price=Price(input=0, output=0))
CHEAP = factories.candidate("cloud/cheap", price=Price(input=0.5, output=2, cache_read=0.05, cache_write=0.625))
SMART = factories.candidate("cloud/smart", price=Price(input=3, output=15, cache_read=0.3, cache_write=3.75))
TWIN = factories.candidate("other/smart", price=Price(input=3, output=15, cache_read=0.3, cache_write=3.75))
DEEP = factories.candidate("cloud/deep", price=Price(input=15, output=75, cache_read=1.5, cache_write=18.75))
ALL = (FREE, CHEAP, SMART, TWIN, DEEP)
BY_ID = {candidate.id: candidate for candidate in ALL}
TABLES = {"simple": (FREE,), "medium": (CHEAP,), "complex": (SMART, TWIN), "reasoning": (DEEP,)}
PROMPT = "word " * 2400
EASY, NEAR, HARD = 30.0, 55.0, 70.0


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Talk:
    """One conversation with a selector. `say` gives the selection; `answer` its outcome, by the first of the order unless told.

    `prompt`: what it begins with; the usual one is long enough for a prompt cache.
    """

    def __init__(
        self, selector: StickySelector, clock: Clock, session: str = "s1", principal: str = "p1", prompt: str = PROMPT
    ) -> None:  # fmt: skip
        self.selector = selector
        self.clock = clock
        self.session = session
        self.principal = principal
        self.prompt = {"role": "system", "content": prompt}
        self.messages: list[Any] = []
        self.exchange: Exchange | None = None

    def asked(
        self, score: float | None, gates: Sequence[str] = (), without: Sequence[str] = (), first: str = "", **body: Any
    ) -> tuple[Exchange, Selection]:
        body = {"model": "auto", "messages": [self.prompt, *self.messages], **body}
        made = factories.exchange(body, headers={"x-lynkr-session": self.session}, served=ALL)
        made.principal = Principal(id=self.principal)
        made.score = score
        made.scores = () if score is None else (Score(value=score, gates=tuple(gates)),)
        tiers = self.selector.tiers
        made.tier = tiers.of(score) if score is not None else "medium"
        order = tuple([c for c in tiers.fallbacks(made.tier) if c.id not in without])
        order = (BY_ID[first], *[c for c in order if c.id != first]) if first else order
        self.exchange = made
        return made, Selection(order=order, reason="by tier", tier=made.tier)

    def say(
        self, text: str | dict[str, Any], score: float | None = EASY, *, gates: Sequence[str] = (),
        without: Sequence[str] = (), first: str = "", **body: Any,
    ) -> Selection:  # fmt: skip
        self.messages.append({"role": "user", "content": text} if isinstance(text, str) else text)
        made, selection = self.asked(score, gates, without, first, **body)
        return self.selector.revise_selection(made, selection) or selection

    def outcome(self, by: str, status: Any = "ok") -> Any:
        assert self.exchange is not None
        tokens = len(self.exchange.body) // 4
        usage = Usage(input_tokens=tokens, output_tokens=200, cache_read=tokens // 2, cache_write=tokens // 4)
        return factories.outcome(status, chosen=BY_ID[by], usage=usage)

    def answer(self, by: str, message: dict[str, Any] | None = None, status: Any = "ok") -> None:
        outcome = self.outcome(by, status)
        assert self.exchange is not None
        self.selector.post_response(self.exchange, outcome)
        self.messages.append(message or {"role": "assistant", "content": "Done."})
        self.clock.now += 10

    def turn(
        self, text: str | dict[str, Any], score: float | None = EASY, reply: dict[str, Any] | None = None, **more: Any
    ) -> str:
        """The model that serves the turn."""
        chosen = self.say(text, score, **more).order[0].id
        self.answer(chosen, reply)
        return chosen


def tiers_of() -> Any:
    made = factories.tiers()
    made.fill(TABLES)
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def selector(clock: Clock) -> StickySelector:
    made = factories.build(plugin, {}, factories.context(tiers=tiers_of()))
    made.clock = made.pins._clock = clock
    return made


@pytest.fixture
def talk(selector: StickySelector, clock: Clock) -> Any:
    """`talk()` begins another conversation with the same selector."""
    return lambda *args, **more: Talk(more.pop("selector", selector), clock, *args, **more)


@pytest.fixture
def shared(clock: Clock) -> Any:
    """`shared()` is another process over the same store."""
    store = MemoryStore(clock=clock)

    def make() -> Any:
        stores = Stores()
        stores.add("kv", store)
        made = factories.build(plugin, {"store": "kv"}, factories.context(tiers=tiers_of(), stores=stores))
        made.clock = made.pins._clock = clock
        return made

    return make

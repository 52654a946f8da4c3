"""Conversations with the plugin, over a model of a provider's prompt cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from lynkr_compressor_cache_guard import plugin
from lynkr_core.cards import Price
from lynkr_core.exchange import Candidate, Exchange, Outcome, Principal
from lynkr_core.hooks import Call, Hooks
from lynkr_core.plugins import parameters
from lynkr_core.pricing import cost
from lynkr_core.request import Request, Usage
from lynkr_core.testing import factories
from lynkr_core.testing.promptcache import PromptCache
from lynkr_core.tokens import estimate_text

PAID = Price(input=3, output=15, cache_read=0.3, cache_write=3.75, cache_write_1h=6)
FREE_WRITES = Price(input=2, output=8, cache_read=0.5)
NEAR = 7.0


class Claude(factories.NamedProvider):
    dialects = ("anthropic.messages",)
    vendor = "anthropic"


class GPT(factories.NamedProvider):
    dialects = ("openai.chat", "openai.responses")
    vendor = "openai"


CLAUDE = Candidate(provider=Claude("claude"), model="claude-sonnet-4-5", price=PAID)
OPUS = Candidate(provider=Claude("claude"), model="claude-opus-4-5", price=PAID)
UNPRICED = Candidate(provider=Claude("claude"), model="claude-sonnet-9")
OPENAI = Candidate(provider=GPT("openai"), model="gpt", price=FREE_WRITES)
CANDIDATES = {"claude": CLAUDE, "opus": OPUS, "unpriced": UNPRICED, "openai": OPENAI}


class Talk:
    """One conversation. `turn` sends it, bills it and answers; `sent` has the bodies that went out, `bills` what they took."""

    def __init__(self, guard: Any, candidate: Candidate, name: str, principal: str = "p1", dialect: str = "anthropic.messages"):
        self.guard, self.candidate, self.name, self.principal, self.dialect = guard, candidate, name, principal, dialect
        self.messages: list[Any] = []
        self.sent: list[dict[str, Any]] = []
        self.bills: list[Usage] = []
        self.cache = PromptCache(estimate_text)
        self.now = 1_000.0
        self.exchange: Exchange

    def body(self, **more: Any) -> dict[str, Any]:
        return {"model": "m", "max_tokens": 100, "system": "Be brief. " * 600, "messages": list(self.messages), **more}

    async def turn(self, message: Any, pause: float = NEAR, **more: Any) -> Usage:
        self.now += pause
        self.messages.append({"role": "user", "content": message})
        made = self.exchange = factories.exchange(
            self.body(**more), dialect=self.dialect, headers={"x-lynkr-session": self.name}, served=(self.candidate,)
        )
        made.created, made.principal = self.now, Principal(id=self.principal)
        request: Request = made.request
        for call in self.guard.others:
            request = call.now((made, request, self.candidate)) or request
        request = await self.guard.transform_request(made, request, self.candidate) or request
        wire = factories.find_dialect(self.candidate.provider.dialects[0]).encode_request(request, [])
        self.sent.append(msgspec.json.decode(msgspec.json.encode(wire)))
        usage = self.cache.bill(self.sent[-1], self.now)
        self.bills.append(usage)
        outcome = Outcome(
            status="ok", http_status=200, candidate=self.candidate, usage=usage, cost=cost(usage, self.candidate.price)
        )
        self.guard.post_response(made, outcome)
        self.messages.append({"role": "assistant", "content": f"Answer {len(self.sent)}."})
        return usage


@pytest.fixture
def make() -> Callable[..., Any]:
    """`make(*compressors, **settings)`: the plugin, with these before it."""

    def made(*others: Any, **settings: Any) -> Any:
        guard = factories.build(plugin, settings, factories.context("cache-guard", "compressor"))
        acting: Sequence[Any] = (*others, guard)
        names = [getattr(other, "id", f"compressor.{type(other).__name__.lower()}") for other in others]
        spec = parameters("transform_request")
        calls = [
            Call("transform_request", name.partition(".")[0], name, each.transform_request, spec)
            for name, each in zip([*names, "compressor.cache-guard"], acting, strict=True)
        ]
        guard.others = calls[:-1]
        guard.register_routes(SimpleNamespace(hooks=Hooks(calls)))
        return guard

    return made


@pytest.fixture
def talk(make: Callable[..., Any]) -> Callable[..., Talk]:
    """`talk()` begins a conversation, with `guard` or a new one."""

    def begun(by: str = "claude", name: str = "s1", guard: Any = None, **more: Any) -> Talk:
        return Talk(guard or make(), CANDIDATES[by], name, **more)

    return begun

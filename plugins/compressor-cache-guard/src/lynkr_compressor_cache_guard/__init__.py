"""Makes the most of providers' prompt caches, keeps other plugins from spoiling them, and accounts for both in dollars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from lynkr_compressor_cache_guard.governor import Governor
from lynkr_compressor_cache_guard.guarding import Guard
from lynkr_compressor_cache_guard.marking import is_marked, marked
from lynkr_compressor_cache_guard.memory import Conversation, Memory
from lynkr_compressor_cache_guard.receipt import LARGEST, Factors, by_caching, count, lost, of_saved, priced
from lynkr_compressor_cache_guard.rules import Rule, Rules
from lynkr_core.exchange import Candidate, Exchange, Key, Outcome
from lynkr_core.plugins import Context, Plugin
from lynkr_core.pricing import rates_of
from lynkr_core.remarks import Saving
from lynkr_core.request import Request

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

__all__ = ["CacheGuard", "Config", "plugin"]

CLEAR = 8
"""Bytes of body for each token of the smallest prompt from which nobody need count any more."""


class Turn(Struct, frozen=True):
    """What was sent to a candidate. `marked`: only because of this plugin it is cached. `culprits`: who broke what was cached."""

    candidate: str
    request: Request
    talk: Conversation | None
    marked: bool
    culprits: frozenset[str]


TURN: Key[Turn] = Key("compressor-cache-guard.turn")


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.cache-guard]`"""

    marks: Annotated[
        bool, Meta(description="Mark what to cache for callers that do not, where writing to the cache is billed.")
    ] = True
    ttl: Annotated[
        Literal["auto", "5m", "1h"],
        Meta(description="How long marked prompts are kept; auto: by the pauses of each conversation and what that costs."),
    ] = "auto"
    affinity: Annotated[
        bool, Meta(description="Tell providers that take one a key for the conversation, so that it meets its cache.")
    ] = True
    veto: Annotated[
        bool, Meta(description="Leave plugins out of a conversation once they have rewritten what was sent of it before.")
    ] = True
    allow: Annotated[
        tuple[str, ...],
        Meta(description="Plugins that may rewrite what was sent before, as they reckon with the price themselves."),
    ] = ("compressor.history",)
    window: Annotated[int, Meta(ge=20, le=100_000, description="Requests over which a plugin must not lose money.")] = 200
    loss: Annotated[float, Meta(ge=0, description="USD that a plugin may lose over its window before it is switched off.")] = 0.01
    off_hours: Annotated[float, Meta(gt=0, description="Hours after which a plugin that lost money is tried again.")] = 24.0


class CacheGuard:
    """The last of the compressors."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.id = f"{context.kind}.{context.name}"
        self.tokens = context.tokens
        self.rules = Rules()
        self.memory = Memory()
        self.guard = Guard(self.id, config.allow)
        self.factors = Factors(context.tokens)
        self.governor = Governor(config.window, config.loss, config.off_hours * 3600)
        self.marked = 0

    def register_routes(self, kernel: Kernel) -> None:
        """No routes: here it learns who acts before it."""
        calls = kernel.hooks.transform_request.calls
        own = next((place for place, call in enumerate(calls) if call.plugin == self.id), 0)
        self.guard.calls = calls[:own] if self.config.veto else ()

    async def transform_request(self, exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
        rule = self.rules.of(candidate, exchange.dialect.name)
        if len(exchange.body) < rule.smallest:
            return None  # fewer bytes than tokens that are cached at least
        made, culprits = request, frozenset[str]()
        talk = self.memory.of(exchange, candidate, self.governor.off()) if rule.read < 1 else None
        grown = len(exchange.body)
        if talk is not None:
            grown = talk.heard(exchange.created, len(exchange.body))
            if not exchange.resumed:  # the rest of a cut answer has more messages than the caller's
                made, culprits = await self.guard.checked(exchange, request, candidate, talk)
        marks = self.config.marks and rule.marks > 0 and not is_marked(exchange.request) and self.is_large(exchange, made, rule)
        if marks:
            made = marked(made, rule.marks, self.for_an_hour(rule, talk, grown, len(exchange.body)))
            self.marked += 1
        if self.config.affinity and rule.affinity and talk is not None and made.cache_key is None:
            made = made.edit(cache_key=talk.key)
        exchange.set(TURN, Turn(candidate.id, made, talk, marks, culprits))
        return None if made is request else made

    def is_large(self, exchange: Exchange, request: Request, rule: Rule) -> bool:
        """Whether a provider keeps a prompt of this size."""
        return len(exchange.body) >= CLEAR * rule.smallest or count(self.tokens, request) >= rule.smallest

    def for_an_hour(self, rule: Rule, talk: Conversation | None, grown: int, size: int) -> bool:
        """Whether it is likelier to pay than not: what is new costs more to write, but all of it outlasts a longer pause."""
        if self.config.ttl != "auto" or rule.write_1h is None:
            return self.config.ttl == "1h" and rule.write_1h is not None
        if talk is None:
            return False
        return talk.risk * size * (rule.write - rule.read) > grown * (rule.write_1h - rule.write)

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        """Writes the receipt, before the sinks read it."""
        turn, usage, served = exchange.get(TURN), outcome.usage, outcome.candidate
        if turn is None or usage is None or usage.estimated or served is None or served.id != turn.candidate:
            return
        if len(exchange.body) <= LARGEST:
            self.factors.learn(turn.candidate, turn.request, usage)
        if served.price is not None and not (usage.service and usage.service not in served.price.services):
            self.account(exchange, turn, outcome)
        if turn.talk is not None:
            turn.talk.tokens = usage.input_tokens
            turn.talk.saved = {saving.plugin: saving.tokens for saving in exchange.savings if saving.tokens}

    def account(self, exchange: Exchange, turn: Turn, outcome: Outcome) -> None:
        """Each plugin's saving in dollars, and what this one and those that it vetoed have added."""
        usage, served = outcome.usage, outcome.candidate
        assert usage is not None
        assert served is not None
        assert served.price is not None
        rates, talk = rates_of(served.price, usage), turn.talk
        saved, factor = exchange.savings, self.factors.of(turn.candidate)
        told = priced(saved, talk.saved if talk else {}, usage, rates, factor)
        if turn.marked:
            told.append(Saving(self.id, 0, by_caching(usage, rates) + of_saved(saved, told, rates, factor)))
        if turn.culprits and talk is not None:
            share = lost(talk.tokens, usage, rates) / len(turn.culprits)
            told += [Saving(plugin, 0, -share) for plugin in sorted(turn.culprits)]
        exchange.savings = tuple(told)
        for saving in told:
            if saving.usd is not None and saving.plugin != self.id:
                self.governor.book(saving.plugin, saving.usd)

    def status(self) -> dict[str, Any]:
        """Who is vetoed in how many conversations, who is switched off and why, and what was learnt of models' tokens."""
        return {
            "marked": self.marked,
            "conversations": len(self.memory),
            "vetoes": dict(self.guard.vetoes),
            "off": self.governor.why(),
            "factors": self.factors.told(),
        }


plugin = Plugin(api=1, config=Config, create=CacheGuard, rank=9)

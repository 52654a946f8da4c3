"""Answers requests that coding tools make for themselves and that need no model, by rules that are data."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from msgspec import Meta, Struct

from lynkr_core.exchange import Exchange, Reply
from lynkr_core.lending import callers_key, matched
from lynkr_core.plugins import Context, Plugin
from lynkr_core.remarks import save
from lynkr_core.tokens import estimate, estimate_text
from lynkr_extension_bypass.answering import answer, reply
from lynkr_extension_bypass.matching import Sieve, source
from lynkr_extension_bypass.rules import Rule, chosen

__all__ = ["Bypass", "Config", "Rule", "plugin"]


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[extension.bypass]`"""

    off: Annotated[list[str], Meta(description="Rules that are switched off, by name.")] = []
    on: Annotated[list[str], Meta(description="Rules that are switched on which as shipped are off.")] = []
    rule: Annotated[
        list[Rule], Meta(description="Rules of your own: `[[extension.bypass.rule]]`, asked before the shipped ones.")
    ] = []


class Bypass:
    """Comes after policies and caches: what is refused there, or kept there, never gets here."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for rules that cannot be."""
        self.id = f"{context.kind}.{context.name}"
        self.providers = context.providers
        self.sieves = [Sieve(rule) for rule in chosen(config.rule, config.on, config.off)]
        self.answered: Counter[str] = Counter()

    def pre_route(self, exchange: Exchange) -> Reply | None:
        if exchange.operation != "chat":
            return None
        for sieve in self.sieves:
            if sieve.may_hold(exchange):
                told = self.answer(exchange, sieve.rule)
                if told is not None:
                    return told
        return None

    def answer(self, exchange: Exchange, rule: Rule) -> Reply | None:
        found = source(rule, exchange.request)
        text = None if found is None else answer(rule, found)
        if text is None or (rule.when.account and self.brings_key(exchange)):
            return None
        told = reply(exchange, rule, text)
        if not exchange.dry_run:
            self.answered[rule.name] += 1
        save(exchange, self.id, estimate(exchange.request) + estimate_text(text))
        return told

    def brings_key(self, exchange: Exchange) -> bool:
        """Whether it is a provider's key that the caller shows: then only that provider knows about it."""
        key = callers_key(exchange)
        return bool(key) and any(matched(provider, key) for provider in self.providers.values())

    def status(self) -> dict[str, Any]:
        """How many requests each rule has answered."""
        return {"answered": dict(self.answered)}


plugin = Plugin(api=1, config=Config, create=Bypass)

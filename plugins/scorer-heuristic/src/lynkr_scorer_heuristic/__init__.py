"""Scores how demanding a request is, from 0 to 100, by the last thing a human asked. No model, no network, microseconds."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Struct

from lynkr_core.exchange import Exchange, Score
from lynkr_core.plugins import Plugin
from lynkr_scorer_heuristic import gates
from lynkr_scorer_heuristic.ask import Ask, last_ask
from lynkr_scorer_heuristic.gates import Verdict
from lynkr_scorer_heuristic.reading import Reading, read
from lynkr_scorer_heuristic.grams import words_of
from lynkr_scorer_heuristic.model import load
from lynkr_scorer_heuristic.signals import TEXT

__all__ = ["Config", "Heuristic", "plugin"]

UNKNOWN = 40.0
"""The score of a request in which no human says anything: the cheaper half of medium."""
ASK_KEPT = 500
REMEMBERED, MAX_REMEMBERED = 1024, 4000
"""Texts whose score is remembered, and their longest, in characters: an agent sends the same ask with each step of its work."""


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[scorer.heuristic]`"""

    weight: Annotated[float, Meta(gt=0, description="How much this score counts beside other scorers'.")] = 1.0
    gates: Annotated[bool, Meta(description="Let small talk, side requests, proofs and incidents decide at once.")] = True


class Heuristic:
    """The scorer. A pure function of the request; one instance serves all."""

    def __init__(self, config: Config) -> None:
        self.weight = config.weight
        self.gates = config.gates
        self.model = load()
        self._judged = lru_cache(REMEMBERED)(self.judged)

    def score(self, exchange: Exchange) -> Score | None:
        """How demanding the last thing a human asked is. Embeddings have no such thing: None. Never raises on junk."""
        if exchange.operation == "embeddings":
            return None
        ask = last_ask(exchange.envelope.fields)
        verdict = self.decided(exchange, ask) if self.gates else None
        if verdict is not None:
            return self.ruled(verdict, ask.text)
        if not ask.text:
            return self.ruled(Verdict("", UNKNOWN, "no human text"), ask.text)
        return self._judged(ask.text) if len(ask.text) <= MAX_REMEMBERED else self.judged(ask.text)

    def decided(self, exchange: Exchange, ask: Ask) -> Verdict | None:
        """What a gate says of the request around the text."""
        envelope = exchange.envelope
        return gates.probe(envelope.max_tokens) or gates.side_system(envelope.fields) or gates.tool_results(ask)

    def judged(self, text: str) -> Score:
        """What the text alone says."""
        reading = read(text)
        verdict = (gates.small_talk(reading) or gates.side_text(reading)) if self.gates else None
        return self.measured(reading) if verdict is None else self.ruled(verdict, text)

    def ruled(self, verdict: Verdict, text: str) -> Score:
        found = (verdict.gate,) if verdict.gate else ()
        return Score(value=verdict.value, reason=verdict.reason, gates=found, ask=text[:ASK_KEPT] or None, weight=self.weight)

    def measured(self, reading: Reading) -> Score:
        model = self.model
        total = model.base + model.of_words(words_of(reading))
        signals: dict[str, float] = {}
        for name, measure in TEXT.items():
            if amount := measure(reading):
                signals[name] = amount
                total += model.signals[name] * amount
        value = model.score_of(total)
        raised = self.gates and not gates.RAISING.isdisjoint(reading.hits)
        verdict = (gates.deep_thought(reading, value) or gates.incident(reading)) if raised else None
        reason, found = "", ()
        if verdict is not None:
            value, reason, found = max(value, verdict.value), verdict.reason, (verdict.gate,)
        return Score(value=value, reason=reason, signals=signals, gates=found, ask=reading.text[:ASK_KEPT], weight=self.weight)


plugin = Plugin(api=1, config=Config, create=Heuristic)

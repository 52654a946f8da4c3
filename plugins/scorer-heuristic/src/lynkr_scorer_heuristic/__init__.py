"""Scores how demanding a request is, from 0 to 100, by the last thing a human asked. A small learned model, no network."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Struct, structs

from lynkr_core.exchange import Exchange, Score
from lynkr_core.plugins import Plugin
from lynkr_scorer_heuristic import around, gates
from lynkr_scorer_heuristic.ask import MAX_TURNS, Ask, ask_of
from lynkr_scorer_heuristic.clean import shortened
from lynkr_scorer_heuristic.gates import UNKNOWN, Verdict
from lynkr_scorer_heuristic.grams import pairs_of, words_of
from lynkr_scorer_heuristic.memory import Memory, is_lasting
from lynkr_scorer_heuristic.model import load
from lynkr_scorer_heuristic.question import EVERY
from lynkr_scorer_heuristic.reading import Reading, read
from lynkr_scorer_heuristic.signals import NAMED
from lynkr_scorer_heuristic.weights import Weights

__all__ = ["Config", "Heuristic", "Weights", "plugin"]

TOLD = 16_000
"""Characters of the ask that are told from its beginning, and from its end: selectors and rules read it too."""
REMEMBERED, MAX_REMEMBERED = 1024, 4000
"""Texts whose score is remembered, and their longest, in characters: an agent sends the same ask with each step of its work."""
WORKING = 30.0
"""What an agent's step is worth at least, when all the human said last was yes or go on."""

LOOK_UP, SAID_AGAIN = 50.0, 10
"""What the shape of a look-up, or a text that says each word more than so often, is worth at most, whatever words are in it."""


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[scorer.heuristic]`"""

    weight: Annotated[float, Meta(gt=0, description="How much this score counts beside other scorers'.")] = 1.0
    gates: Annotated[bool, Meta(description="Let small talk, side requests, proofs and incidents decide at once.")] = True
    weights: Annotated[Weights, Meta(description="Other weights for some of the signals than the learned ones.")] = Weights()


class Heuristic:
    """The scorer. A pure function of the request, but for turns of tool results whose ask is out of sight; one instance serves all."""

    def __init__(self, config: Config) -> None:
        self.weight = config.weight
        self.gates = config.gates
        self.model = load(config.weights.changed())
        self.memory = Memory()
        self._judged = lru_cache(REMEMBERED)(self.judged)

    def score(self, exchange: Exchange) -> Score | None:
        """How demanding the last thing a human asked is. Embeddings have no such thing: None. Never raises on junk."""
        if exchange.operation == "embeddings":
            return None
        ask = ask_of(exchange)
        verdict = self.decided(exchange, ask) if self.gates else None
        if verdict is not None:
            return self.ruled(verdict, ask.text)
        if not ask.text:
            return self.ruled(Verdict("", UNKNOWN, "no human text"), ask.text)
        score = self.of_text(ask.text)
        if is_lasting(exchange):
            self.memory.remember(exchange, score.value)
        found = around.measured(exchange.envelope, score.signals.get("multi_step", 0.0))
        return structs.replace(score, signals={**score.signals, **found}) if found else score

    def of_text(self, text: str) -> Score:
        return self._judged(text) if len(text) <= MAX_REMEMBERED else self.judged(text)

    def decided(self, exchange: Exchange, ask: Ask) -> Verdict | None:
        """What a gate says of the request around the text."""
        envelope = exchange.envelope
        verdict = gates.probe(envelope.max_tokens) or gates.side_system(envelope.fields)
        return gates.tool_results(ask.steps, self.inherited(exchange, ask)) if verdict is None and ask.steps else verdict

    def inherited(self, exchange: Exchange, ask: Ask) -> float | None:
        """The score of what the tools are used for."""
        if not ask.text:
            return self.memory.recall(exchange)
        score = self.of_text(ask.text)
        if ask.steps > MAX_TURNS // 4:  # soon it is too far back to be found; naming a conversation is dear
            self.memory.remember(exchange, score.value)
        return max(score.value, WORKING) if "small_talk" in score.gates else score.value

    def judged(self, text: str) -> Score:
        """What the text alone says."""
        reading = read(text)
        verdict = (gates.small_talk(reading) or gates.side_text(reading)) if self.gates else None
        if verdict is not None:
            return self.ruled(verdict, text)
        return structs.replace(self.measured(reading), ask=shortened(text, TOLD, TOLD))

    def ruled(self, verdict: Verdict, text: str) -> Score:
        found = (verdict.gate,) if verdict.gate else ()
        return Score(
            value=verdict.value, reason=verdict.reason, gates=found, ask=shortened(text, TOLD, TOLD) or None, weight=self.weight
        )

    def measured(self, reading: Reading) -> Score:
        """What the model says, and the gates that only raise it."""
        signals = {name: amount for name, measure in EVERY.items() if (amount := measure(reading)) or name in NAMED}
        words = words_of(reading)
        value, points = self.model.explained(words, signals, pairs_of(reading.words))
        if reading.shape == "lookup" or len(reading.words) > SAID_AGAIN * len(words):
            value = min(value, LOOK_UP)
        raised = self.gates and not gates.RAISING.isdisjoint(reading.hits)
        verdict = (gates.deep_thought(reading, value) or gates.incident(reading, value)) if raised else None
        reason, found = why(points), ()
        if verdict is not None:
            value, reason, found = max(value, verdict.value), verdict.reason, (verdict.gate,)
        signals, points = around.ABSENT | signals, around.ABSENT | points
        return Score(value=value, reason=reason, signals=signals, points=points, gates=found, weight=self.weight)


def why(points: dict[str, float]) -> str:
    """What moved the score most: `technical_depth, "prov", -lookup`."""
    strongest = sorted(points, key=lambda name: -abs(points[name]))[:3]
    return ", ".join([name if points[name] > 0 else f"-{name}" for name in strongest if points[name]]) or "nothing special"


plugin = Plugin(api=1, config=Config, create=Heuristic)

"""What the provider would have billed for a request that nobody had touched, and who earned or lost how much of the difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lynkr_core.cards import Rates
from lynkr_core.pricing import asked
from lynkr_core.remarks import Saving
from lynkr_core.request import Blob, File, Part, Reasoning, Request, Text, ToolCall, ToolCallResponse, Uri, Usage
from lynkr_core.tokens import MEDIA, Tokens

MILLION = 1e6
FRESH = 0.2
"""How much the newest count says of a model's factor."""
OFTEN = 16
"""Of so many requests one is counted, once its model is known."""
MOST_MODELS = 4096
LEAST, MOST = 0.25, 4.0
"""What a factor can be; an upstream that tells another counts something else."""
LARGEST = 512 * 1024
"""Bytes of a request that is counted: a larger one would hold up the others."""


class Factors:
    """How many tokens a provider bills for one that is counted here, learnt from what it says it has read."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._known: dict[str, tuple[float, int]] = {}

    def of(self, candidate: str) -> float:
        return self._known.get(candidate, (1.0, 0))[0]

    def learn(self, candidate: str, request: Request, usage: Usage) -> None:
        """Counts only as often as it needs to."""
        factor, times = self._known.get(candidate, (1.0, 0))
        if len(self._known) >= MOST_MODELS and not times:
            return
        if times < OFTEN or times % OFTEN == 0:
            counted = count(self._tokens, request)
            seen = min(max(usage.input_tokens / counted, LEAST), MOST) if counted else factor
            factor = factor + FRESH * (seen - factor) if times else seen
        self._known[candidate] = (factor, times + 1)

    def told(self) -> dict[str, float]:
        return {candidate: round(factor, 3) for candidate, (factor, _) in self._known.items()}


def count(tokens: Tokens, request: Request) -> int:
    """Tokens of everything in a request."""
    texts: list[str] = []
    media = sum([gather(parts, texts) for parts in (request.system, *[message.parts for message in request.messages])])
    for tool in request.tools:
        schema = b"" if tool.parameters is None else bytes(tool.parameters)
        texts.append(f"{tool.name} {tool.description or ''} {schema.decode('utf-8', 'replace')}")
    return tokens.count(*texts) + media


def gather(parts: Iterable[Part], texts: list[str]) -> int:
    """Adds the texts; the tokens of what is no text."""
    media = 0
    for part in parts:
        match part:
            case Text() | Reasoning():
                texts.append(part.text)
            case ToolCall():
                texts += (part.name, part.arguments)
            case ToolCallResponse():
                media += gather(part.content, texts)
            case Blob() | Uri() | File():
                media += MEDIA
            case _:
                pass
    return media


def priced(savings: Iterable[Saving], before: Mapping[str, int], usage: Usage, rates: Rates, factor: float) -> list[Saving]:
    """Each saving in dollars. `before`: tokens that each plugin saved of the conversation's last request.

    Those would have been read from the cache this time, the others written to it, or read afresh where the provider writes nothing.
    What a plugin says itself stands.
    """
    read, fresh = unit(usage, rates)
    told: list[Saving] = []
    for saving in savings:
        usd = saving.usd
        if usd is None:
            old = lesser(before.get(saving.plugin, 0), saving.tokens) if usage.cache_read else 0
            usd = factor * (old * read + (saving.tokens - old) * fresh) / MILLION
        told.append(Saving(saving.plugin, saving.tokens, usd))
    return told


def lesser(before: int, now: int) -> int:
    """What of tokens saved, or added where they are below zero, was so before."""
    return min(max(before, 0), now) if now >= 0 else max(min(before, 0), now)


def unit(usage: Usage, rates: Rates) -> tuple[float, float]:
    """What a million tokens cost that are in the cache, and that are not yet."""
    read = rates.input if rates.cache_read is None else rates.cache_read
    fresh = rates.input
    if usage.cache_write:
        fresh = rates.input if rates.cache_write is None else rates.cache_write
        if usage.cache_write_1h * 2 > usage.cache_write and rates.cache_write_1h is not None:
            fresh = rates.cache_write_1h
    return read, fresh


def by_caching(usage: Usage, rates: Rates) -> float:
    """USD that the cache has saved of this request; below zero for one that only wrote."""
    plain = Usage(input_tokens=usage.input_tokens, audio_input=usage.audio_input)
    return (asked(plain, rates) - asked(usage, rates)) / MILLION


def of_saved(savings: Sequence[Saving], told: Sequence[Saving], rates: Rates, factor: float) -> float:
    """USD that the cache would have saved of the tokens that were left out: they are told at what they would have cost with it."""
    pairs = zip(savings, told, strict=True)
    return sum([factor * one.tokens * rates.input / MILLION - (now.usd or 0.0) for one, now in pairs if one.usd is None])


def lost(before: int, usage: Usage, rates: Rates) -> float:
    """USD that it costs when what was `before` in the cache was not found there any more."""
    read, fresh = unit(usage, rates)
    return max(before - usage.cache_read, 0) * max(fresh - read, 0.0) / MILLION

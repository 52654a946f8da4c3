"""Token usage, as the providers of this API tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.billing import CostDetails, bill, service
from lynkr_core.request import Usage


class Prompt(Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


class Completion(Struct, gc=False):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class WireUsage(Struct, gc=False):
    """`prompt_cache_hit_tokens` is DeepSeek's, `cached_tokens` beside the totals Moonshot's, `cost` OpenRouter's and Perplexity's.

    `cost_in_usd_ticks`, and `num_sources_used` for what its search bills by the source, are xAI's.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: Prompt | None = None
    completion_tokens_details: Completion | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None
    cost: Any = None
    cost_details: CostDetails | None = None
    is_byok: Any = None
    cost_in_usd_ticks: Any = None
    num_sources_used: int | None = None


class Groq(Struct, gc=False):
    """`x_groq`, where Groq puts the usage and errors of a stream."""

    usage: WireUsage | None = None
    error: Any = None


class Told(Struct, gc=False):
    """Where a whole answer tells its usage."""

    usage: WireUsage | None = None
    x_groq: Groq | None = None
    service_tier: str | None = None


_told = msgspec.json.Decoder(Told)
_NOTHING = Prompt()
_SAID = Completion()
NO_FEES: Mapping[str, int] = {}


def read_usage(body: bytes) -> Usage | None:
    """The usage in a whole answer; None when there is none to be read."""
    try:
        told = _told.decode(body)
    except UNREADABLE:
        return None
    return usage_of(told.usage or (told.x_groq.usage if told.x_groq else None), told.service_tier)


def usage_of(wire: WireUsage | None, tier: str | None = None) -> Usage | None:
    """`tier`: the answer's `service_tier`. xAI counts reasoning beside `completion_tokens` instead of inside: its total tells."""
    if wire is None or (wire.prompt_tokens is None and wire.completion_tokens is None):
        return None
    prompt = wire.prompt_tokens_details or _NOTHING
    details = wire.completion_tokens_details or _SAID
    reasoning = details.reasoning_tokens or 0
    entered, output = wire.prompt_tokens or 0, wire.completion_tokens or 0
    if reasoning and wire.total_tokens == entered + output + reasoning:
        output += reasoning
    cached = prompt.cached_tokens or wire.prompt_cache_hit_tokens or wire.cached_tokens or 0
    return Usage(
        input_tokens=entered,
        output_tokens=output,
        cache_read=cached,
        cache_write=prompt.cache_write_tokens or 0,
        reasoning=reasoning,
        audio_input=prompt.audio_tokens or 0,
        audio_output=details.audio_tokens or 0,
        image_output=details.image_tokens or 0,
        fees={"source": wire.num_sources_used} if wire.num_sources_used else NO_FEES,
        service=service(tier) if tier else "",
        billed=None if wire.cost is None and wire.cost_in_usd_ticks is None else billed_by(wire),
    )


def billed_by(wire: WireUsage) -> float | None:
    return bill(wire.cost, wire.cost_in_usd_ticks, wire.is_byok, wire.cost_details)


def write_usage(usage: Usage) -> dict[str, Any]:
    prompt = {"cached_tokens": usage.cache_read}
    if usage.cache_write:
        prompt["cache_write_tokens"] = usage.cache_write
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }

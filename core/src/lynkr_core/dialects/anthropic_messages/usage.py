"""Token counts. The wire's `input_tokens` leaves out what was read from or written to the prompt cache; ours includes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.billing import CostDetails, bill, service
from lynkr_core.request import Usage


class Creation(Struct):
    ephemeral_1h_input_tokens: int | None = None


class Details(Struct):
    thinking_tokens: int | None = None


class Tools(Struct):
    """Uses of Anthropic's own tools. Fetching pages costs nothing."""

    web_search_requests: int | None = None


class WireUsage(Struct):
    """The wire's usage object; every count may be missing or null. The costs are OpenRouter's."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: Creation | None = None
    output_tokens_details: Details | None = None
    service_tier: str | None = None
    server_tool_use: Tools | None = None
    speed: str | None = None
    inference_geo: str | None = None
    cost: Any = None
    cost_details: CostDetails | None = None
    is_byok: Any = None


class Body(Struct):
    usage: WireUsage | None = None


NO_FEES: Mapping[str, int] = {}
_body = msgspec.json.Decoder(Body)


def read_body(body: bytes) -> Usage | None:
    """The usage of a whole answer's body, or None."""
    try:
        usage = _body.decode(body).usage
    except UNREADABLE:
        return None
    return None if usage is None else read(usage)


def read(wire: WireUsage) -> Usage:
    cached, written = wire.cache_read_input_tokens or 0, wire.cache_creation_input_tokens or 0
    return Usage(
        input_tokens=(wire.input_tokens or 0) + cached + written,
        output_tokens=wire.output_tokens or 0,
        cache_read=cached,
        cache_write=written,
        cache_write_1h=(wire.cache_creation and wire.cache_creation.ephemeral_1h_input_tokens) or 0,
        reasoning=(wire.output_tokens_details and wire.output_tokens_details.thinking_tokens) or 0,
        fees=fees_of(wire.server_tool_use),
        service=service(wire.service_tier, wire.speed, wire.inference_geo),
        billed=bill(wire.cost, byok=wire.is_byok, details=wire.cost_details),
    )


def fees_of(tools: Tools | None) -> Mapping[str, int]:
    searches = tools.web_search_requests if tools else None
    return {"web_search": searches} if searches else NO_FEES


def merge(old: Usage, new: Usage) -> Usage:
    """Counts of a stream are cumulative and a later event may leave some out, so the larger one counts."""
    return Usage(
        input_tokens=max(old.input_tokens, new.input_tokens),
        output_tokens=max(old.output_tokens, new.output_tokens),
        cache_read=max(old.cache_read, new.cache_read),
        cache_write=max(old.cache_write, new.cache_write),
        cache_write_1h=max(old.cache_write_1h, new.cache_write_1h),
        reasoning=max(old.reasoning, new.reasoning),
        fees=new.fees or old.fees,
        service=new.service or old.service,
        billed=old.billed if new.billed is None else new.billed,
    )


def write(usage: Usage, service_tier: str | None = None) -> dict[str, Any]:
    """The wire's usage object, with every field that clients add up."""
    cached = usage.cache_read + usage.cache_write
    wire: dict[str, Any] = {
        "input_tokens": max(usage.input_tokens - cached, 0),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": max(usage.cache_write - usage.cache_write_1h, 0),
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning:
        wire["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if "web_search" in usage.fees:
        wire["server_tool_use"] = {"web_search_requests": usage.fees["web_search"], "web_fetch_requests": 0}
    if service_tier is not None:
        wire["service_tier"] = service_tier
    return wire

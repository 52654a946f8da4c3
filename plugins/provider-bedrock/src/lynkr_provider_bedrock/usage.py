"""Token counts. The wire's `inputTokens` leaves out what was read from or written to the prompt cache; ours includes it."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.billing import service
from lynkr_core.request import Usage


class CacheDetail(Struct, rename="camel"):
    ttl: str = ""
    input_tokens: int = 0


class WireUsage(Struct, rename="camel"):
    """`TokenUsage` of botocore 1.44.5's service model; there is no count of reasoning tokens in it."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: list[CacheDetail] | None = None


class Tier(Struct):
    type: str | None = None


class _Body(Struct, rename="camel"):
    usage: WireUsage | None = None
    service_tier: Tier | None = None


_body = msgspec.json.Decoder(_Body)


def usage_of(wire: WireUsage, tier: Tier | None = None) -> Usage:
    cached, written = wire.cache_read_input_tokens or 0, wire.cache_write_input_tokens or 0
    return Usage(
        input_tokens=(wire.input_tokens or 0) + cached + written,
        output_tokens=wire.output_tokens or 0,
        cache_read=cached,
        cache_write=written,
        cache_write_1h=sum([detail.input_tokens for detail in wire.cache_details or () if detail.ttl == "1h"]),
        service=service(tier.type) if tier else "",
    )


def read_usage(body: bytes) -> Usage | None:
    """The usage of a whole answer's body, or None."""
    try:
        found = _body.decode(body)
    except UNREADABLE:
        return None
    return None if found.usage is None else usage_of(found.usage, found.service_tier)

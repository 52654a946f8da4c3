"""Token counts, both ways. Here as in the model the cached tokens are part of the input, the reasoning part of the output."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.openai_responses.wire import Wire
from lynkr_core.request import Usage


class _Input(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Output(Struct):
    reasoning_tokens: int | None = None


class WireUsage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Input | None = None
    output_tokens_details: _Output | None = None


class _Inner(Struct):
    usage: WireUsage | None = None


class _Body(Struct):
    """A whole answer, or an event with one inside."""

    usage: WireUsage | None = None
    response: _Inner | None = None


_body = msgspec.json.Decoder(_Body)


def read_usage(wire: WireUsage | None) -> Usage | None:
    if wire is None:
        return None
    inside, outside = wire.input_tokens_details or _Input(), wire.output_tokens_details or _Output()
    return Usage(
        input_tokens=wire.input_tokens or 0,
        output_tokens=wire.output_tokens or 0,
        cache_read=inside.cached_tokens or 0,
        cache_write=inside.cache_write_tokens or 0,
        reasoning=outside.reasoning_tokens or 0,
    )


def usage(body: bytes) -> Usage | None:
    """Of a whole answer's body, or of one stream event's data."""
    try:
        found = _body.decode(body)
    except UNREADABLE:
        return None
    return read_usage(found.usage or (found.response.usage if found.response else None))


def write_usage(usage: Usage) -> Wire:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }

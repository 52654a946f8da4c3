"""Token counts, both ways. Here as in the model the cached tokens are part of the input, the reasoning part of the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.billing import CostDetails, bill, service
from lynkr_core.dialects.openai_responses.wire import NOTHING, Wire
from lynkr_core.request import Usage

BILLED = {"web_search_call": "web_search", "file_search_call": "file_search", "code_interpreter_call": "code_interpreter",
          "image_generation_call": "image_generation"}  # fmt: skip
"""Items for which the provider takes a fee, or what their tokens do not tell. Calls of functions and of MCP servers are free."""
MARKS = tuple([f'"{name}"'.encode() for name in BILLED])


class _Input(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


class _Output(Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class WireUsage(Struct):
    """The costs are OpenRouter's, Perplexity's and xAI's."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Input | None = None
    output_tokens_details: _Output | None = None
    cost: Any = None
    cost_details: CostDetails | None = None
    is_byok: Any = None
    cost_in_usd_ticks: Any = None


class _Item(Struct):
    """An item of the output, as far as it costs something beside its tokens."""

    type: str = ""
    action: Any = None
    container_id: str | None = None


class _Inner(Struct):
    usage: WireUsage | None = None
    output: Raw = NOTHING
    service_tier: str | None = None


class _Body(Struct):
    """A whole answer, or an event with one inside."""

    usage: WireUsage | None = None
    output: Raw = NOTHING
    service_tier: str | None = None
    response: _Inner | None = None


_body = msgspec.json.Decoder(_Body)
_items = msgspec.json.Decoder(list[_Item])
NO_FEES: Mapping[str, int] = {}


def fees_of(output: bytes) -> Mapping[str, int]:
    """How often tools of the provider's own were used, of the list of output items. Opening and reading a found page is free."""
    if not any(mark in output for mark in MARKS):
        return NO_FEES
    try:
        items = _items.decode(output)
    except UNREADABLE:
        return NO_FEES
    used = [item for item in items if item.type in BILLED and not is_free(item)]
    fees = Counter(BILLED[item.type] for item in used if item.container_id is None)
    containers = {item.container_id for item in used} - {None}
    return {**fees, "code_interpreter": fees["code_interpreter"] + len(containers)} if containers else dict(fees)


def is_free(item: _Item) -> bool:
    action = cast("dict[str, Any]", item.action) if isinstance(item.action, dict) else {}
    return action.get("type") in ("open_page", "find", "find_in_page")


def read_usage(wire: WireUsage | None, output: bytes = b"", tier: str | None = None) -> Usage | None:
    """`output`: the list of output items; `tier`: the answer's `service_tier`."""
    if wire is None:
        return None
    inside, outside = wire.input_tokens_details or _Input(), wire.output_tokens_details or _Output()
    return Usage(
        input_tokens=wire.input_tokens or 0,
        output_tokens=wire.output_tokens or 0,
        cache_read=inside.cached_tokens or 0,
        cache_write=inside.cache_write_tokens or 0,
        reasoning=outside.reasoning_tokens or 0,
        audio_input=inside.audio_tokens or 0,
        audio_output=outside.audio_tokens or 0,
        image_output=outside.image_tokens or 0,
        fees=fees_of(output),
        service=service(tier) if tier else "",
        billed=bill(wire.cost, wire.cost_in_usd_ticks, wire.is_byok, wire.cost_details),
    )


def usage(body: bytes) -> Usage | None:
    """Of a whole answer's body, or of one stream event's data."""
    try:
        found = _body.decode(body)
    except UNREADABLE:
        return None
    told = found if found.usage is not None or found.response is None else found.response
    return read_usage(told.usage, bytes(told.output), told.service_tier)


def write_usage(usage: Usage) -> Wire:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }

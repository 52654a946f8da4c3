"""Token counts. The wire counts thoughts beside the candidates, and what built-in tools read beside the prompt; ours includes them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.request import Usage
from lynkr_provider_google.dialect.wire import Count


class _Body(Struct, rename="camel"):
    usage_metadata: Count | None = None


_body = msgspec.json.Decoder(_Body)


def read_body(body: bytes) -> Usage | None:
    """The usage in a whole answer's body, or None."""
    try:
        found = _body.decode(body).usage_metadata
    except UNREADABLE:
        return None
    return None if found is None else read(found)


def read(count: Count) -> Usage:
    """Some models count thoughts among the candidates' tokens: the total tells."""
    prompt = (count.prompt_token_count or 0) + (count.tool_use_prompt_token_count or 0)
    said, thoughts = count.candidates_token_count or 0, count.thoughts_token_count or 0
    included = thoughts <= said and count.total_token_count == prompt + said
    return Usage(
        input_tokens=prompt,
        output_tokens=said if included else said + thoughts,
        cache_read=count.cached_content_token_count or 0,
        reasoning=thoughts,
    )


def write(usage: Usage) -> dict[str, Any]:
    """`usageMetadata`."""
    counts = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": max(usage.output_tokens - usage.reasoning, 0),
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
    }
    if usage.reasoning:
        counts["thoughtsTokenCount"] = usage.reasoning
    if usage.cache_read:
        counts["cachedContentTokenCount"] = usage.cache_read
    return counts

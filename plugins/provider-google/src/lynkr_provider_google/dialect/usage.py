"""Token counts. The wire counts thoughts beside the candidates, and what built-in tools read beside the prompt; ours includes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.billing import service
from lynkr_core.request import Usage
from lynkr_provider_google.dialect.wire import Count, Grounding, ModalityCount

NO_FEES: Mapping[str, int] = {}
ON_DEMAND = "ON_DEMAND_"


class _Candidate(Struct, rename="camel"):
    grounding_metadata: Grounding | None = None


class _Body(Struct, rename="camel"):
    usage_metadata: Count | None = None
    candidates: list[_Candidate] | None = None


_body = msgspec.json.Decoder(_Body)


def read_body(body: bytes) -> Usage | None:
    """The usage in a whole answer's body, or None."""
    try:
        found = _body.decode(body)
    except UNREADABLE:
        return None
    queries = sum([searches(candidate.grounding_metadata) for candidate in found.candidates or ()])
    return None if found.usage_metadata is None else read(found.usage_metadata, queries)


def searches(grounding: Grounding | None) -> int:
    return len(grounding.web_search_queries or ()) if grounding else 0


def tokens_of(modality: str, details: list[ModalityCount] | None) -> int:
    return sum([count.token_count or 0 for count in details or () if count.modality == modality])


def served(count: Count) -> str:
    """Of the Gemini API its tier, of Vertex the kind of traffic, by the word that price lists have for it."""
    traffic = count.traffic_type.removeprefix(ON_DEMAND) if count.traffic_type else None
    return service(count.service_tier, None if traffic == "TRAFFIC_TYPE_UNSPECIFIED" else traffic)


def read(count: Count, queries: int = 0) -> Usage:
    """`queries`: the searches of the answer. Newer models bill each, older ones the prompt that led to any.

    Some models count thoughts among the candidates' tokens: the total tells.
    """
    prompt = (count.prompt_token_count or 0) + (count.tool_use_prompt_token_count or 0)
    said, thoughts = count.candidates_token_count or 0, count.thoughts_token_count or 0
    included = thoughts <= said and count.total_token_count == prompt + said
    sound = tokens_of("AUDIO", count.prompt_tokens_details) - tokens_of("AUDIO", count.cache_tokens_details)
    return Usage(
        input_tokens=prompt,
        output_tokens=said if included else said + thoughts,
        cache_read=count.cached_content_token_count or 0,
        reasoning=thoughts,
        audio_input=max(sound, 0),
        audio_output=tokens_of("AUDIO", count.candidates_tokens_details),
        image_output=tokens_of("IMAGE", count.candidates_tokens_details),
        fees={"web_search": queries, "grounded_prompt": 1} if queries else NO_FEES,
        service=served(count),
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

"""The items of a request for embeddings, and the vectors of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from lynkr_core.dialect import opens_with
from lynkr_core.dialects.openai_embeddings import packed
from lynkr_core.request import Response

_items = msgspec.json.Decoder(list[Raw])


class Vector(msgspec.Struct):
    embedding: Raw
    index: int | None = None


_vectors = msgspec.json.Decoder(list[Vector])


def items_of(raw: Raw) -> list[Raw]:
    """Texts, or lists of tokens; one list of tokens is one item. Raises what decoding raises."""
    if opens_with(raw, b'"'):
        return [raw]
    items = _items.decode(raw)
    return [raw] if items and not (opens_with(items[0], b'"') or opens_with(items[0], b"[")) else items


def vectors_of(response: Response, base64: bool) -> list[Raw]:
    """In the order that was asked for; none for an answer that cannot be read."""
    parts = [part for choice in response.choices for part in choice.parts]
    if len(parts) != 1 or parts[0].native is None:
        return []
    try:
        found = _vectors.decode(packed(parts[0].native) if base64 else parts[0].native)
    except (msgspec.MsgspecError, TypeError, ValueError):
        return []
    places = [place if one.index is None else one.index for place, one in enumerate(found)]
    if sorted(places) != list(range(len(found))):
        return []
    return [one.embedding for _, one in sorted(zip(places, found, strict=True), key=lambda pair: pair[0])]


def merged(vectors: Sequence[Raw]) -> list[dict[str, Any]]:
    return [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors)]

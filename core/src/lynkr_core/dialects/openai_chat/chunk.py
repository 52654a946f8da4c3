"""One chunk of a stream on the wire."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialects.openai_chat.usage import Groq, WireUsage
from lynkr_core.dialects.openai_chat.wire import NOTHING, Call, Called, Piece


class WireDelta(Struct):
    """What is new of a message. Mistral's reasoning models give `content` as a list."""

    content: str | list[Piece] | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[Call] | None = None
    function_call: Called | None = None
    annotations: Raw = NOTHING


class ChunkChoice(Struct):
    index: int | None = None
    delta: WireDelta | None = None
    finish_reason: str | None = None
    logprobs: Raw = NOTHING


class Chunk(Struct):
    id: Any = None
    model: str | None = None
    created: Any = None
    choices: list[ChunkChoice] | None = None
    usage: WireUsage | None = None
    service_tier: str | None = None
    error: Raw = NOTHING
    x_groq: Groq | None = None
    object: Any = None


chunks = msgspec.json.Decoder(Chunk)

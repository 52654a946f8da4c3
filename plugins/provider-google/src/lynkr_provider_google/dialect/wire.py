"""The shapes of the Gemini API on the wire, and how they are read.

Structs name what lynkr understands, by the API's names in camel case and, for what people write by hand, in snake case: protobuf's
JSON takes both. Types are those of google-genai 3.4.0; whatever else an object has stays in its native fragment.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from lynkr_core.dialect import Fields
from lynkr_core.dialects.openai_chat.wire import NOTHING, NULL, given, lists, objects, read, texts, values

__all__ = ["NOTHING", "NULL", "given", "lists", "objects", "read", "texts", "values"]
Wire = dict[str, Any]
encode = msgspec.json.Encoder().encode
_HUMP = re.compile(r"_([a-z])")


class Data(Struct, rename="camel"):
    """`inlineData`: bytes as base64, in either alphabet."""

    data: str
    mime_type: str = ""
    display_name: str | None = None
    mime: str = field(default="", name="mime_type")


class FileRef(Struct, rename="camel"):
    """`fileData`."""

    file_uri: str = ""
    mime_type: str | None = None
    display_name: str | None = None
    uri: str = field(default="", name="file_uri")
    mime: str | None = field(default=None, name="mime_type")


class Call(Struct):
    """`functionCall`. `args` is an object."""

    name: str = ""
    id: str | None = None
    args: Raw = NOTHING


class Result(Struct):
    """`functionResponse`. `response` is an object, `parts` what of it is no text."""

    name: str = ""
    id: str | None = None
    response: Raw = NOTHING
    parts: list[Raw] | None = None


class Piece(Struct, rename="camel"):
    """One part of a content."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Data | None = None
    file_data: FileRef | None = None
    function_call: Call | None = None
    function_response: Result | None = None
    snake_signature: str | None = field(default=None, name="thought_signature")
    snake_data: Data | None = field(default=None, name="inline_data")
    snake_file: FileRef | None = field(default=None, name="file_data")
    snake_call: Call | None = field(default=None, name="function_call")
    snake_result: Result | None = field(default=None, name="function_response")


class Content(Struct):
    """One turn. Without a role it is the user's."""

    role: str | None = None
    parts: list[Raw] | None = None


class Declaration(Struct, rename="camel"):
    """A function that the model may call, its parameters as OpenAPI's subset or as JSON Schema."""

    name: str = ""
    description: str | None = None
    parameters: Raw = NOTHING
    parameters_json_schema: Raw = NOTHING
    snake_schema: Raw = field(default=NOTHING, name="parameters_json_schema")


class ModalityCount(Struct, rename="camel"):
    modality: str | None = None
    token_count: int | None = None


class Count(Struct, rename="camel"):
    """`usageMetadata`; every count may be missing or null."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: list[ModalityCount] | None = None
    cache_tokens_details: list[ModalityCount] | None = None
    candidates_tokens_details: list[ModalityCount] | None = None
    traffic_type: str | None = None
    service_tier: str | None = None


class Grounding(Struct, rename="camel"):
    """`groundingMetadata`, as far as it tells what was searched for."""

    web_search_queries: list[Raw] | None = None


class Candidate(Struct, rename="camel"):
    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int | None = None
    logprobs_result: Raw = NOTHING
    grounding_metadata: Grounding | None = None


class Feedback(Struct, rename="camel"):
    """`promptFeedback`."""

    block_reason: str | None = None
    block_reason_message: str | None = None


class Answer(Struct, rename="camel"):
    """A whole answer, or a chunk of a streamed one."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Count | None = None
    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None
    error: Raw = NOTHING


answers = msgspec.json.Decoder(Answer)
pieces = msgspec.json.Decoder(Piece)
contents = msgspec.json.Decoder(Content)
declarations = msgspec.json.Decoder(Declaration)


def camel(name: str) -> str:
    """`system_instruction` as `systemInstruction`; other names as they are."""
    return _HUMP.sub(lambda found: found[1].upper(), name) if "_" in name else name


def spelt(fields: Fields, name: str) -> str:
    """The key under which `fields` has `name`: the camel-case one unless only the other is there."""
    return next((key for key in fields if camel(key) == name), name) if name not in fields else name


def objects_of(raw: Raw, path: str) -> dict[str, Raw]:
    """The keys of an object in camel case. Raises `InvalidRequest`."""
    return {camel(key): value for key, value in read(objects, raw, path).items()}


def note(losses: list[str], line: str) -> None:
    """Each loss is told once."""
    if line not in losses:
        losses.append(line)

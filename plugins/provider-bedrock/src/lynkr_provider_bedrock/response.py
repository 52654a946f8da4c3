"""Whole answers of Converse."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.failures import excerpt
from lynkr_core.errors import UpstreamError
from lynkr_core.request import Choice, FinishReason, Part, Reasoning, Response, Text, ToolCall
from lynkr_provider_bedrock.errors import inner_error
from lynkr_provider_bedrock.usage import Tier, WireUsage, usage_of

NAME = "bedrock.converse"
STOP_SEQUENCE = "/stop_sequence"
"""Where Anthropic's models say which sequence ended the answer; Converse passes it on when asked, and ignores it for others."""
FINISH: dict[str, FinishReason] = {
    "end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls", "max_tokens": "length",
    "model_context_window_exceeded": "length", "content_filtered": "content_filter", "guardrail_intervened": "content_filter",
    "malformed_model_output": "error", "malformed_tool_use": "error",
}  # fmt: skip
"""By `stopReason`, as botocore 1.44.5 lists them. An unknown word is a good end."""


class ReasoningText(Struct):
    text: str = ""
    signature: str | None = None


class ReasoningContent(Struct, rename="camel"):
    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class ToolUse(Struct, rename="camel"):
    """`type` is only there for a tool that Bedrock has called itself."""

    tool_use_id: str
    name: str
    input: Raw = Raw(b"{}")
    type: str | None = None


class Cited(Struct):
    text: str = ""


class Citations(Struct):
    content: list[Cited] = []


class Block(Struct, rename="camel"):
    text: str | None = None
    tool_use: ToolUse | None = None
    reasoning_content: ReasoningContent | None = None
    citations_content: Citations | None = None


class WireMessage(Struct):
    content: list[Block] = []


class Output(Struct):
    message: WireMessage


class ModelFields(Struct):
    stop_sequence: Any = None


class Answer(Struct, rename="camel"):
    output: Output
    stop_reason: str | None = None
    usage: WireUsage | None = None
    additional_model_response_fields: ModelFields | None = None
    service_tier: Tier | None = None


_answer = msgspec.json.Decoder(Answer)


def new_id() -> str:
    """Converse gives its answers no id in the body."""
    return f"converse-{os.urandom(12).hex()}"


def sequence_of(fields: ModelFields | None) -> str | None:
    sequence = None if fields is None else fields.stop_sequence
    return sequence if isinstance(sequence, str) else None


def decode_response(body: bytes) -> Response:
    """Raises `UpstreamError` for what is no answer, and for an error inside a 200."""
    try:
        answer = _answer.decode(body)
    except UNREADABLE as error:
        raise inner_error(body) or UpstreamError("server", f"not an answer of Converse: {error}: {excerpt(body)}") from None
    parts = tuple([part for block in answer.output.message.content if (part := read_block(block)) is not None])
    reason = FINISH.get(answer.stop_reason or "", "stop")
    sequence = sequence_of(answer.additional_model_response_fields)
    return Response(
        dialect=NAME,
        id=new_id(),
        model="",
        choices=(Choice(parts=parts, finish_reason=reason, stop_sequence=sequence),),
        usage=None if answer.usage is None else usage_of(answer.usage, answer.service_tier),
        service_tier=answer.service_tier.type if answer.service_tier else None,
        native=Raw(body),
    )


def read_block(block: Block) -> Part | None:
    """None for a block that no caller has a use for, such as a search that the model made by itself."""
    if block.text is not None:
        return Text(text=block.text)
    if block.tool_use is not None:
        use = block.tool_use
        return ToolCall(id=use.tool_use_id, name=use.name, arguments=bytes(use.input).decode()) if use.type is None else None
    if block.citations_content is not None:
        return Text(text="".join([cited.text for cited in block.citations_content.content]))
    thought = block.reasoning_content
    if thought is None:
        return None
    if thought.reasoning_text is not None:
        return Reasoning(text=thought.reasoning_text.text, signature=thought.reasoning_text.signature)
    return Reasoning(encrypted=thought.redacted_content or "")

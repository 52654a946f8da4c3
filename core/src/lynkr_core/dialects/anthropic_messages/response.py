"""A whole answer, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.anthropic_messages import usage as counts
from lynkr_core.dialects.anthropic_messages.blocks import read_block
from lynkr_core.dialects.anthropic_messages.errors import read_inner_error
from lynkr_core.dialects.anthropic_messages.fragments import Wire, encode, joined, render, respelt, wire
from lynkr_core.dialects.anthropic_messages.names import message_id
from lynkr_core.dialects.anthropic_messages.signatures import is_foreign, make
from lynkr_core.dialects.calls import Calls
from lynkr_core.dialects.surrogates import repaired
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.request import Choice, FinishReason, Part, Reasoning, Request, Response, Text, ToolCall, Usage
from lynkr_core.tokens import estimate, estimate_text

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop", "max_tokens": "length",
    "model_context_window_exceeded": "length", "tool_use": "tool_calls", "refusal": "content_filter",
}  # fmt: skip
_STOP: dict[FinishReason, str] = {"length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


class Answer(Struct):
    content: list[Raw]
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: counts.WireUsage | None = None


_answer = msgspec.json.Decoder(Answer)


def stop_reason(reason: FinishReason, sequence: str | None) -> str:
    return "stop_sequence" if reason == "stop" and sequence is not None else _STOP.get(reason, "end_turn")


def read_response(body: bytes, dialect: str) -> Response:
    """Raises `UpstreamError`."""
    try:
        answer = _answer.decode(body)
        parts = tuple([read_block(block, f"content[{i}]") for i, block in enumerate(answer.content)])
    except (*UNREADABLE, InvalidRequest) as error:
        mended = repaired(body)
        if mended is not None:
            return read_response(mended, dialect)
        raise read_inner_error(body) or UpstreamError("server", f"the answer is not a message: {error}") from None
    reason = FINISH.get(answer.stop_reason or "", "stop")
    return Response(
        dialect=dialect,
        id=answer.id,
        model=answer.model,
        choices=(Choice(parts=parts, finish_reason=reason, stop_sequence=answer.stop_sequence),),
        usage=None if answer.usage is None else counts.read(answer.usage),
        service_tier=None if answer.usage is None else answer.usage.service_tier,
        native=Raw(body),
    )


def write_response(response: Response, request: Request, same: bool) -> bytes:
    """`same`: the answer came in this dialect."""
    if not same or response.native is None:
        return encode(_wire_foreign(response, request))
    if not response.edited:
        return bytes(response.native)
    old = read_response(bytes(response.native), response.dialect)
    return bytes(respelt(response.native, _wire_same(old), _wire_same(response)))


def _wire_same(response: Response) -> Wire:
    choice = response.choices[0] if response.choices else Choice()
    fields: Wire = {
        "id": response.id,
        "model": response.model,
        "content": joined([block for block in map(render, choice.parts) if block is not None]),
        "stop_reason": stop_reason(choice.finish_reason, choice.stop_sequence),
        "stop_sequence": choice.stop_sequence,
    }
    return fields | ({"usage": counts.write(response.usage, response.service_tier)} if response.usage else {})


def _wire_foreign(response: Response, request: Request) -> Wire:
    choice = response.choices[0] if response.choices else Choice()
    return {
        "id": message_id(response.id),
        "type": "message",
        "role": "assistant",
        "model": response.model,
        "content": _content(Calls(request.tools).answer(choice.parts)),
        "stop_reason": stop_reason(choice.finish_reason, choice.stop_sequence),
        "stop_sequence": choice.stop_sequence,
        "usage": counts.write(response.usage or _counted(request, choice.parts), response.service_tier),
    }


def _content(parts: Sequence[Part]) -> list[Any]:
    """The answer's blocks, thinking first; what only signs the block before it stays behind it."""
    ordered = sorted(parts, key=lambda part: not isinstance(part, Reasoning) or _only_signs(part))
    return [block for part in ordered if (block := _block(part)) is not None]


def _block(part: Part) -> Wire | None:
    """A call stands under the caller's own name, whatever characters that has."""
    block = wire(_own(part), lambda content: ())
    return {**block, "name": part.name} if block is not None and isinstance(part, ToolCall) else block


def _only_signs(part: Reasoning) -> bool:
    return not part.text and part.signature is not None and is_foreign(part.signature)


def _own(part: Part) -> Part:
    """The part without what belongs to another dialect; reasoning gets a signature of ours."""
    match part:
        case Text():
            return Text(text=part.text)
        case Reasoning():
            ours = not part.signature or is_foreign(part.signature)
            signature = make(part.id, part.encrypted, part.signature) if ours else part.signature
            return Reasoning(text=part.text, signature=signature)
        case _:
            return part


def _counted(request: Request, parts: Sequence[Part]) -> Usage:
    """The provider said nothing."""
    texts = [part.arguments if isinstance(part, ToolCall) else getattr(part, "text", "") for part in parts]
    return Usage(input_tokens=estimate(request), output_tokens=estimate_text("".join(texts)), estimated=True)

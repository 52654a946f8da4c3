"""Whole answers: from the wire into the model, and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Raw, structs

from lynkr_core.dialects.openai_chat.response import new_call_id
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.request import Choice, FinishReason, Part, Response, Text, ToolCall, Usage
from lynkr_provider_ollama.message import MADE, Pairs, read_parts, said, spoken
from lynkr_provider_ollama.request import NAME
from lynkr_provider_ollama.wire import Fragment, Line, WireMessage, encode, given, objects, read_line

REASONS: dict[str, FinishReason] = {"length": "length", "content_filter": "content_filter", "error": "error"}
"""Every other word is a good end: `stop`, and `load` and `unload`, which tell of the model. Calls end with `stop` too."""


def finish_reason(word: str | None, called: bool) -> FinishReason:
    reason = REASONS.get(word or "", "stop")
    return "tool_calls" if called and reason == "stop" else reason


def decode_response(body: bytes) -> Response:
    """Raises `UpstreamError` for an error inside a 200, an answer that is not done, and what is no answer at all."""
    line = read_line(body)
    if line.done is False:
        raise UpstreamError("cut", "the answer is not done")
    parts = read_answer(line.message or WireMessage())
    reason = finish_reason(line.done_reason, any(isinstance(part, ToolCall) for part in parts))
    choice = Choice(parts=parts, finish_reason=reason, logprobs=given(line.logprobs))
    return Response(
        dialect=NAME, id="", model=line.model or "", choices=(choice,), usage=usage_of(line), created=seconds(line.created_at),
        native=Raw(body),
    )  # fmt: skip


def read_answer(message: WireMessage) -> tuple[Part, ...]:
    """What the model said; a call without an id gets one that no other call has. Raises `UpstreamError`."""
    try:
        parts = read_parts(message, "message", Pairs())
    except InvalidRequest as error:
        raise UpstreamError("server", f"the answer is not one of Ollama's: {error.message}") from None
    return tuple([with_id(part) for part in parts])


def with_id(part: Part) -> Part:
    made = isinstance(part, ToolCall) and part.id.startswith(MADE)
    return structs.replace(part, id=new_call_id()) if made else part


def usage_of(line: Line) -> Usage | None:
    """`eval_count` includes thinking. A prompt that was cached whole has no count in older servers."""
    if line.prompt_eval_count is None and line.eval_count is None:
        return None
    return Usage(input_tokens=line.prompt_eval_count or 0, output_tokens=line.eval_count or 0)


def seconds(stamp: str | None) -> int | None:
    """Since 1970; None for what is no time."""
    try:
        return int(datetime.fromisoformat(stamp or "").timestamp())
    except (ValueError, OverflowError):
        return None


def stamp(created: int | None) -> str:
    """A time as Ollama writes it; now when there is none."""
    try:
        time = datetime.now(UTC) if created is None else datetime.fromtimestamp(created, UTC)
    except (ValueError, OverflowError, OSError):
        time = datetime.now(UTC)
    return time.isoformat().replace("+00:00", "Z")


def encode_response(response: Response) -> bytes:
    """The body for a caller of this dialect."""
    if response.dialect != NAME or response.native is None:
        return encode(write_response(response))
    if not response.edited:
        return bytes(response.native)
    before, after = write_response(decode_response(bytes(response.native))), write_response(response)
    changes = difference(before, after)
    if "message" in changes:
        changes["message"] = splice(
            objects.decode(response.native).get("message"), difference(before["message"], after["message"])
        )
    return bytes(splice(response.native, changes))


def write_response(response: Response) -> Fragment:
    choice = response.choices[0] if response.choices else Choice()
    parts = choice.parts if response.dialect == NAME else [structs.replace(part, native=None) for part in choice.parts]
    return {
        "model": response.model,
        "created_at": stamp(response.created),
        "message": write_answer(parts),
        **ending(choice, response.usage),
    }


def write_answer(parts: Sequence[Part]) -> Fragment:
    """The message of an answer. Its text is what a stream of it would have added up to."""
    texts, images = spoken(parts)
    return said("assistant", [part for part in parts if not isinstance(part, Text)], ["".join(texts)], images)


def ending(choice: Choice, usage: Usage | None) -> Fragment:
    """What stands beside the message of a whole answer, and in the last line of a stream."""
    fragment: dict[str, Any] = {} if choice.logprobs is None else {"logprobs": logprobs_list(choice.logprobs)}
    reason = "stop" if choice.finish_reason == "tool_calls" else choice.finish_reason
    fragment |= {"done": True, "done_reason": reason}
    if usage is not None:
        fragment |= {"prompt_eval_count": usage.input_tokens, "eval_count": usage.output_tokens}
    return fragment


def logprobs_list(logprobs: Raw) -> Any:
    """OpenAI's chat has the list under `content`."""
    if bytes(logprobs).startswith(b"{"):
        return objects.decode(logprobs).get("content")
    return logprobs

"""Whole answers: from the wire into the model, and back."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct, structs

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.calls import Calls
from lynkr_core.dialects.failures import excerpt, upstream_error
from lynkr_core.dialects.failures import read as read_words
from lynkr_core.dialects.openai_chat import wire
from lynkr_core.dialects.openai_chat.content import Fragment, plain
from lynkr_core.dialects.openai_chat.message import own_answer, read_parts, write_call
from lynkr_core.dialects.openai_chat.request import NAME
from lynkr_core.dialects.openai_chat.usage import Groq, WireUsage, usage_of, write_usage
from lynkr_core.dialects.openai_chat.wire import WireMessage
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.dialects.surrogates import repaired
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.request import Choice, FinishReason, Part, Reasoning, Response, Text, ToolCall

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop", "eos": "stop", "end_turn": "stop", "stop_sequence": "stop", "": "stop",
    "length": "length", "max_tokens": "length", "model_length": "length", "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls", "function_call": "tool_calls", "tool_use": "tool_calls",
    "content_filter": "content_filter", "sensitive": "content_filter", "safety": "content_filter", "refusal": "content_filter",
    "error": "error", "network_error": "error", "abort": "error",
}  # fmt: skip


def finish_reason(word: str | None, called: bool) -> FinishReason:
    """An unknown word is a good end. Some providers say `stop`, or nothing, after tool calls."""
    reason = FINISH_REASONS.get((word or "").lower(), "stop")
    return "tool_calls" if called and reason == "stop" else reason


class WireChoice(Struct):
    message: Raw = wire.NOTHING
    finish_reason: str | None = None
    stop_reason: Any = None
    logprobs: Raw = wire.NOTHING


class Answer(Struct):
    id: Any = None
    model: str | None = None
    created: Any = None
    choices: list[Raw] | None = None
    usage: WireUsage | None = None
    service_tier: str | None = None
    error: Raw = wire.NOTHING
    x_groq: Groq | None = None


_answers = msgspec.json.Decoder(Answer)
_choices = msgspec.json.Decoder(WireChoice)
_notes: msgspec.json.Decoder[list[Fragment] | Fragment] = msgspec.json.Decoder(list[Fragment] | Fragment)


def decode_response(body: bytes) -> Response:
    """Raises `UpstreamError` for an error inside a 200, and of kind `server` for what is no chat completion at all."""
    try:
        answer = _answers.decode(body)
        if wire.given(answer.error) is not None or answer.choices is None:
            raise _failure(body)
        choices = tuple([read_choice(raw, f"choices[{index}]") for index, raw in enumerate(answer.choices)])
    except (*UNREADABLE, InvalidRequest) as error:
        mended = repaired(body)
        if mended is not None:
            return decode_response(mended)
        raise _failure(body, error) from None
    groq = answer.x_groq.usage if answer.x_groq else None
    usage = usage_of(answer.usage or groq, answer.service_tier)
    return Response(
        dialect=NAME, id=str(answer.id or new_id()), model=answer.model or "", choices=choices, usage=usage,
        created=int(answer.created) if isinstance(answer.created, (int, float)) else None, service_tier=answer.service_tier, native=Raw(body),
    )  # fmt: skip


def _failure(body: bytes, cause: Exception | None = None) -> UpstreamError:
    """The error that the body tells of, or that it is no answer at all."""
    if cause is None and read_words(body).message:
        return upstream_error(None, {}, body)
    if body.lstrip()[:1] == b"{":
        return UpstreamError("server", f"the answer is not a chat completion: {cause or 'it has no choices'}")
    return UpstreamError("server", f"the answer is not JSON: {excerpt(body) or 'it is empty'}")


def read_choice(raw: Raw, path: str) -> Choice:
    choice = _choices.decode(raw)
    message = wire.given(choice.message)
    decoded = WireMessage() if message is None else wire.read(wire.messages, message, f"{path}.message")
    decoded.role = "assistant"
    parts = tuple([with_id(part) for part in read_parts(decoded, f"{path}.message") if part != Text(text="", native=part.native)])
    called = any(isinstance(part, ToolCall) for part in parts)
    stop = choice.stop_reason if isinstance(choice.stop_reason, str) else None
    return Choice(
        parts=parts, finish_reason=finish_reason(choice.finish_reason, called), stop_sequence=stop,
        logprobs=wire.given(choice.logprobs), native=raw,
    )  # fmt: skip


def with_id(part: Part) -> Part:
    """A tool call without an id gets one."""
    return structs.replace(part, id=new_call_id()) if isinstance(part, ToolCall) and not part.id else part


def new_call_id() -> str:
    return f"call_{os.urandom(12).hex()}"


def new_id() -> str:
    return f"chatcmpl-{os.urandom(12).hex()}"


def encode_response(response: Response, calls: Calls) -> bytes:
    """The body for a caller of this dialect, who calls its tools as `calls` says."""
    if response.dialect == NAME and response.native is not None:
        return bytes(splice(response.native, _changes(response)) if response.edited else response.native)
    return wire.encode(write_response(response, calls))


def _changes(response: Response) -> dict[str, Any]:
    """What was edited, as keys of the body."""
    old = decode_response(bytes(response.native or b""))
    changes: dict[str, Any] = {}
    for key in ("id", "model", "created", "service_tier"):
        if getattr(old, key) != getattr(response, key):
            changes[key] = getattr(response, key)
    if old.usage != response.usage and response.usage is not None:
        changes["usage"] = write_usage(response.usage)
    if [choice.native for choice in old.choices] != [None if choice.edited else choice.native for choice in response.choices]:
        changes["choices"] = [_own_choice(choice, index) for index, choice in enumerate(response.choices)]
    return changes


def _own_choice(choice: Choice, index: int) -> Any:
    if choice.native is None:
        return write_choice(choice, index, own=True)
    if not choice.edited:
        return choice.native
    before, after = write_choice(read_choice(choice.native, ""), index, own=True), write_choice(choice, index, own=True)
    changes = difference(before, after)
    if "message" in changes:
        native = wire.objects.decode(choice.native).get("message")
        changes["message"] = splice(native, difference(before["message"], after["message"]))
    return splice(choice.native, changes)


def write_response(response: Response, calls: Calls) -> Fragment:
    own = response.dialect == NAME
    fragment: Fragment = {
        "id": response.id or new_id(),
        "object": "chat.completion",
        "created": int(time.time()) if response.created is None else response.created,
        "model": response.model,
        "choices": [write_choice(_called(choice, calls), index, own) for index, choice in enumerate(response.choices)],
    }
    if response.usage is not None:
        fragment["usage"] = write_usage(response.usage)
    if response.service_tier is not None:
        fragment["service_tier"] = response.service_tier
    return fragment


def _called(choice: Choice, calls: Calls) -> Choice:
    return structs.replace(choice, parts=calls.answer(choice.parts))


def write_choice(choice: Choice, index: int, own: bool) -> Fragment:
    keys = own_answer(_one_text(choice.parts)) if own else answer_keys(choice)
    message = {"role": "assistant", "refusal": None, **keys}
    return {
        "index": index, "message": message, "logprobs": write_logprobs(choice.logprobs), "finish_reason": choice.finish_reason,
    }  # fmt: skip


def _one_text(parts: Sequence[Part]) -> list[Part]:
    """An answer's text is a string: several that were put together here are one."""
    texts = [part for part in parts if isinstance(part, Text) and not part.refusal and plain(part, True)]
    if len(texts) < 2:
        return list(parts)
    whole = texts[0].edit(text="".join([text.text for text in texts]))
    return [whole if part is texts[0] else part for part in parts if part is texts[0] or part not in texts]


def answer_keys(choice: Choice) -> Fragment:
    """The message of another dialect's answer. Its text is what a stream of it would have added up to."""
    text = "".join([part.text for part in choice.parts if isinstance(part, Text) and not part.refusal])
    refusal = "".join([part.text for part in choice.parts if isinstance(part, Text) and part.refusal])
    thinking = "".join([part.text for part in choice.parts if isinstance(part, Reasoning)])
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    keys: Fragment = {"content": text or (None if calls or refusal else "")}
    if refusal:
        keys["refusal"] = refusal
    notes = [note for part in choice.parts if isinstance(part, Text) for note in citations(part.annotations)]
    if notes:
        keys["annotations"] = notes
    if thinking:
        keys["reasoning_content"] = thinking
    if calls:
        keys["tool_calls"] = [call_for_caller(call) for call in calls]
    return keys


def citations(raw: Raw | None) -> list[Fragment]:
    """Citations of URLs as chat writes them, with their keys under the type's name; those of other vendors have no place here."""
    if raw is None:
        return []
    try:
        found = _notes.decode(raw)
    except UNREADABLE:
        return []
    notes = found if isinstance(found, list) else [found]
    return [_citation(note) for note in notes if note.get("type") == "url_citation"]


def _citation(note: Fragment) -> Fragment:
    if isinstance(note.get("url_citation"), dict):
        return note
    return {"type": "url_citation", "url_citation": {key: value for key, value in note.items() if key != "type"}}


def call_for_caller(call: ToolCall) -> Fragment | Raw:
    """A signature goes along: a client that keeps unknown keys brings it back."""
    return write_call(structs.replace(call, native=None), native=True)


def write_logprobs(logprobs: Raw | None) -> Any:
    """Responses has a list where chat has it under `content`."""
    if logprobs is not None and bytes(logprobs).startswith(b"["):
        return {"content": logprobs, "refusal": None}
    return logprobs

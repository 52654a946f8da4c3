"""Whole answers: from the wire into the model, and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct, structs

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.failures import excerpt, upstream_error
from lynkr_core.dialects.failures import read as read_words
from lynkr_core.dialects.openai_chat import message as chat
from lynkr_core.dialects.openai_chat.response import with_id
from lynkr_core.dialects.openai_chat.wire import encode, given, messages
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.request import Choice, FinishReason, Part, Response, Text, ToolCall, Usage
from lynkr_provider_cohere import errors
from lynkr_provider_cohere.message import answer_keys, with_beside
from lynkr_provider_cohere.usage import usage_of, write_usage
from lynkr_provider_cohere.wire import NAME, LogprobItem, answers

FINISH_REASONS: dict[str, FinishReason] = {
    "COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls",
}  # fmt: skip


class Token(Struct):
    token: str = ""
    logprob: float = 0.0


class Tokens(Struct):
    """Log probabilities as chat has them."""

    content: list[Token] | None = None


_tokens = msgspec.json.Decoder(list[Token])
_contents = msgspec.json.Decoder(Tokens)
FAILURES = frozenset({"ERROR", "TIMEOUT"})
_WORDS: dict[FinishReason, str] = {
    "stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL", "content_filter": "ERROR", "error": "ERROR",
}  # fmt: skip


def finish(word: str | None, called: bool) -> tuple[FinishReason, str | None]:
    """The reason and the stop sequence, which is empty: Cohere does not say which one it was."""
    reason = FINISH_REASONS.get(word or "", "stop")
    if called and reason == "stop":
        reason = "tool_calls"
    return reason, "" if word == "STOP_SEQUENCE" else None


def finish_word(reason: FinishReason, sequence: str | None) -> str:
    return "STOP_SEQUENCE" if reason == "stop" and sequence is not None else _WORDS[reason]


def decode_response(body: bytes) -> Response:
    """Raises `UpstreamError` for an error inside a 200, and of kind `server` for what is no answer at all."""
    try:
        answer = answers.decode(body)
        message = given(answer.message)
        if message is None:
            raise _no_answer(body)
        parts = read_parts(message)
    except (*UNREADABLE, InvalidRequest) as error:
        raise _no_answer(body, error) from None
    if answer.finish_reason in FAILURES:
        raise errors.failed(answer.finish_reason or "", None)
    called = any(isinstance(part, ToolCall) for part in parts)
    reason, sequence = finish(answer.finish_reason, called)
    logprobs = None if answer.logprobs is None else read_logprobs(answer.logprobs)
    choice = Choice(parts=parts, finish_reason=reason, stop_sequence=sequence, logprobs=logprobs)
    id = str(answer.id or new_id())
    return Response(dialect=NAME, id=id, model="", choices=(choice,), usage=usage_of(answer.usage), native=Raw(body))


def _no_answer(body: bytes, cause: Exception | None = None) -> UpstreamError:
    """The error that the body tells of, or that it is no answer."""
    if cause is None and body.lstrip()[:1] == b"{" and read_words(body).message:
        return upstream_error(None, {}, body)
    return UpstreamError("server", f"the answer is not one of Cohere's: {cause or excerpt(body) or 'it is empty'}")


def read_parts(message: Raw) -> tuple[Part, ...]:
    decoded = messages.decode(message)
    decoded.role = "assistant"
    parts = chat.read_parts(decoded, "message")
    found = with_beside(parts, message, "message")
    return tuple([with_id(part) for part in found if part != Text(text="", native=part.native)])


def read_logprobs(items: Sequence[LogprobItem]) -> Raw:
    """In OpenAI's form, which callers know. A piece of several tokens is as likely as all of them together."""
    listed: list[dict[str, Any]] = [
        {"token": item.text or "", "logprob": sum(item.logprobs or ()), "bytes": None, "top_logprobs": []} for item in items
    ]
    return Raw(msgspec.json.encode({"content": listed}))


def write_logprobs(logprobs: Raw) -> list[dict[str, Any]]:
    """OpenAI's tokens as Cohere's pieces; their numbers in the vocabulary are not known."""
    is_list = bytes(memoryview(logprobs)[:1]) == b"["
    tokens = _tokens.decode(logprobs) if is_list else _contents.decode(logprobs).content or []
    return [{"text": token.token, "token_ids": [], "logprobs": [token.logprob]} for token in tokens]


def new_id() -> str:
    return os.urandom(16).hex()


def read_usage(body: bytes) -> Usage | None:
    """The usage in a whole answer. None for one that failed too, so that it is read as what it is."""
    try:
        answer = answers.decode(body)
    except UNREADABLE:
        return None
    return None if answer.finish_reason in FAILURES or given(answer.message) is None else usage_of(answer.usage)


def encode_response(response: Response) -> bytes:
    """The body for a caller of this dialect."""
    if response.dialect == NAME and response.native is not None:
        if not response.edited:
            return bytes(response.native)
        before = write_response(decode_response(bytes(response.native)))
        return bytes(splice(response.native, difference(before, write_response(response))))
    return encode(write_response(response))


def write_response(response: Response) -> dict[str, Any]:
    """Cohere has one choice."""
    choice = response.choices[0] if response.choices else Choice()
    parts = choice.parts if response.dialect == NAME else [bare(part) for part in choice.parts]
    fragment: dict[str, Any] = {
        "id": response.id or new_id(),
        "finish_reason": finish_word(choice.finish_reason, choice.stop_sequence),
        "message": {"role": "assistant", **as_list(answer_keys(parts))},
    }
    if response.usage is not None:
        fragment["usage"] = write_usage(response.usage)
    if choice.logprobs is not None:
        fragment["logprobs"] = write_logprobs(choice.logprobs)
    return fragment


def bare(part: Part) -> Part:
    """A part of another dialect's answer, without its fragment."""
    return structs.replace(part, native=None)


def as_list(keys: dict[str, Any]) -> dict[str, Any]:
    """Content of an answer is always a list."""
    content = keys.get("content")
    if isinstance(content, str | Raw):
        keys["content"] = [{"type": "text", "text": content}] if content not in ("", Raw(b'""')) else []
    return keys

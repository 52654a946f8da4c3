"""Whole answers, both ways."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from msgspec import Raw

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.failures import excerpt
from lynkr_core.dialects.splice import splice
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.request import Choice, FinishReason, Response, Text, ToolCall, Usage
from lynkr_provider_google.dialect import usage as counts
from lynkr_provider_google.dialect import wire
from lynkr_provider_google.dialect.errors import read_error
from lynkr_provider_google.dialect.logprobs import read_logprobs, write_logprobs
from lynkr_provider_google.dialect.parts import Calls, read_parts
from lynkr_provider_google.dialect.render import fragments
from lynkr_provider_google.dialect.wire import Answer, Candidate, Feedback, Wire

NAME = "gemini"
_FILTERED = (
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION", "MODEL_ARMOR",
)  # fmt: skip
_FAILED = (
    "OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE", "IMAGE_OTHER", "NO_IMAGE", "ESCALATION",
)  # fmt: skip
"""Finish reasons that say that there is no usable answer (google-genai 3.4.0, `FinishReason`)."""
_FINISH: dict[str, FinishReason] = {
    "MAX_TOKENS": "length", **dict.fromkeys(_FILTERED, "content_filter"), **dict.fromkeys(_FAILED, "error"),
}  # fmt: skip
_WORDS: dict[FinishReason, str] = {"length": "MAX_TOKENS", "content_filter": "SAFETY", "error": "OTHER"}


def finish_reason(word: str | None, called: bool) -> FinishReason:
    """Calls end with `STOP` too. An unknown word is a good end."""
    reason = _FINISH.get(word or "", "stop")
    return "tool_calls" if called and reason == "stop" else reason


def finish_word(reason: FinishReason) -> str:
    return _WORDS.get(reason, "STOP")


def failure(candidate: Candidate) -> UpstreamError:
    """The error of a candidate that ended in one."""
    told = f": {candidate.finish_message}" if candidate.finish_message else ""
    return UpstreamError(
        "server", f"the model stopped with {candidate.finish_reason}{told}", code=candidate.finish_reason, reported=True
    )


def blocked(feedback: Feedback | None) -> str | None:
    """Why the prompt was refused, in words for the caller."""
    if feedback is None or feedback.block_reason in (None, "BLOCKED_REASON_UNSPECIFIED"):
        return None
    told = f": {feedback.block_reason_message}" if feedback.block_reason_message else ""
    return f"The prompt was blocked: {feedback.block_reason}{told}"


def new_id() -> str:
    return os.urandom(12).hex()


def created(time: str | None) -> int | None:
    """Seconds since 1970 of an RFC 3339 time."""
    try:
        moment = datetime.fromisoformat(time) if time else None
    except ValueError:
        return None
    return None if moment is None else int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def read_response(body: bytes, dialect: str = NAME) -> Response:
    """Raises `UpstreamError` for an error inside a 200, for what is no answer at all, and when every candidate ended in an error."""
    try:
        answer = wire.answers.decode(body)
        if wire.given(answer.error) is not None:
            raise read_error(None, {}, body)
        id = answer.response_id or blake2b(body, digest_size=12).hexdigest()
        choices = _choices(answer, id)
    except (*UNREADABLE, InvalidRequest) as error:
        raise _no_answer(body, error) from None
    return Response(
        dialect=dialect, id=id, model=answer.model_version or "", choices=choices, created=created(answer.create_time),
        usage=used(answer), native=Raw(body),
    )  # fmt: skip


def used(answer: Answer) -> Usage | None:
    queries = sum([counts.searches(candidate.grounding_metadata) for candidate in answer.candidates or ()])
    return None if answer.usage_metadata is None else counts.read(answer.usage_metadata, queries)


def _no_answer(body: bytes, cause: Exception) -> UpstreamError:
    if b'"error"' in body:
        return read_error(None, {}, body)
    if body.lstrip()[:1] == b"{":
        return UpstreamError("server", f"the answer is not one of Gemini's: {cause}")
    return UpstreamError("server", f"the answer is not JSON: {excerpt(body) or 'it is empty'}")


def _choices(answer: Answer, id: str) -> tuple[Choice, ...]:
    """A blocked prompt is one choice that refuses."""
    candidates = answer.candidates or []
    refusal = None if candidates else blocked(answer.prompt_feedback)
    if refusal is not None:
        return (Choice(parts=(Text(text=refusal, refusal=True),), finish_reason="content_filter"),)
    if not candidates:
        raise UpstreamError("server", "the answer has no candidates")
    choices = tuple([_choice(candidate, id, number) for number, candidate in enumerate(candidates)])
    if all(choice.finish_reason == "error" for choice in choices):
        raise failure(candidates[0])
    return choices


def _choice(candidate: Candidate, id: str, number: int) -> Choice:
    content = candidate.content
    parts = read_parts((content.parts if content else None) or (), "parts", Calls(f"{id}/{number}", answer=True))
    told = tuple([part for part in parts if not (isinstance(part, Text) and not part.text)])
    called = any(isinstance(part, ToolCall) for part in told)
    logprobs = read_logprobs(wire.given(candidate.logprobs_result))
    return Choice(parts=told, finish_reason=finish_reason(candidate.finish_reason, called), logprobs=logprobs)


def write_response(response: Response) -> bytes:
    """The body for a caller of this dialect."""
    if response.dialect != NAME or response.native is None:
        return wire.encode(_wire(response))
    return bytes(_spliced(response, response.native) if response.edited else response.native)


def _wire(response: Response) -> Wire:
    made: Wire = {"candidates": [candidate(choice, number) for number, choice in enumerate(response.choices)]}
    if response.usage is not None:
        made["usageMetadata"] = counts.write(response.usage)
    if response.created is not None:
        made["createTime"] = datetime.fromtimestamp(response.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return made | {"modelVersion": response.model, "responseId": response.id}


def candidate(choice: Choice, number: int) -> Wire:
    parts = fragments(choice.parts, own=False)
    content = {"parts": parts, "role": "model"}
    return {
        "content": content, "finishReason": finish_word(choice.finish_reason), "index": number, **write_logprobs(choice.logprobs),
    }  # fmt: skip


def _spliced(response: Response, native: Raw) -> Raw:
    """What was edited, as keys of the body."""
    old = read_response(bytes(native))
    changes: dict[str, Any] = {}
    if old.model != response.model:
        changes["modelVersion"] = response.model
    if old.id != response.id:
        changes["responseId"] = response.id
    if old.usage != response.usage and response.usage is not None:
        changes["usageMetadata"] = counts.write(response.usage)
    if old.choices != response.choices:
        natives = wire.lists.decode(wire.objects.decode(native).get("candidates", Raw(b"[]")))
        changes["candidates"] = [
            _own_candidate(choice, number, natives[number] if number < len(natives) else None)
            for number, choice in enumerate(response.choices)
        ]
    return splice(native, changes)


def _own_candidate(choice: Choice, number: int, native: Raw | None) -> Any:
    if native is None:
        return candidate(choice, number)
    content = {"parts": fragments(choice.parts, own=True), "role": "model"}
    return splice(native, {"content": content, "finishReason": finish_word(choice.finish_reason)})

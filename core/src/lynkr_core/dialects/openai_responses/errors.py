"""Errors of this API: in answers, in streams, in failed responses."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, Headers
from lynkr_core.dialects import openai_errors
from lynkr_core.dialects.classify import classify
from lynkr_core.dialects.openai_responses.wire import Wire, encode
from lynkr_core.errors import GatewayError, Kind, UpstreamError
from lynkr_core.sse import event

_STATUS = {"rate_limit_exceeded": 429, "insufficient_quota": 429, "context_length_exceeded": 400, "server_error": 500}
"""Statuses for the codes of errors that come without one. Other words of the `response.error.code` list blame the request."""
_BLAMES_REQUEST = ("invalid", "image", "policy", "unsupported", "failed_to_download", "data_residency")
_CODES: dict[Kind, str] = {
    "rate_limited": "rate_limit_exceeded",
    "quota": "insufficient_quota",
    "context": "context_length_exceeded",
    "overloaded": "server_is_overloaded",
    "invalid": "invalid_prompt",
    "content": "invalid_prompt",
}
"""Codes that callers act upon; any other kind is a `server_error`."""
_NUMBER = re.compile(rb'"sequence_number":\s*(\d+)')


class Problem(Struct):
    """An error object. Compatible servers put numbers into `code` and leave out the rest."""

    message: Any = None
    type: Any = None
    code: Any = None


class _Body(Struct):
    error: Raw = Raw(b"null")
    message: Any = None
    detail: Any = None


_body = msgspec.json.Decoder(_Body)
_problem = msgspec.json.Decoder(Problem | str | None)


def decode_error(status: int, headers: Headers, body: bytes) -> UpstreamError:
    try:
        found = _body.decode(body)
        problem = read_problem(found.error) or Problem(message=found.message or found.detail)
    except UNREADABLE:
        problem = Problem(message=body[:500].decode("utf-8", "replace").strip())
    return upstream_error(problem, status, headers)


def read_problem(raw: Raw) -> Problem | None:
    """An error object, or a bare message. Raises `msgspec.DecodeError`."""
    found = _problem.decode(raw)
    return Problem(message=found) if isinstance(found, str) else found


def upstream_error(problem: Problem, status: int, headers: Headers) -> UpstreamError:
    code, type_ = _word(problem.code), _word(problem.type)
    message = _word(problem.message) or f"the upstream answered {status} without a reason"
    kind, retry_after = classify(status, code, type_, message, headers)
    return UpstreamError(kind, message, status=status, code=code, type=type_, retry_after=retry_after, reported=True)


def _word(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return encode(value).decode()


def inside_error(problem: Problem) -> UpstreamError:
    """An error inside an answer with status 200, classified as if it had come with the status that belongs to its code."""
    code = _word(problem.code) or _word(problem.type) or "server_error"
    status = _STATUS.get(code) or (400 if any(word in code for word in _BLAMES_REQUEST) else 500)
    found = upstream_error(problem, status, {})
    message = found.message if problem.message else "the upstream reported an error without a reason"
    return UpstreamError(found.kind, message, code=found.code, type=found.type, retry_after=found.retry_after, reported=True)


def failure(error: UpstreamError) -> Wire:
    """The `error` of a failed response."""
    return {"code": _CODES.get(error.kind, "server_error"), "message": error.message}


def next_number(sent: bytes) -> int:
    """The number in the sequence that comes after these events; 0 when they have none."""
    numbers = _NUMBER.findall(sent)
    return int(numbers[-1]) + 1 if numbers else 0


def encode_stream_error(error: GatewayError, number: int) -> bytes:
    """`number` is its place in the sequence."""
    _, code = openai_errors.words(error)
    body = {"type": "error", "code": code, "message": error.message, "param": error.param, "sequence_number": number}
    return event(encode(body), b"error")

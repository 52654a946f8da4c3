"""Errors for a caller, in OpenAI's envelope and words (providers.md §4.1)."""

from __future__ import annotations

from lynkr_core.dialects.openai_chat.wire import encode
from lynkr_core.errors import AllFailed, GatewayError, Kind
from lynkr_core.sse import event

_KINDS: dict[Kind, tuple[str, str | None]] = {
    "unavailable": ("server_error", None),
    "timeout": ("server_error", "timeout"),
    "conflict": ("invalid_request_error", None),
    "server": ("server_error", None),
    "overloaded": ("server_error", "server_is_overloaded"),
    "rate_limited": ("rate_limit_error", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "auth": ("api_error", "upstream_authentication"),
    "not_found": ("not_found_error", "model_not_found"),
    "context": ("invalid_request_error", "context_length_exceeded"),
    "content": ("invalid_request_error", "content_filter"),
    "invalid": ("invalid_request_error", None),
    "warming": ("server_error", "model_not_ready"),
    "cut": ("server_error", "stream_cut"),
}
"""Type and code by kind of the last attempt's failure; without a code the upstream's own is told."""

_OURS: dict[str, tuple[str, str | None]] = {
    "authentication_error": ("authentication_error", "invalid_api_key"),
    "not_found_error": ("not_found_error", "model_not_found"),
    "request_too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit_error": ("rate_limit_error", "rate_limit_exceeded"),
}
"""By the type of an error of lynkr's own; its own code goes first."""


def words(error: GatewayError) -> tuple[str, str | None]:
    """`type` and `code`."""
    if isinstance(error, AllFailed):
        type, code = _KINDS[error.last.kind]
        return type, code or error.code
    type, code = _OURS.get(error.type, (error.type, None))
    return type, error.code or code


def encode_error(error: GatewayError) -> bytes:
    type, code = words(error)
    return encode({"error": {"message": error.message, "type": type, "param": error.param, "code": code}})


def encode_stream_error(error: GatewayError) -> bytes:
    """One event; clients look for `error` at the top of a chunk."""
    return event(encode_error(error))

"""Errors for a caller in OpenAI's envelope, which all of its APIs share: `{"error": {"message", "type", "param", "code"}}`.

Types and codes are providers.md §4.1.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

import msgspec

from lynkr_core.dialect import Dialect, Headers, Refusal
from lynkr_core.dialects.failures import upstream_error
from lynkr_core.dialects.refusals import refusals
from lynkr_core.errors import AllFailed, GatewayError, Kind, UpstreamError
from lynkr_core.sse import event

_encode = msgspec.json.Encoder().encode

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
    "warming": ("server_error", "server_is_overloaded"),
    "cut": ("server_error", None),
    "rejected": ("server_error", None),
}
"""Type and code by the kind of the last attempt's failure; where there is no code here, the upstream's own is told.

Its own never goes first: `invalid_api_key` would send callers looking at a key that is fine, and other vendors have other words.
"""

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


def encode(error: GatewayError) -> bytes:
    """The body of an error answer."""
    type, code = words(error)
    return _encode({"error": {"message": error.message, "type": type, "param": error.param, "code": code}})


class OpenAIErrors(Dialect, ABC):
    """The errors of all of OpenAI's APIs, both ways."""

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        return encode(error)

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        return event(encode(error))

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return upstream_error(status, headers, body)

    def unsupported(self, error: bytes, sent: bytes) -> Sequence[Refusal]:
        return refusals(error, sent)

"""Errors in OpenAI's envelope, which all of its APIs share: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import msgspec

from lynkr_core.errors import AllFailed, GatewayError, Kind

_encode = msgspec.json.Encoder().encode

_BY_KIND: dict[Kind, tuple[str, str | None]] = {
    "unavailable": ("server_error", None),
    "timeout": ("server_error", "timeout"),
    "conflict": ("invalid_request_error", "conflict"),
    "server": ("server_error", None),
    "overloaded": ("server_error", "server_is_overloaded"),
    "rate_limited": ("rate_limit_error", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "auth": ("api_error", None),
    "not_found": ("not_found_error", "model_not_found"),
    "context": ("invalid_request_error", "context_length_exceeded"),
    "content": ("invalid_request_error", "content_filter"),
    "invalid": ("invalid_request_error", None),
    "warming": ("server_error", "server_is_overloaded"),
    "cut": ("server_error", None),
}
_BY_TYPE: dict[str, tuple[str, str | None]] = {
    "authentication_error": ("authentication_error", "invalid_api_key"),
    "not_found_error": ("not_found_error", "model_not_found"),
    "request_too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit_error": ("rate_limit_error", "rate_limit_exceeded"),
}


def words(error: GatewayError) -> tuple[str, str | None]:
    """The `type` and `code` for an error; a code of its own goes before the usual one."""
    if isinstance(error, AllFailed):
        type_, code = _BY_KIND[error.last.kind]
    else:
        type_, code = _BY_TYPE.get(error.type, (error.type, None))
    return type_, error.code or code


def encode(error: GatewayError) -> bytes:
    """The body of an error answer."""
    type_, code = words(error)
    return _encode({"error": {"message": error.message, "type": type_, "param": error.param, "code": code}})

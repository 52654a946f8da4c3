"""Errors in this API's envelope, both ways: `{"type": "error", "error": {"type", "message", "details"}, "request_id"}`."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from lynkr_core.dialect import UNREADABLE, Headers
from lynkr_core.dialects.classify import classify
from lynkr_core.errors import AllFailed, GatewayError, Kind, UpstreamError

_BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_BY_KIND: dict[Kind, str] = {
    "timeout": "timeout_error",
    "conflict": "conflict_error",
    "overloaded": "overloaded_error",
    "warming": "overloaded_error",
    "rate_limited": "rate_limit_error",
    "quota": "rate_limit_error",
    "not_found": "not_found_error",
    "invalid": "invalid_request_error",
    "context": "invalid_request_error",
    "content": "invalid_request_error",
}
_STATUS = {name: status for status, name in _BY_STATUS.items()} | {"api_error": 500}
_TOO_LONG = "prompt is too long"
_MAX_TEXT = 500


def write_error(error: GatewayError, request_id: str) -> bytes:
    last = error.last if isinstance(error, AllFailed) else None
    type = _BY_STATUS.get(error.http_status, "api_error") if last is None else error_type(last)
    message = error.message if last is None else told(last.kind, error.message)
    return envelope(type, message, request_id, error.code if last is None else last.code)


def envelope(type: str, message: str, request_id: str | None = None, code: str | None = None) -> bytes:
    """`code` goes where this API's SDKs look for one that says more than the type."""
    body: dict[str, Any] = {"type": "error", "error": {"type": type, "message": message}}
    if code is not None:
        body["error"]["details"] = {"error_code": code}
    return msgspec.json.encode(body if request_id is None else body | {"request_id": request_id})


def error_type(error: UpstreamError) -> str:
    """A credential of ours that failed is our fault, not the caller's, so `auth` is an `api_error`."""
    if error.kind == "quota" and error.status == 402:
        return "billing_error"
    if error.kind == "context" and error.status == 413:
        return "request_too_large"
    return _BY_KIND.get(error.kind, "api_error")


def told(kind: Kind, message: str) -> str:
    """Clients of this API know an overflow of the context by these words (Anthropic's own), and compact the conversation."""
    return f"{_TOO_LONG}: {message}" if kind == "context" and _TOO_LONG not in message.lower() else message


def read_error(status: int, headers: Headers, body: bytes) -> UpstreamError:
    """An error answer. A body that is no JSON is told as text."""
    found = _found(body)
    message = found.get("message") or _text(body) or f"HTTP status {status}"
    type, code = found.get("type"), found.get("code")
    kind, retry_after = classify(status, code, type, message, headers)
    return UpstreamError(kind, message, status=status, code=code, type=type, retry_after=retry_after, reported=True)


def read_inner_error(body: bytes) -> UpstreamError | None:
    """An error inside a 200 or a stream; None when the JSON is none. Its type stands for the status that never came."""
    found = _found(body)
    if not found:
        return None
    type, code, message = found.get("type"), found.get("code"), found.get("message") or "error without a message"
    kind, retry_after = classify(_STATUS.get(type or "", 500), code, type, message, {})
    return UpstreamError(kind, message, code=code, type=type, retry_after=retry_after, reported=True)


def _found(body: bytes) -> dict[str, str | None]:
    """Type, message and code; nothing when the body holds no error. `error` may be an object or a text."""
    try:
        decoded: Any = msgspec.json.decode(body)
    except UNREADABLE:
        return {}
    if not isinstance(decoded, dict):
        return {}
    outer = cast("dict[str, Any]", decoded)
    error: Any = outer.get("error")
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {"message": _word(outer["message"])} if "message" in outer else {}
    fields = cast("dict[str, Any]", error)
    details = fields.get("details")
    code = cast("dict[str, Any]", details).get("error_code") if isinstance(details, dict) else fields.get("code")
    return {"type": _word(fields.get("type")), "message": _word(fields.get("message")), "code": _word(code)}


def _word(value: Any) -> str | None:
    return None if value is None else str(value)


def _text(body: bytes) -> str:
    return body[:_MAX_TEXT].decode("utf-8", "replace").strip()

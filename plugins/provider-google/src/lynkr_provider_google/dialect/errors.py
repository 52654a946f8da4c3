"""Errors in Google's envelope, both ways: `{"error": {"code", "message", "status", "details": [...]}}` (google.rpc.Status)."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from lynkr_core.dialect import UNREADABLE, Headers
from lynkr_core.dialects.failures import upstream_error
from lynkr_core.errors import AllFailed, GatewayError, Kind, UpstreamError

_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_REASONS: dict[str, Kind] = {
    "API_KEY_INVALID": "auth", "API_KEY_SERVICE_BLOCKED": "auth", "ACCESS_TOKEN_EXPIRED": "auth", "BILLING_DISABLED": "quota",
    "CONSUMER_SUSPENDED": "quota",
}  # fmt: skip
"""Reasons of an `ErrorInfo` that say more than the status: a bad key is answered with status 400."""
_DAILY = "PerDay"
"""In the id of a quota that waiting a little does not fill."""
_SAFETY = ("Responsible AI", "blocked by safety", "safety settings", "PROHIBITED_CONTENT")
_INFO = "type.googleapis.com/google.rpc."
_decode = msgspec.json.Decoder().decode


def write_error(error: GatewayError) -> bytes:
    last = error.last if isinstance(error, AllFailed) else None
    status = error.http_status
    word = "INTERNAL" if last is not None and last.kind == "auth" else _STATUS.get(status, "INTERNAL")
    told: dict[str, Any] = {"code": status, "message": error.message, "status": word}
    details: list[dict[str, Any]] = []
    if error.param is not None:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": _INFO + "BadRequest", "fieldViolations": [violation]})
    if error.retry_after is not None:
        details.append({"@type": _INFO + "RetryInfo", "retryDelay": f"{error.retry_after:g}s"})
    return msgspec.json.encode({"error": told | ({"details": details} if details else {})})


def read_error(status: int | None, headers: Headers, body: bytes) -> UpstreamError:
    """An error answer; or, without a status, an error inside a 200 or a stream."""
    error = upstream_error(status, headers, body)
    error.kind = _kind(error, _details(body))
    return error


def _kind(error: UpstreamError, details: list[dict[str, Any]]) -> Kind:
    for detail in details:
        reason = detail.get("reason")
        if isinstance(reason, str) and reason in _REASONS:
            return _REASONS[reason]
        violations = detail.get("violations")
        if error.kind == "rate_limited" and isinstance(violations, list) and _DAILY in str(cast("list[Any]", violations)):
            return "quota"
    if error.kind == "invalid" and any(words in error.message for words in _SAFETY):
        return "content"
    return error.kind


def _details(body: bytes) -> list[dict[str, Any]]:
    """The details of a `google.rpc.Status`; a stream without `alt=sse` has it in a list."""
    try:
        value: Any = _decode(body)
    except UNREADABLE:
        return []
    if isinstance(value, list) and value:
        value = cast("list[Any]", value)[0]
    for key in ("error", "details"):
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    found = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", detail) for detail in found if isinstance(detail, dict)]

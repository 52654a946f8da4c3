"""What an upstream's error answer means: by status, then code and type, then text."""

from __future__ import annotations

from lynkr_core.dialect import Headers
from lynkr_core.errors import Kind

_BY_TYPE: dict[str, Kind] = {
    "overloaded_error": "overloaded",
    "rate_limit_error": "rate_limited",
    "billing_error": "quota",
    "insufficient_quota": "quota",
    "authentication_error": "auth",
    "permission_error": "auth",
    "not_found_error": "not_found",
    "timeout_error": "timeout",
    "conflict_error": "conflict",
    "request_too_large": "context",
    "api_error": "server",
}
_BY_STATUS: dict[int, Kind] = {
    401: "auth", 402: "quota", 403: "auth", 404: "not_found", 408: "timeout", 409: "conflict", 425: "server", 429: "rate_limited",
    498: "overloaded", 504: "timeout", 522: "timeout", 524: "timeout", 529: "overloaded",
}  # fmt: skip
_CONTEXT = ("prompt is too long", "exceed context limit", "context_length_exceeded", "maximum context length")


def classify(status: int, code: str | None, type: str | None, message: str, headers: Headers) -> tuple[Kind, float | None]:
    """The kind of the failure, and how long to wait in seconds when the upstream said so."""
    wait = headers.get(b"retry-after", b"")
    retry_after = float(wait) if wait.isdigit() else None
    text = message.lower()
    if code == "context_length_exceeded" or any(phrase in text for phrase in _CONTEXT):
        return "context", retry_after
    if "spend_limit_reached" in (code or ""):
        return "quota", retry_after
    if "content filtering policy" in text:
        return "content", retry_after
    kind = _BY_TYPE.get(type or "") or _BY_STATUS.get(status) or ("server" if status >= 500 else "invalid")
    return kind, retry_after

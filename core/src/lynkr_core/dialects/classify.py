"""What an upstream's error means for lynkr: status first, then code and type, the message's wording last."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from time import time

from lynkr_core.dialect import Headers
from lynkr_core.errors import Kind

_BY_STATUS: dict[int, Kind] = {
    401: "auth", 402: "quota", 403: "auth", 404: "not_found", 408: "timeout", 409: "conflict", 429: "rate_limited",
    498: "overloaded", 504: "timeout", 522: "timeout", 524: "timeout", 529: "overloaded",
}  # fmt: skip
_BY_WORD: dict[str, Kind] = {
    "context_length_exceeded": "context", "exceed_context_size_error": "context", "request_too_large": "context",
    "insufficient_quota": "quota", "billing_error": "quota", "billing_hard_limit_reached": "quota",
    "overloaded_error": "overloaded", "server_is_overloaded": "overloaded", "slow_down": "overloaded",
    "content_filter": "content", "content_policy_violation": "content", "bio_policy": "content",
    "misalignment_policy_violation": "content", "image_content_policy_violation": "content",
    "model_not_found": "not_found", "rate_limit_exceeded": "rate_limited", "rate_limit_error": "rate_limited",
}  # fmt: skip
_CONTEXT = re.compile(
    r"maximum context length|prompt is too long|context (?:window|limit|size)|too many (?:input )?tokens|reduce the length",
    re.IGNORECASE,
)


def classify(status: int, code: str | None, type: str | None, message: str, headers: Headers) -> tuple[Kind, float | None]:
    """The kind of an error answer, and the seconds to wait when its headers tell."""
    kind = _BY_WORD.get(code or "") or _BY_WORD.get(type or "") or _BY_STATUS.get(status)
    if kind is None:
        kind = "server" if status >= 500 or status == 425 else "invalid"
    if kind == "invalid" and _CONTEXT.search(message):
        kind = "context"
    return kind, retry_after(headers)


def retry_after(headers: Headers) -> float | None:
    """Seconds from `retry-after-ms` or `retry-after` (seconds or an HTTP date)."""
    try:
        if b"retry-after-ms" in headers:
            return float(headers[b"retry-after-ms"]) / 1000
        value = headers.get(b"retry-after", b"").decode("latin-1")
        if not value:
            return None
        return float(value) if value[0].isdigit() else max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None

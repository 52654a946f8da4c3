"""How long an upstream asks to wait, in whichever of the many spellings it does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import time

from lynkr_core.dialect import Headers

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = re.compile(r"\d+(?:\.\d+)?$")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|d|h|m|s))+$")
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_IN_TEXT = re.compile(
    r"(?:try again|retry) (?:in|after) (\d+(?:\.\d+)?) ?(ms|milliseconds|s|seconds?|m|minutes?)?\b", re.IGNORECASE
)
_EPOCH = 1e9
"""A bare number from here on is a point in time; from a thousand times as much it is in milliseconds."""
_RESETS = (
    b"x-ratelimit-%b-requests",
    b"x-ratelimit-%b-tokens",
    b"x-ratelimit-%b-requests-day",  # Cerebras names the period too
    b"x-ratelimit-%b-tokens-minute",
    b"anthropic-ratelimit-%b-requests",
    b"anthropic-ratelimit-%b-tokens",
)


def seconds(text: str, now: float | None = None) -> float | None:
    """Seconds from now, never below 0; None when it cannot be read.

    Takes seconds (`1.5`), durations (`6m0s`, `120ms`), HTTP dates, RFC 3339 and seconds or milliseconds since 1970 (providers.md §4.6).
    """
    text = text.strip()
    now = time() if now is None else now
    if _NUMBER.match(text):
        return _number(float(text), now)
    if _DURATION.match(text):
        return sum(float(amount) * _UNITS[unit] for amount, unit in _PIECE.findall(text))
    moment = _moment(text)
    return None if moment is None else max(0.0, moment - now)


def _number(value: float, now: float) -> float:
    if value < _EPOCH:
        return value
    return max(0.0, (value / 1000 if value >= _EPOCH * 1000 else value) - now)


def _moment(text: str) -> float | None:
    """A date as seconds since 1970."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(text)
        except ValueError:
            continue
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return None


def retry_after(headers: Headers, message: str = "") -> float | None:
    """Seconds to wait: from `retry-after-ms`, `retry-after`, the limit that is used up, or the message's own words."""
    milliseconds = headers.get(b"retry-after-ms", b"").decode("latin-1").strip()
    if _NUMBER.match(milliseconds):
        return float(milliseconds) / 1000
    told = headers.get(b"retry-after")
    if told is not None:
        return seconds(told.decode("latin-1"))
    return _reset(headers) or _in_text(message)


def _reset(headers: Headers) -> float | None:
    """When the limit whose remainder is 0 is filled again; the longest of them."""
    if headers.get(b"x-ratelimit-remaining") == b"0":
        return seconds(headers.get(b"x-ratelimit-reset", b"").decode("latin-1"))
    waits = [
        seconds(headers.get(name % b"reset", b"").decode("latin-1")) or 0.0
        for name in _RESETS
        if headers.get(name % b"remaining") == b"0"
    ]
    return max(waits, default=0.0) or None


def _in_text(message: str) -> float | None:
    found = _IN_TEXT.search(message)
    if not found:
        return None
    unit = (found[2] or "s").lower()
    return float(found[1]) * (0.001 if unit in ("ms", "milliseconds") else 60.0 if unit.startswith("m") else 1.0)

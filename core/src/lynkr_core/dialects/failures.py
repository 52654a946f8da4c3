"""An upstream's error answer, whatever it looks like: JSON in one of many shapes, plain text, a proxy's HTML page, or nothing."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, cast

import msgspec

from lynkr_core.dialect import UNREADABLE, Headers
from lynkr_core.dialects.classify import classify
from lynkr_core.dialects.delays import seconds
from lynkr_core.errors import UpstreamError

EXCERPT = 500
"""Characters of a foreign body that a message quotes at most."""
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_DELAY = re.compile(rb'"retryDelay":\s*"([0-9.]+m?s)"')
_decode = msgspec.json.Decoder().decode


class Words(NamedTuple):
    """What an error says of itself. `status` is the one it names inside, which streams and some gateways do."""

    message: str
    code: str | None = None
    type: str | None = None
    status: int | None = None


def upstream_error(status: int | None, headers: Headers, body: bytes) -> UpstreamError:
    """The error that a body tells of, classified. `status` is None inside a stream."""
    words = read(body)
    status = words.status if status is None else status
    kind, wait = classify(status, words.code, words.type, words.message, headers)
    delay = _DELAY.search(body) if wait is None else None
    if delay:
        wait = seconds(delay[1].decode())
    message = words.message[: EXCERPT * 4] or (f"status {status} without a message" if status else "an error without a message")
    return UpstreamError(kind, message, status=status, code=words.code, type=words.type, retry_after=wait, reported=True)


def read(body: bytes) -> Words:
    """Never raises."""
    try:
        value = _decode(body)
    except UNREADABLE:
        return Words(excerpt(body))
    return words_of(value)


def words_of(value: Any) -> Words:
    """From `{"error": {…}}`, `{"error": "…"}`, `[{"error": …}]`, `{"message": …}`, `{"detail": …}`, `{"errors": […]}` or a bare string."""
    if isinstance(value, list) and value:
        return words_of(cast("list[Any]", value)[0])
    if not isinstance(value, dict):
        return Words(value if isinstance(value, str) else "")
    outer = cast("dict[str, Any]", value)
    inner = outer.get("error") or outer
    if isinstance(inner, str):
        return Words(inner, _text(outer.get("code")), _text(outer.get("error_type")), _status(outer))
    if not isinstance(inner, dict):
        return Words(_text(inner) or "", status=_status(outer))
    error = cast("dict[str, Any]", inner)
    return Words(
        _message(error), _code(error), _text(error.get("type")) or _text(error.get("status")), _status(error) or _status(outer)
    )


def _message(error: dict[str, Any]) -> str:
    for key in ("message", "detail", "errors", "msg"):
        value = error.get(key)
        if value:
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()[: EXCERPT * 2]
    return ""


def _code(error: dict[str, Any]) -> str | None:
    """The most telling of the codes an error may carry in different places (Azure, OpenRouter, Anthropic put their own inside)."""
    for place, key in (("innererror", "code"), ("metadata", "error_type"), ("details", "error_code")):
        inside = error.get(place)
        if isinstance(inside, dict) and _text(cast("dict[str, Any]", inside).get(key)):
            return _text(cast("dict[str, Any]", inside)[key])
    return _text(error.get("code"))


def _status(error: dict[str, Any]) -> int | None:
    for key in ("status_code", "code", "status"):
        value = error.get(key)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    return None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def excerpt(body: bytes) -> str:
    """The readable beginning of something that is not JSON; of HTML its title."""
    text = body[:16384].decode("utf-8", "replace")
    if "<" in text:
        title = _TITLE.search(text)
        text = title[1] if title else _MARKUP.sub(" ", text)
    return " ".join(text.split())[:EXCERPT]

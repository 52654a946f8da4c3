"""What an upstream's error means: by its own code and type where these are stable, then by status, by the message's wording last.

The tables are providers.md §4.2, 4.4 and 4.5. They hold for every API in the manner of OpenAI's or Anthropic's.
"""

from __future__ import annotations

import re

from lynkr_core.dialect import Headers
from lynkr_core.dialects.delays import retry_after
from lynkr_core.errors import Kind

_CODES: dict[str, Kind] = {
    "context_length_exceeded": "context", "exceed_context_size_error": "context", "token_limit_exceeded": "context",
    "model_context_window_exceeded": "context", "request_too_large": "context", "tokens_limit_reached": "context",
    "1261": "context", "3051": "context",
    "content_filter": "content", "content_policy_violation": "content", "responsibleaipolicyviolation": "content",
    "image_content_policy_violation": "content", "bio_policy": "content", "misalignment_policy_violation": "content",
    "refusal": "content", "1301": "content", "sensitive": "content",
    "insufficient_quota": "quota", "billing_error": "quota", "billing_hard_limit_reached": "quota", "payment_required": "quota",
    "insufficient_balance": "quota", "1113": "quota",
    "overloaded_error": "overloaded", "provider_overloaded": "overloaded", "capacity_exceeded": "overloaded",
    "server_is_overloaded": "overloaded", "engine_overloaded": "overloaded", "slow_down": "overloaded",
    "rate_limit_exceeded": "rate_limited", "rate_limit_error": "rate_limited", "too_many_requests": "rate_limited",
    "resource_exhausted": "rate_limited", "throttlingexception": "rate_limited", "1302": "rate_limited", "1303": "rate_limited",
    "modelnotreadyexception": "warming",
    "model_not_found": "not_found", "deploymentnotfound": "not_found", "resourcenotfoundexception": "not_found",
    "invalid_api_key": "auth", "authentication_error": "auth",
}  # fmt: skip
"""Words that say more than the status does, whichever it is."""

_WORDS_ALONE: dict[str, Kind] = {
    "invalid_request_error": "invalid", "invalid_request": "invalid", "invalid_prompt": "invalid", "bad_request": "invalid",
    "authentication": "auth", "permission_error": "auth", "permission_denied": "auth", "not_found_error": "not_found",
    "not_found": "not_found", "timeout_error": "timeout", "timeout": "timeout", "conflict_error": "conflict",
    "requests": "rate_limited", "tokens": "rate_limited",
}  # fmt: skip
"""Words that count where there is no status, inside a stream."""

_STATUSES: dict[int, Kind] = {
    401: "auth", 402: "quota", 403: "auth", 404: "not_found", 408: "timeout", 409: "conflict", 424: "server", 425: "server",
    429: "rate_limited", 498: "overloaded", 504: "timeout", 522: "timeout", 524: "timeout", 529: "overloaded",
}  # fmt: skip

_CONTEXT = re.compile(
    r"maximum context length|model's context length|maximum number of tokens allowed|prompt is too long|prompt: length"
    r"|exceed(?:s|ed)? (?:the )?(?:available )?context (?:limit|size|window|length)|context[ _](?:length|window)[ _]exceeded"
    r"|input is too (?:long|large)|input token length too long|too many (?:input )?tokens|maximum input length is|expected maxlength:"
    r"|request payload size exceeds|request too large|reduce the length of the messages|too large for model with \d+"
    r"|tokens \+ `?max_new_tokens|current length is \d+ while limit is|requested token count exceeds"
    r"|input tokens exceed the configured limit|input too long",
    re.IGNORECASE,
)
_NOT_CONTEXT = re.compile(r"string_above_max_length|string too long", re.IGNORECASE)
_CONTENT = re.compile(
    r"violating our usage policy|content filtering policy|content management policy|responsibleaipolicyviolation|flagged as potentially",
    re.IGNORECASE,
)
_OVERLOADED = re.compile(r"overloaded|over capacity|at capacity", re.IGNORECASE)
_QUOTA = re.compile(r"credit balance is too low|insufficient (?:balance|credits|funds)|billing|spend limit", re.IGNORECASE)
_WARMING = re.compile(r"loading model|model is (?:currently |still )?loading|is currently loading", re.IGNORECASE)


def classify(status: int | None, code: str | None, type: str | None, message: str, headers: Headers) -> tuple[Kind, float | None]:
    """The kind of failure, and for how many seconds the upstream asks to wait. `status` is None for an error inside a stream."""
    return _kind(status, [word.lower() for word in (code, type) if word], message), retry_after(headers, message)


def _kind(status: int | None, words: list[str], message: str) -> Kind:
    if status != 429:  # there "request too large" speaks of tokens a minute, which pass
        kind = _refused_body(status, words, message)
        if kind is not None:
            return kind
    for word in words:
        if word in _CODES:
            return _CODES[word]
        if word.endswith("spend_limit_reached"):
            return "quota"
    if status is None:
        return _without_status(words, message)
    return _by_wording(status, message) or _STATUSES.get(status) or ("server" if status >= 500 else "invalid")


def _refused_body(status: int | None, words: list[str], message: str) -> Kind | None:
    """Is it what was sent: too long, or not to the provider's liking?"""
    codes = {_CODES.get(word) for word in words}
    if "content" in codes or _CONTENT.search(message):
        return "content"
    if "context" in codes:
        return "context"
    if status in (400, 413, 422, 500, None) and _CONTEXT.search(message) and not _NOT_CONTEXT.search(" ".join([*words, message])):
        return "context"
    return None


def _by_wording(status: int, message: str) -> Kind | None:
    """Where providers use one status for several things."""
    if status in (429, 503) and _OVERLOADED.search(message):
        return "overloaded"
    if status in (400, 403) and _QUOTA.search(message):
        return "quota"
    if status in (429, 503) and _WARMING.search(message):
        return "warming"
    return None


def _without_status(words: list[str], message: str) -> Kind:
    for word in words:
        if word in _WORDS_ALONE:
            return _WORDS_ALONE[word]
        if word.isdigit() and 400 <= int(word) <= 599:
            return _kind(int(word), words, message)
    return "overloaded" if _OVERLOADED.search(message) else "server"

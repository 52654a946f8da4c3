"""Errors of Bedrock, by the name of the exception: of error answers, inside a 200, and in a stream."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct, field

from lynkr_core.dialect import UNREADABLE, Headers
from lynkr_core.dialects.classify import classify
from lynkr_core.dialects.failures import read, upstream_error
from lynkr_core.errors import Kind, UpstreamError

_NAMES: dict[str, Kind] = {
    "throttlingexception": "rate_limited", "toomanyrequestsexception": "rate_limited", "servicequotaexceededexception": "quota",
    "modelnotreadyexception": "warming", "modeltimeoutexception": "timeout", "serviceunavailableexception": "overloaded",
    "internalserverexception": "server", "modelerrorexception": "server", "modelstreamerrorexception": "server",
    "resourcenotfoundexception": "not_found", "unknownoperationexception": "not_found", "accessdeniedexception": "auth",
    "unrecognizedclientexception": "auth", "invalidsignatureexception": "auth", "incompletesignatureexception": "auth",
    "expiredtokenexception": "auth", "missingauthenticationtokenexception": "auth",
}  # fmt: skip
"""By exception, in lower case. The first ten are botocore 1.44.5's service model, the others AWS's "common errors"."""
_NO_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput isn.t supported|reached the end of its life", re.IGNORECASE
)
"""Bad requests that only say that this model cannot be had so."""
MAX_MESSAGE = 2000


class Told(Struct):
    """What an error body may have."""

    message: str | None = None
    capital: str | None = field(default=None, name="Message")
    type: str | None = field(default=None, name="__type")


class Wrapped(Struct):
    """AWS's front answers a path that it does not know so."""

    output: Told | None = field(default=None, name="Output")


_told = msgspec.json.Decoder(Told)
_wrapped = msgspec.json.Decoder(Wrapped)


def read_told(body: bytes) -> Told:
    """Never raises."""
    try:
        return _told.decode(body)
    except UNREADABLE:
        return Told()


def error_answer(status: int, headers: Headers, body: bytes) -> UpstreamError:
    """An error answer; one that names no exception is a proxy's, and told by its status and text."""
    told = read_told(body)
    named = headers.get(b"x-amzn-errortype", b"").decode("latin-1") or told.type or ""
    if not named:
        error = upstream_error(status, headers, body)
        if told.capital:
            error.message = told.capital[:MAX_MESSAGE]
        return error
    return exception(named, told.message or told.capital or read(body).message, status, headers)


def inner_error(body: bytes) -> UpstreamError | None:
    """The error inside a 200; None when there is none."""
    told = read_told(body)
    try:
        told = _wrapped.decode(body).output or told
    except UNREADABLE:
        pass
    message = told.message or told.capital
    return exception(told.type or "", message or "", None, {}) if message or told.type else None


def exception(named: str, message: str, status: int | None, headers: Headers) -> UpstreamError:
    """`named` as AWS writes it: `Name`, `Name:http://…` or `namespace#Name`; in streams it begins in lower case."""
    name = named.partition(":")[0].rpartition("#")[2]
    told = 400 if status is None and name.lower() == "validationexception" else status
    kind, wait = classify(told, name, None, message, headers)
    kind = _NAMES.get(name.lower()) or kind
    if kind == "invalid" and _NO_MODEL.search(message):
        kind = "not_found"
    return UpstreamError(kind, message[:MAX_MESSAGE] or name, status=status, code=name or None, retry_after=wait)

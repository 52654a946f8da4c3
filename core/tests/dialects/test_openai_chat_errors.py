"""Errors both ways, and their classes. Bodies are hand-made from providers.md §4."""

from email.utils import formatdate
from time import time

import msgspec
import pytest

from lynkr_core.dialects.classify import classify
from lynkr_core.dialects.delays import retry_after, seconds
from lynkr_core.dialects.openai_chat import OpenAIChat
from lynkr_core.errors import (
    KINDS,
    AllFailed,
    InvalidRequest,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownModel,
    UpstreamError,
)

DIALECT = OpenAIChat()


@pytest.mark.parametrize(
    ("error", "type", "code"),
    [
        (InvalidRequest("x", param="n"), "invalid_request_error", None),
        (InvalidRequest("x", code="unsupported_value"), "invalid_request_error", "unsupported_value"),
        (Unauthenticated("x"), "authentication_error", "invalid_api_key"),
        (UnknownModel("x"), "not_found_error", "model_not_found"),
        (TooLarge("x"), "invalid_request_error", "request_too_large"),
        (RateLimited("x"), "rate_limit_error", "rate_limit_exceeded"),
        (Unavailable("x"), "server_error", None),
        (AllFailed(UpstreamError("rate_limited", "x"), []), "rate_limit_error", "rate_limit_exceeded"),
        (AllFailed(UpstreamError("context", "x", code="1261"), []), "invalid_request_error", "context_length_exceeded"),
        (AllFailed(UpstreamError("auth", "x", code="invalid_api_key"), []), "api_error", "upstream_authentication"),
        (
            AllFailed(UpstreamError("invalid", "x", code="unsupported_parameter"), []),
            "invalid_request_error",
            "unsupported_parameter",
        ),
    ],
)
def test_an_error_for_the_caller(error, type, code):
    body = msgspec.json.decode(DIALECT.encode_error(error, "req_1"))
    assert body == {"error": {"message": "x", "type": type, "param": error.param, "code": code}}
    assert DIALECT.encode_stream_error(error, "req_1") == b"data: " + DIALECT.encode_error(error, "req_1") + b"\n\n"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words(kind):
    body = msgspec.json.decode(DIALECT.encode_error(AllFailed(UpstreamError(kind, "x"), []), ""))
    assert body["error"]["type"].endswith(("_error", "_quota"))


CASES = [
    (400, "context_length_exceeded", None, "x", "context"),
    (400, None, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", "context"),
    (400, None, "exceed_context_size_error", "x", "context"),
    (500, None, None, "input is too large to process", "context"),
    (400, "1261", None, "x", "context"),
    (413, "rate_limit_exceeded", "tokens", "Request too large for model `x`", "context"),
    (429, "rate_limit_exceeded", "tokens", "Request too large for x on tokens per min (TPM)", "rate_limited"),
    (400, "string_above_max_length", None, "Invalid 'user': string too long, maximum context length is 64", "invalid"),
    (400, "content_filter", None, "x", "content"),
    (403, "content_policy_violation", None, "x", "content"),
    (400, None, "invalid_request_error", "Output blocked by content filtering policy", "content"),
    (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota", "quota"),
    (429, "RESOURCE_EXHAUSTED", None, "You exceeded your current quota", "rate_limited"),
    (402, None, None, "Insufficient Balance", "quota"),
    (400, None, "invalid_request_error", "Your credit balance is too low", "quota"),
    (400, "enforced_spend_limit_reached", None, "x", "quota"),
    (403, None, None, "billing is not enabled", "quota"),
    (529, None, "overloaded_error", "Overloaded", "overloaded"),
    (429, None, None, "The engine is currently overloaded", "overloaded"),
    (498, "capacity_exceeded", None, "x", "overloaded"),
    (503, None, "unavailable_error", "Loading model", "warming"),
    (429, "ModelNotReadyException", None, "x", "warming"),
    (404, "DeploymentNotFound", None, "x", "not_found"),
    (400, "model_not_found", None, "x", "not_found"),
    (401, None, None, "x", "auth"),
    (403, None, "permission_error", "x", "auth"),
    (408, None, None, "", "timeout"),
    (524, None, None, "", "timeout"),
    (409, None, None, "", "conflict"),
    (425, None, None, "", "server"),
    (502, None, None, "", "server"),
    (599, None, None, "", "server"),
    (422, None, None, "", "invalid"),
    (None, None, "timeout_error", "", "timeout"),
    (None, "503", None, "", "server"),
    (None, None, "invalid_request_error", "", "invalid"),
    (None, None, None, "Overloaded", "overloaded"),
    (None, None, None, "", "server"),
]


@pytest.mark.parametrize(("status", "code", "type", "message", "kind"), CASES)
def test_classes(status, code, type, message, kind):
    assert classify(status, code, type, message, {})[0] == kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2", 2.0), ("1.5", 1.5), ("6m0s", 360.0), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("1700000010", 10.0), ("1700000010000", 10.0),
     ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0), ("2023-11-14T22:13:30Z", 10.0),
     ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0), ("soon", None), ("", None)],
)  # fmt: skip
def test_waiting_times_in_every_spelling(text, expected):
    assert seconds(text, now=1700000000.0) == expected


@pytest.mark.parametrize(
    ("headers", "message", "expected"),
    [
        ({b"retry-after-ms": b"1500", b"retry-after": b"9"}, "", 1.5),
        ({b"retry-after": b"9"}, "try again in 3s", 9.0),
        (
            {b"x-ratelimit-remaining-tokens": b"0", b"x-ratelimit-reset-tokens": b"6m0s", b"x-ratelimit-reset-requests": b"1s"},
            "",
            360.0,
        ),
        ({}, "Please try again in 1.5s. Visit", 1.5),
        ({}, "try again in 250ms", 0.25),
        ({b"retry-after": b"\xff"}, "", None),
        ({}, "", None),
    ],
)
def test_where_the_waiting_time_is_found(headers, message, expected):
    assert retry_after(headers, message) == expected


def test_a_date_is_counted_from_now():
    assert retry_after({b"retry-after": formatdate(time() + 30, usegmt=True).encode()}) == pytest.approx(30, abs=2)


BODIES = [
    (b'{"error":{"message":"m","type":"t","code":"c","param":null}}', "m", "c", "t"),
    (
        b'{"error":{"message":"m","code":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}',
        "m",
        "ResponsibleAIPolicyViolation",
        None,
    ),
    (b'{"error":{"message":"m","code":502,"metadata":{"error_type":"provider_unavailable"}}}', "m", "provider_unavailable", None),
    (b'{"type":"error","error":{"type":"t","message":"m","details":{"error_code":"c"}}}', "m", "c", "t"),
    (b'[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]', "m", "400", "INVALID_ARGUMENT"),
    (b'{"error":"m"}', "m", None, None),
    (b'"m"', "m", None, None),
    (b'{"message":"m","id":"x"}', "m", None, None),
    (b'{"detail":[{"loc":["body"]}]}', '[{"loc":["body"]}]', None, None),
    (b"<html><head><title>m</title><style>x</style></head></html>", "m", None, None),
    (b"<p>m</p>", "m", None, None),
    (b"upstream connect error", "upstream connect error", None, None),
    (b"", "status 400 without a message", None, None),
    (b"\xff\xfe", "��", None, None),
    (b"[]", "status 400 without a message", None, None),
    (b'{"error":null}', "status 400 without a message", None, None),
]


@pytest.mark.parametrize(("body", "message", "code", "type"), BODIES)
def test_error_bodies_of_every_shape(body, message, code, type):
    error = DIALECT.decode_error(400, {}, body)
    assert (error.message, error.code, error.type, error.status) == (message, code, type, 400)


def test_a_message_is_bounded():
    assert len(DIALECT.decode_error(500, {}, b"<div>" + b"x " * 100_000).message) <= 500
    assert len(DIALECT.decode_error(500, {}, msgspec.json.encode({"error": "x" * 100_000})).message) <= 2000


def test_googles_delay_stands_in_the_body():
    body = b'{"error":{"code":429,"message":"m","details":[{"@type":"RetryInfo","retryDelay":"13s"}]}}'
    assert DIALECT.decode_error(429, {}, body).retry_after == 13.0

"""Answers and errors of the Messages dialect. Bodies are hand-made from `providers.md` §3 and §4.1."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from lynkr_core.dialects.anthropic_count_tokens import AnthropicCountTokens
from lynkr_core.dialects.anthropic_messages import AnthropicMessages
from lynkr_core.errors import (
    AllFailed,
    Forbidden,
    GatewayError,
    InvalidRequest,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownModel,
    UpstreamError,
)  # fmt: skip
from lynkr_core.request import Choice, Message, Reasoning, Request, Response, Text, ToolCall, Usage

DIALECT = AnthropicMessages()
COUNT = AnthropicCountTokens()
REQUEST = Request(dialect="anthropic.messages", model="m", messages=(Message(role="user", parts=(Text(text="hi"),)),))
ANSWER = b"""{"id":"msg_1","type":"message","role":"assistant","model":"claude-x", "content":[
 {"type":"thinking","thinking":"t","signature":"s"}, {"type":"text","text":"hi","citations":null},
 {"type":"tool_use","id":"toolu_1","name":"f","input":{"a": 1.0}},
 {"type":"web_search_tool_result","tool_use_id":"x","content":[]} ],
 "stop_reason":"tool_use","stop_sequence":null,"container":{"id":"c"},
 "usage":{"input_tokens":3,"cache_creation_input_tokens":4,"cache_read_input_tokens":5,"output_tokens":6,
  "cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"service_tier":"priority","server_tool_use":null}}"""


def test_an_answer_is_read():
    found = DIALECT.decode_response(ANSWER)
    choice = found.choices[0]
    assert (found.id, found.model, found.service_tier) == ("msg_1", "claude-x", "priority")
    assert [type(part).__name__ for part in choice.parts] == ["Reasoning", "Text", "ToolCall", "Generic"]
    assert choice.parts[2].arguments == '{"a": 1.0}'
    assert choice.finish_reason == "tool_calls"
    assert found.usage == Usage(
        input_tokens=12, output_tokens=6, cache_read=5, cache_write=4, cache_write_1h=3, service="priority"
    )
    assert DIALECT.usage(ANSWER) == found.usage


def test_an_unedited_answer_is_written_byte_for_byte():
    assert DIALECT.encode_response(DIALECT.decode_response(ANSWER), REQUEST) == ANSWER


def test_an_edited_answer_keeps_the_rest():
    found = DIALECT.decode_response(ANSWER)
    choice = found.choices[0]
    parts = (choice.parts[0], choice.parts[1].edit(text="ho"), *choice.parts[2:])
    written = DIALECT.encode_response(found.edit(choices=(choice.edit(parts=parts),)), REQUEST)
    before, after = json.loads(ANSWER), json.loads(written)
    before["content"][1]["text"] = "ho"
    assert after == before
    assert b'{"a": 1.0}' in written
    assert b'"usage":{"input_tokens":3' in written


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("pause_turn", "stop"), ("max_tokens", "length"), ("new", "stop"),
        ("model_context_window_exceeded", "length"), ("tool_use", "tool_calls"), ("refusal", "content_filter"), (None, "stop"),
    ],
)  # fmt: skip
def test_finish_reasons(wire: str | None, reason: str):
    body = json.dumps({"id": "m", "model": "m", "content": [], "stop_reason": wire}).encode()
    assert DIALECT.decode_response(body).choices[0].finish_reason == reason


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', "overloaded"),
        (b'{"error":"no such thing"}', "server"),
        (b"<html>oops</html>", "server"),
        (b"", "server"),
        (b'{"choices":[]}', "server"),
        (b'{"content":[{"type":"text"}]}', "server"),
        (b'{"content":"text"}', "server"),
    ],
)
def test_what_is_no_answer_is_an_upstream_error(body: bytes, kind: str):
    with pytest.raises(UpstreamError) as caught:
        DIALECT.decode_response(body)
    assert caught.value.kind == kind


def foreign(**changes: Any) -> dict[str, Any]:
    parts = (
        Text(text="hi", annotations=Raw(b"[]")), Reasoning(text="why", id="rs", encrypted="e"),
        ToolCall(id="call.1", name="f", arguments="nope"),
    )  # fmt: skip
    choice = Choice(parts=parts, finish_reason="tool_calls")
    fields: dict[str, Any] = {
        "dialect": "openai.chat",
        "id": "chatcmpl-9",
        "model": "gpt",
        "choices": (choice, Choice()),
    } | changes
    return json.loads(DIALECT.encode_response(Response(**fields), REQUEST))


def test_a_foreign_answer_for_an_anthropic_caller():
    found = foreign(usage=Usage(input_tokens=10, output_tokens=2, cache_read=4, cache_write=3, cache_write_1h=1, reasoning=1))
    assert [block["type"] for block in found["content"]] == ["thinking", "text", "tool_use"]
    assert found["content"][0]["signature"].startswith("lynkr-")
    assert found["content"][1] == {"type": "text", "text": "hi"}
    assert found["content"][2]["input"] == {"input": "nope"}
    assert (found["id"], found["type"], found["role"], found["stop_reason"]) == (
        "msg_chatcmpl-9",
        "message",
        "assistant",
        "tool_use",
    )
    assert found["usage"] == {
        "input_tokens": 3,
        "output_tokens": 2,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 3,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 1},
        "output_tokens_details": {"thinking_tokens": 1},
    }


def test_a_foreign_answer_without_usage_is_counted():
    found = foreign(usage=None)
    assert found["usage"]["input_tokens"] > 0
    assert found["usage"]["output_tokens"] > 0


def test_a_stop_sequence_is_told():
    found = foreign(choices=(Choice(parts=(), finish_reason="stop", stop_sequence="END"),))
    assert (found["stop_reason"], found["stop_sequence"], found["content"]) == ("stop_sequence", "END", [])


def failed(kind: Any, status: int | None = None) -> AllFailed:
    return AllFailed(UpstreamError(kind, "m", status=status), ["a: x"])


@pytest.mark.parametrize(
    ("error", "type"),
    [
        (InvalidRequest("m"), "invalid_request_error"),
        (Unauthenticated("m"), "authentication_error"),
        (Forbidden("m"), "permission_error"),
        (UnknownModel("m"), "not_found_error"),
        (TooLarge("m"), "request_too_large"),
        (RateLimited("m"), "rate_limit_error"),
        (Unavailable("m"), "api_error"),
        (GatewayError("m"), "api_error"),
        (failed("overloaded", 529), "overloaded_error"),
        (failed("auth", 401), "api_error"),
        (failed("rate_limited"), "rate_limit_error"),
        (failed("quota", 402), "billing_error"),
        (failed("timeout"), "timeout_error"),
        (failed("invalid"), "invalid_request_error"),
        (failed("not_found"), "not_found_error"),
        (failed("cut"), "api_error"),
    ],
)
def test_errors_have_the_apis_types(error: GatewayError, type: str):
    body = DIALECT.encode_error(error, "req_1")
    assert json.loads(body) == {"type": "error", "error": {"type": type, "message": "m"}, "request_id": "req_1"}
    assert DIALECT.encode_stream_error(error, "req_1") == b"event: error\ndata: " + body + b"\n\n"


def test_an_overflow_is_told_in_the_words_clients_look_for():
    body = json.loads(DIALECT.encode_error(failed("context", 400), "r"))
    assert body["error"] == {"type": "invalid_request_error", "message": "prompt is too long: m"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "type"),
    [
        (529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "overloaded", "overloaded_error"),
        (
            400,
            b'{"error":{"type":"invalid_request_error","message":"prompt is too long: 3 > 2"}}',
            "context",
            "invalid_request_error",
        ),
        (401, b'{"error":{"type":"authentication_error","message":"no"}}', "auth", "authentication_error"),
        (400, b'{"error":{"type":"invalid_request_error","message":"bad"}}', "invalid", "invalid_request_error"),
        (502, b"<html><h1>Bad gateway</h1>", "server", None),
        (500, b"", "server", None),
        (503, b"\xff\xfe", "server", None),
    ],
)
def test_error_answers_are_classified(status: int, body: bytes, kind: str, type: str | None):
    error = DIALECT.decode_error(status, {b"retry-after": b"7"}, body)
    assert (error.kind, error.status, error.type) == (kind, status, type)
    assert error.message


def test_what_an_upstream_says_more_of_an_error_is_told():
    body = b'{"type":"error","error":{"type":"not_found_error","message":"m","details":{"error_code":"thread_not_found"}}}'
    error = AllFailed(DIALECT.decode_error(404, {}, body), [])
    assert json.loads(DIALECT.encode_error(error, "r"))["error"] == {
        "type": "not_found_error",
        "message": "m",
        "details": {"error_code": "thread_not_found"},
    }


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_what_a_provider_would_have_to_keep_is_refused_as_the_sdks_expect_it(thread):
    results = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "21"}]
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": results}], "thread": thread}
    with pytest.raises(InvalidRequest, match="whole conversation") as caught:
        DIALECT.check(DIALECT.peek(json.dumps(body).encode()))
    told = json.loads(DIALECT.encode_error(caught.value, "r"))["error"]
    assert (told["type"], told["details"]) == ("invalid_request_error", {"error_code": "thread_unsupported_request"})


def test_no_thread_is_no_mistake():
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "thread": None}
    DIALECT.check(DIALECT.peek(json.dumps(body).encode()))


def test_an_errors_code_and_wait_are_read():
    body = b'{"error":{"type":"rate_limit_error","message":"m","details":{"error_code":"ramp_limit_exceeded"}}}'
    error = DIALECT.decode_error(429, {b"retry-after": b"7"}, body)
    assert (error.kind, error.code, error.retry_after) == ("rate_limited", "ramp_limit_exceeded", 7.0)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"usage":null}', b'{"usage":3}', b"<html>"])
def test_no_usage_is_none(body: bytes):
    assert DIALECT.usage(body) is None


def test_counting_tokens():
    envelope = COUNT.peek(b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"system":"s"}')
    request = COUNT.decode_request(envelope)
    assert set(COUNT.encode_request(request, [])) == {"model", "messages", "system"}
    found = COUNT.decode_response(b'{"input_tokens": 12, "x": 1}')
    assert (bytes(found.choices[0].parts[0].native), found.usage) == (b"12", None)
    assert COUNT.usage(b'{"input_tokens": 12}') is None
    assert COUNT.encode_response(found, request) == b'{"input_tokens": 12, "x": 1}'
    assert COUNT.encode_response(found.edit(model="m"), request) == b'{"input_tokens":12}'


def test_counting_is_done_here_when_nobody_counts():
    request = COUNT.decode_request(COUNT.peek(b'{"model":"m","messages":[{"role":"user","content":"hello there"}]}'))
    answer = json.loads(COUNT.encode_response(Response(dialect="lynkr", id="", model="m"), request))
    assert 3 <= answer["input_tokens"] <= 12


def test_counting_does_not_stream():
    envelope = COUNT.peek(b'{"model":"m","messages":[]}')
    with pytest.raises(InvalidRequest):
        COUNT.decoder()
    with pytest.raises(InvalidRequest):
        COUNT.encoder(COUNT.decode_request(envelope), envelope, 1)
    with pytest.raises(UpstreamError):
        COUNT.decode_response(b"{}")

"""Answers and errors of the Responses API. Bodies are hand-made from the official SDK's types and providers.md §4."""

import json

import pytest
from msgspec import Raw
from openai.types.responses import Response as SDKResponse

from lynkr_core.dialects.openai_responses import OpenAIResponses
from lynkr_core.errors import AllFailed, RateLimited, Unauthenticated, UnknownModel, UpstreamError
from lynkr_core.request import Blob, Choice, Generic, Reasoning, Request, Response, Text, ToolCall, Usage

dialect = OpenAIResponses()
USAGE = {
    "input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10}, "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 120,
}  # fmt: skip
BODY = {
    "id": "resp_1", "object": "response", "created_at": 1700000000, "status": "completed", "model": "gpt-6-astra", "x_new": 1,
    "output": [
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "gAAAA"},
        {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "phase": "commentary",
         "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}]},
        {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}},
    ],
    "usage": USAGE, "service_tier": "priority", "tools": [], "tool_choice": "auto", "parallel_tool_calls": True,
}  # fmt: skip
ASKED = """{"model":"fast","input":"hi","instructions":"Be brief.","temperature":0.5,"metadata":{"a":"b"},"tools":[
  {"type":"namespace","name":"crm","description":"d","tools":[{"type":"function","name":"find","parameters":{}}]},
  {"type":"custom","name":"apply_patch"},{"type":"function","name":"f","parameters":{},"strict":true}],
  "tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,"text":{"format":{"type":"json_object"}}}"""


def body(**changes):
    return json.dumps(BODY | changes).encode()


def asked(text=ASKED):
    return dialect.decode_request(dialect.peek(text.encode()))


def answer(*parts, **fields):
    choice = Choice(parts=parts, finish_reason=fields.pop("finish_reason", "stop"), logprobs=fields.pop("logprobs", None))
    fields = {"usage": Usage(input_tokens=9, output_tokens=3, cache_read=4, cache_write=2, reasoning=1)} | fields
    return Response(dialect="anthropic.messages", id="msg_01", model="claude", choices=(choice,), **fields)


def encode(response, request=None):
    data = dialect.encode_response(response, request or asked())
    SDKResponse.model_validate_json(data, strict=True)
    return json.loads(data)


USED = Usage(
    input_tokens=100, output_tokens=20, cache_read=60, cache_write=10, reasoning=5, fees={"web_search": 1}, service="priority"
)


def test_decode():
    response = dialect.decode_response(body())
    thought, text, call, search = response.choices[0].parts
    assert (thought.id, thought.text, thought.encrypted) == ("rs_1", "Hm.", "gAAAA")
    assert (text.text, call.id, call.name, call.arguments) == ("Hello", "call_1", "f", "{}")
    assert isinstance(search, Generic)
    assert response.usage == USED
    assert (response.choices[0].finish_reason, response.service_tier, response.created) == ("tool_calls", "priority", 1700000000)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"output": []}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": None}, "length"),
    ],
)
def test_finish_reason(changes, reason):
    assert dialect.decode_response(body(**changes)).choices[0].finish_reason == reason


def test_a_refusal_is_text_that_says_so():
    message = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    part = dialect.decode_response(body(output=[message])).choices[0].parts[0]
    assert (part.text, part.refusal) == ("No.", True)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<html>", "server"),
        (b'{"object":"chat.completion","choices":[]}', "server"),
        (b'{"id":"r","output":[{"type":"function_call"}]}', "server"),
        (body(status="failed", error={"code": "rate_limit_exceeded", "message": "slow"}), "rate_limited"),
        (body(status="failed", error={"code": "server_error", "message": "oops"}), "server"),
        (body(status="failed", error={"code": "invalid_prompt", "message": "bad"}), "invalid"),
        (b'{"error":{"message":"too big","code":"context_length_exceeded"}}', "context"),
    ],
)
def test_what_is_no_answer_is_an_error(data, kind):
    with pytest.raises(UpstreamError) as caught:
        dialect.decode_response(data)
    assert caught.value.kind == kind


def test_same_dialect_is_untouched():
    data = json.dumps(BODY, indent=1).encode()
    assert dialect.encode_response(dialect.decode_response(data), asked()) == data


def test_an_edited_text_changes_one_item():
    response = dialect.decode_response(body())
    choice = response.choices[0]
    parts = list(choice.parts)
    parts[1] = parts[1].edit(text="Bye")
    found = json.loads(dialect.encode_response(response.edit(choices=(choice.edit(parts=tuple(parts)),)), asked()))
    expected = json.loads(body())
    expected["output"][1]["content"][0]["text"] = "Bye"
    assert found == expected


def test_a_foreign_answer_satisfies_the_sdk():
    parts = (Reasoning(text="Hm", signature="sig"), Text(text="Hello"), ToolCall(id="toolu_1", name="f", arguments=""))
    found = encode(answer(*parts, finish_reason="tool_calls", created=5))
    thought, message, call = found["output"]
    assert thought["encrypted_content"] == "lynkr:sig"
    assert message["content"][0] == {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    assert (call["call_id"], call["arguments"]) == ("toolu_1", "{}")
    assert call["id"].startswith("fc_")
    assert (found["status"], found["created_at"], found["id"][:5]) == ("completed", 5, "resp_")
    assert found["usage"] == {
        "input_tokens": 9, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2}, "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 12,
    }  # fmt: skip


def test_the_request_is_echoed():
    found, sent = encode(answer(Text(text="x"))), json.loads(ASKED)
    for key in ("instructions", "temperature", "metadata", "tools", "tool_choice", "parallel_tool_calls", "text"):
        assert found[key] == sent[key]
    plain = encode(answer(), asked('{"model":"m","input":"hi","tools":null,"tool_choice":null,"metadata":null}'))
    assert (plain["tools"], plain["tool_choice"], plain["metadata"], plain["parallel_tool_calls"]) == ([], "auto", {}, True)


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("error", "failed", None),
        ("stop", "completed", None),
    ],
)
def test_status(reason, status, details):
    found = encode(answer(Text(text="x"), finish_reason=reason))
    assert (found["status"], found["incomplete_details"]) == (status, details)


def test_calls_go_by_the_caller_s_names():
    parts = (ToolCall(id="1", name="crm__find"), ToolCall(id="2", name="apply_patch", arguments='{"input":"*** Begin"}'))
    nested, patch = encode(answer(*parts))["output"]
    assert (nested["namespace"], nested["name"], nested["type"]) == ("crm", "find", "function_call")
    assert (patch["type"], patch["name"], patch["input"], patch["id"][:4]) == (
        "custom_tool_call",
        "apply_patch",
        "*** Begin",
        "ctc_",
    )


def test_refusal_citations_logprobs_and_pictures():
    cited = Raw(
        b'[{"type":"url_citation","url_citation":{"url":"u","title":"t","start_index":0,"end_index":1}},{"type":"other"}]'
    )
    logprobs = Raw(b'{"content":[{"token":"h","logprob":-0.1,"bytes":null,"top_logprobs":[]}]}')
    parts = (
        Text(text="h", annotations=cited),
        Text(text="No", refusal=True),
        Blob(modality="image", mime_type="image/png", data="A"),
    )
    text, refusal, picture = encode(answer(*parts, logprobs=logprobs))["output"]
    assert text["content"][0]["annotations"] == [
        {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    ]
    assert text["content"][0]["logprobs"] == [{"token": "h", "logprob": -0.1, "bytes": [104], "top_logprobs": []}]
    assert refusal["content"] == [{"type": "refusal", "refusal": "No"}]
    assert (picture["type"], picture["result"]) == ("image_generation_call", "A")


@pytest.mark.parametrize(
    ("part", "sealed"),
    [
        (Reasoning(text="t", id="rs_1", encrypted="gAAAA"), "gAAAA"),
        (Reasoning(text="t", id="rs_1"), None),
        (Reasoning(text="t"), "lynkr:"),
        (Reasoning(encrypted="vendor"), "lynkr:encrypted:vendor"),
    ],
)
def test_reasoning_travels_through_the_caller(part, sealed):
    item = encode(answer(part))["output"][0]
    assert item["encrypted_content"] == sealed
    back = dialect.decode_request(dialect.peek(json.dumps({"model": "m", "input": [item]}).encode())).messages[0].parts[0]
    assert (back.text, back.encrypted, back.id) == (part.text, part.encrypted, part.id)


def test_usage_reads_bodies_and_events():
    assert dialect.usage(body()) == USED
    assert dialect.usage(json.dumps({"type": "response.completed", "response": BODY}).encode()) == USED
    assert dialect.usage(b'{"usage":null}') is None
    assert dialect.usage(b"nonsense") is None
    assert dialect.usage(b'{"usage":{"input_tokens":3,"input_tokens_details":null}}') == Usage(input_tokens=3)


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (429, b'{"error":{"message":"m","type":"requests","code":"rate_limit_exceeded"}}', "rate_limited"),
        (429, b'{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}', "quota"),
        (400, b'{"error":{"message":"m","code":"context_length_exceeded"}}', "context"),
        (401, b'{"error":"no key"}', "auth"),
        (404, b'{"detail":"Not Found"}', "not_found"),
        (500, b"<html>bad gateway</html>", "server"),
        (400, b'{"error":{"message":"Unknown parameter","code":7}}', "invalid"),
    ],
)
def test_decode_error(status, data, kind):
    error = dialect.decode_error(status, {b"retry-after": b"2"}, data)
    assert (error.kind, error.status, error.retry_after) == (kind, status, 2)
    assert error.message


@pytest.mark.parametrize(
    ("error", "type_", "code"),
    [
        (Unauthenticated("who?"), "authentication_error", "invalid_api_key"),
        (UnknownModel("m?", param="model"), "not_found_error", "model_not_found"),
        (RateLimited("slow", code="budget"), "rate_limit_error", "budget"),
        (AllFailed(UpstreamError("context", "long"), ["a"]), "invalid_request_error", "context_length_exceeded"),
        (AllFailed(UpstreamError("server", "oops", code="x"), ["a"]), "server_error", "x"),
    ],
)
def test_encode_error(error, type_, code):
    found = json.loads(dialect.encode_error(error, "req_1"))
    assert found == {"error": {"message": error.message, "type": type_, "param": error.param, "code": code}}


def test_an_answer_of_any_dialect_serves_a_request_made_here():
    found = json.loads(dialect.encode_response(answer(Text(text="x")), Request(dialect="openai.chat", model="m")))
    assert found["output"][0]["content"][0]["text"] == "x"

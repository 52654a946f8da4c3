"""Whole answers. Bodies are hand-made from providers.md §2 and §3."""

import msgspec
import pytest
from msgspec import Raw

from lynkr_core.dialects.openai_chat import OpenAIChat
from lynkr_core.errors import UpstreamError
from lynkr_core.request import Choice, Reasoning, Request, Response, Text, ToolCall, Usage

DIALECT = OpenAIChat()
REQUEST = Request(dialect="openai.chat", model="m")
BODY = rb"""{"id":"c1","object":"chat.completion","created":1700000000,"model":"m-1","system_fingerprint":"fp","choices":[
 {"index":0,"message":{"role":"assistant","content":"h\u00e9","reasoning_content":"hm","z":1.0,"tool_calls":[
   {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\": 1.0}"}}]},"logprobs":null,"finish_reason":"stop","q":2.50}],
 "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},
  "completion_tokens_details":{"reasoning_tokens":3}},"service_tier":"default"}"""


def decode(**keys):
    return DIALECT.decode_response(msgspec.json.encode({"id": "c", "model": "m", "choices": []} | keys))


def message(**keys):
    return decode(choices=[{"index": 0, "message": {"role": "assistant"} | keys, "finish_reason": "stop"}]).choices[0]


def test_an_answer_is_read_into_the_model():
    response = DIALECT.decode_response(BODY)
    assert (response.id, response.model, response.created, response.service_tier) == ("c1", "m-1", 1700000000, "default")
    choice = response.choices[0]
    assert [type(part) for part in choice.parts] == [Reasoning, Text, ToolCall]
    assert (choice.parts[1].text, choice.parts[2].arguments) == ("hé", '{"x": 1.0}')
    assert choice.finish_reason == "tool_calls"
    assert response.usage == Usage(input_tokens=10, output_tokens=5, cache_read=4, cache_write=2, reasoning=3)


def test_an_unedited_answer_is_what_came_and_an_edited_one_keeps_the_rest():
    response = DIALECT.decode_response(BODY)
    assert DIALECT.encode_response(response, REQUEST) == BODY
    choice = response.choices[0]
    parts = (choice.parts[0], choice.parts[1].edit(text="new"), choice.parts[2])
    out = DIALECT.encode_response(response.edit(choices=(choice.edit(parts=parts),), model="other"), REQUEST)
    assert b'"z":1.0' in out
    assert b'"q":2.50' in out
    old = msgspec.json.decode(BODY)
    old["choices"][0]["message"]["content"] = "new"
    old["model"] = "other"
    assert msgspec.json.decode(out) == old


def test_another_dialects_answer_is_written_in_full():
    parts = (Reasoning(text="t", signature="s"), Text(text="a"), Text(text="b"), ToolCall(id="i", name="f", arguments=""))
    response = Response(
        dialect="anthropic.messages", id="msg_1", model="m", created=7, choices=(Choice(parts=parts, finish_reason="tool_calls"),),
        usage=Usage(input_tokens=5, output_tokens=2, cache_read=1), native=Raw(b"{}"),
    )  # fmt: skip
    body = msgspec.json.decode(DIALECT.encode_response(response, REQUEST))
    assert body["choices"][0] == {
        "index": 0, "finish_reason": "tool_calls", "logprobs": None, "message": {
            "role": "assistant", "refusal": None, "content": "ab", "reasoning_content": "t",
            "tool_calls": [{"id": "i", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    }  # fmt: skip
    assert (body["object"], body["created"], body["id"]) == ("chat.completion", 7, "msg_1")
    assert (body["usage"]["prompt_tokens"], body["usage"]["total_tokens"]) == (5, 7)
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 1}


def test_an_answer_that_is_written_is_read_as_the_same():
    parts = (Reasoning(text="t"), Text(text="a"), ToolCall(id="i", name="f", arguments='{"x":1}', signature="sig"))
    choices = (Choice(parts=parts, finish_reason="tool_calls"), Choice(parts=(Text(text="no", refusal=True),)))
    body = DIALECT.encode_response(Response(dialect="gemini", id="i", model="m", choices=choices), REQUEST)
    again = DIALECT.decode_response(body)
    assert [choice.finish_reason for choice in again.choices] == ["tool_calls", "stop"]
    assert again.choices[0].parts[2].signature == "sig"
    assert [msgspec.structs.replace(part, native=None) for part in again.choices[0].parts] == list(parts)
    assert again.choices[1].parts == (Text(text="no", refusal=True),)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("stop", "stop"), ("length", "length"), ("function_call", "tool_calls"), ("content_filter", "content_filter"), ("", "stop"),
     ("eos", "stop"), (None, "stop"), ("network_error", "error"), ("sensitive", "content_filter"), ("model_length", "length")],
)  # fmt: skip
def test_finish_reasons(word, reason):
    assert decode(choices=[{"message": {"content": "x"}, "finish_reason": word}]).choices[0].finish_reason == reason


def test_the_dialects_of_the_dialect():
    assert message(reasoning="t").parts == (Reasoning(text="t"),)
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "x"}]
    assert [part.text for part in message(content=thinking).parts] == ["t", "x"]
    call = message(tool_calls=[{"function": {"name": "f", "arguments": {"x": 1}}}]).parts[0]
    assert call.arguments == '{"x":1}'
    assert call.id.startswith("call_")
    citation = {"type": "url_citation", "url_citation": {"url": "u"}}
    assert msgspec.json.decode(message(content="x", annotations=[citation]).parts[0].annotations) == [citation]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 8}, Usage(input_tokens=9, output_tokens=1, cache_read=8)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cached_tokens": 8}, Usage(input_tokens=9, output_tokens=1, cache_read=8)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 15, "completion_tokens_details": {"reasoning_tokens": 5}},
         Usage(input_tokens=9, output_tokens=6, reasoning=5)),
        ({"prompt_tokens": 9, "completion_tokens": 6, "total_tokens": 15, "completion_tokens_details": {"reasoning_tokens": 5}},
         Usage(input_tokens=9, output_tokens=6, reasoning=5)),
        ({}, None), (None, None),
    ],
)  # fmt: skip
def test_usage_in_each_providers_spelling(usage, expected):
    assert decode(usage=usage).usage == expected
    assert DIALECT.usage(msgspec.json.encode({"usage": usage, "choices": 5})) == expected


def test_usage_of_rubbish_is_none():
    assert DIALECT.usage(b"<html>") is None
    assert DIALECT.usage(b'{"usage":5}') is None


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b'{"error":{"message":"Overloaded","type":"overloaded_error"}}', "overloaded", "Overloaded"),
        (b'{"error":{"message":"slow down","code":429}}', "rate_limited", "slow down"),
        (b'{"error":"out of memory"}', "server", "out of memory"),
        (b"<html><title>502 Bad Gateway</title></html>", "server", "502 Bad Gateway"),
        (b"", "server", "empty"),
        (b'{"object":"list"}', "server", "no choices"),
        (b'{"choices":[{"message":{"content":5}}]}', "server", "choices[0].message.content"),
        (b'{"choices":{}}', "server", "not a chat completion"),
    ],
)
def test_what_is_no_answer_is_an_error(body, kind, text):
    with pytest.raises(UpstreamError) as caught:
        DIALECT.decode_response(body)
    assert caught.value.kind == kind
    assert text in caught.value.message

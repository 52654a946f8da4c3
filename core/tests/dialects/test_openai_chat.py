"""Bodies are hand-made from providers.md and clients.md."""

import msgspec
import pytest

from lynkr_core.dialects.openai_chat import OpenAIChat
from lynkr_core.errors import InvalidRequest

DIALECT = OpenAIChat()
TEXT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"\\"usage\\""},"finish_reason":null}],"usage":null}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}\n\n'
DONE = b"data: [DONE]\n\n"


def peek(**keys):
    body = {"model": "m", "messages": []} | keys
    return DIALECT.peek(msgspec.json.encode(body))


def test_peek_reads_what_routing_needs_and_keeps_every_value_as_it_was():
    envelope = DIALECT.peek(b'{"model":"m","messages":[ ],"temperature":1.0e0,"max_completion_tokens":7,"stream":null}')
    assert (envelope.model, envelope.stream, envelope.usage_asked, envelope.max_tokens) == ("m", False, True, 7)
    assert bytes(envelope.fields["temperature"]) == b"1.0e0"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"messages":[]}', "model"),
        (b'{"model":"","messages":[]}', "model"),
        (b'{"model":3,"messages":[]}', "model"),
        (b'{"model":"m"}', "messages"),
        (b'{"model":"m","messages":{}}', "messages"),
        (b'{"model":"m","messages":[],"stream":"yes"}', "stream"),
        (b"[1]", None),
        (b"{", None),
    ],
)
def test_peek_says_which_parameter_is_wrong(body, param):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.peek(body)
    assert caught.value.param == param


def test_usage_is_asked_for_in_a_stream_only_when_the_caller_did():
    assert not peek(stream=True).usage_asked
    assert not peek(stream=True, stream_options={"include_usage": False}).usage_asked
    assert peek(stream=True, stream_options={"include_usage": True}).usage_asked


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_obfuscation": False}])
def test_prepare_asks_for_usage_and_keeps_the_other_stream_options(options):
    envelope = peek(stream=True, stream_options=options)
    fields = dict(envelope.fields)
    assert DIALECT.prepare(fields, envelope, metered=True)
    assert msgspec.json.decode(msgspec.json.encode(fields["stream_options"])) == (options or {}) | {"include_usage": True}


def test_prepare_leaves_alone_what_needs_nothing():
    plain, asked = peek(), peek(stream=True, stream_options={"include_usage": True})
    assert not DIALECT.prepare(dict(plain.fields), plain, metered=True)
    assert not DIALECT.prepare(dict(asked.fields), asked, metered=True)
    assert not DIALECT.prepare({}, peek(stream=True), metered=False)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_strip_usage_takes_out_the_usage_chunk_and_nothing_else(end):
    first = b'data: {"id":"","choices":[],"prompt_filter_results":[],"usage":null}\n\n'  # Azure's first chunk, providers.md §3
    piece, rest = first + TEXT + USAGE + DONE, first + TEXT + DONE
    assert DIALECT.strip_usage(piece.replace(b"\n", end)) == rest.replace(b"\n", end)
    assert DIALECT.strip_usage(USAGE) == b""


def test_strip_usage_leaves_usage_beside_a_choice():
    piece = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}\n\n'
    assert DIALECT.strip_usage(piece) == piece


def test_marks_are_in_every_event_that_must_not_be_missed():
    events = [
        USAGE, DONE, b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n', b'data: {"error":{"message":"x"}}\n\n',
        b'data: {"choices": [{"delta": {}, "finish_reason": "length"}]}\n\n', b'data: {"x_groq":{"usage":{"prompt_tokens":1}}}\n\n',
    ]  # fmt: skip
    assert all(any(mark in event for mark in DIALECT.marks) for event in events)
    assert not any(mark in TEXT for mark in DIALECT.marks)


@pytest.mark.parametrize(
    ("keys", "headers", "claim"),
    [
        ({"model", "messages"}, {}, 2),
        ({"model", "messages", "n"}, {}, 3),
        ({"model", "messages", "system"}, {}, 0),
        ({"model", "messages"}, {b"anthropic-version": b"x"}, 0),
        ({"model", "input"}, {}, 0),
    ],
)
def test_claims(keys, headers, claim):
    assert DIALECT.claims(dict.fromkeys(keys), headers) == claim

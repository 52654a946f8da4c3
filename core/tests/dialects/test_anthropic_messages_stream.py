"""Streams of the Messages dialect. Events are hand-made from `providers.md` §2 and §4.3."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lynkr_core.dialect import Envelope
from lynkr_core.dialects.anthropic_messages import AnthropicMessages
from lynkr_core.errors import UpstreamError
from lynkr_core.events import (
    Delta,
    End,
    Event,
    Failure,
    Finish,
    Grammar,
    Logprobs,
    PartEnd,
    PartStart,
    Ping,
    Start,
    UsageEvent,
)  # fmt: skip
from lynkr_core.request import Generic, Reasoning, Request, Text, ToolCall, Usage

DIALECT = AnthropicMessages()
REQUEST = Request(dialect="openai.chat", model="m")
ENVELOPE = Envelope(fields={}, model="m", stream=True)


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e, ensure_ascii=False).encode()) for e in events)


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    begin = {"type": "content_block_start", "index": index, "content_block": start}
    middle = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [begin, *middle, {"type": "content_block_stop", "index": index}]


HEAD = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "output_tokens": 1,
            "cache_creation": {"ephemeral_1h_input_tokens": 5, "ephemeral_5m_input_tokens": 15},
            "service_tier": "standard",
        },
    },
}
TAIL = [
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
     "usage": {"output_tokens": 42, "output_tokens_details": {"thinking_tokens": 7}}},
    {"type": "message_stop"},
]  # fmt: skip
FULL = sse(
    HEAD,
    {"type": "ping"},
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm 🤔"},
        {"type": "signature_delta", "signature": "sig"},
    ),
    *block(1, {"type": "redacted_thinking", "data": "opaque"}),
    *block(
        2,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": 'Grüße "\\\n'},
        {"type": "future_delta", "text": {"x": 1}},
        {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "c"}},
    ),
    *block(
        3,
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"q":'},
        {"type": "input_json_delta", "partial_json": '"x"}'},
    ),
    *block(
        4,
        {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"a":'},
        {"type": "input_json_delta", "partial_json": "1}"},
    ),
    *block(5, {"type": "tool_use", "id": "toolu_2", "name": "None", "input": {}}),
    {"type": "future_event", "usage": "?"},
    *TAIL,
)


def decode(*pieces: bytes) -> list[Event]:
    decoder = DIALECT.decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    events += decoder.close()
    grammar = Grammar()
    return [grammar.check(event) for event in events]


def encode(*events: Event, input_tokens: int = 9) -> bytes:
    encoder = DIALECT.encoder(REQUEST, ENVELOPE, input_tokens)
    return b"".join(encoder.encode(event) for event in events)


def parsed(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for piece in data.decode().removesuffix("\n\n").split("\n\n"):
        name, body = piece.split("\n")
        found.append(json.loads(body.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_a_full_stream_becomes_events():
    events = decode(FULL)
    start = Usage(input_tokens=130, output_tokens=1, cache_read=100, cache_write=20, cache_write_1h=5)
    assert events[0] == Start(id="msg_1", model="claude-x", usage=start, service_tier="standard", dialect="anthropic.messages")
    assert [event.part for event in events if isinstance(event, PartStart)][2:5:2] == [
        Text(text=""),
        ToolCall(id="toolu_1", name="Read", arguments=""),
    ]
    deltas = [(event.index, event.field, event.value) for event in events if isinstance(event, Delta)]
    assert deltas == [
        (0, "text", "hm 🤔"), (0, "signature", "sig"), (1, "encrypted", "opaque"), (2, "text", 'Grüße "\\\n'),
        (2, "annotations", '{"type": "char_location", "cited_text": "c"}'), (4, "arguments", '{"a":'), (4, "arguments", "1}"),
        (5, "arguments", "{}"),
    ]  # fmt: skip
    assert events[-3:-1] == [
        Finish("tool_calls"),
        UsageEvent(Usage(input_tokens=130, output_tokens=42, cache_read=100, cache_write=20, cache_write_1h=5, reasoning=7)),
    ]
    assert isinstance(events[-1], End)


def test_an_unknown_block_arrives_whole():
    generic = next(event.part for event in decode(FULL) if isinstance(event, PartStart) and event.index == 3)
    assert isinstance(generic, Generic)
    assert generic.type == "server_tool_use"
    assert json.loads(bytes(generic.native)) == {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": "x"}}


@given(st.lists(st.integers(min_value=0, max_value=len(FULL)), max_size=30), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_the_same_events_under_any_split(cuts: list[int], line_end: bytes):
    data = FULL.replace(b"\n", line_end)
    bounds = [0, *sorted(cuts), len(data)]
    assert decode(*[data[a:b] for a, b in itertools.pairwise(bounds)]) == decode(FULL)


def test_every_single_byte_alone():
    assert decode(*[FULL[i : i + 1] for i in range(len(FULL))]) == decode(FULL)


def failure(events: list[Event]) -> UpstreamError:
    assert isinstance(events[-1], Failure)
    assert not any(isinstance(event, Failure | End) for event in events[:-1])
    return events[-1].error


@pytest.mark.parametrize("kept", [0, 1, 3, 6, 12])
def test_a_cut_stream_is_a_failure(kept: int):
    pieces = FULL.split(b"\n\n")
    assert failure(decode(b"\n\n".join(pieces[:kept]) + b"\n\n")).kind == "cut"


def test_an_error_event_is_classified():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    found = failure(decode(sse(HEAD, error), sse(*TAIL)))
    assert (found.kind, found.type, found.message, found.status) == ("overloaded", "overloaded_error", "Overloaded", None)


@pytest.mark.parametrize(
    "broken", [b'{"type":"content_block_del', b'{"type":"content_block_delta","delta":3}', b"\xff\xfe", b"[1]"]
)
def test_a_corrupt_event_is_a_failure(broken: bytes):
    assert failure(decode(sse(HEAD) + b"data: " + broken + b"\n\n" + sse(*TAIL))).kind == "server"


def test_a_plain_json_error_instead_of_a_stream():
    body = b' {"type":"error","error":{"type":"rate_limit_error","message":"slow"}}'
    assert failure(decode(body[:5], body[5:])).kind == "rate_limited"
    assert failure(decode(b'{"hello":1}')).kind == "server"


def test_a_sloppy_upstream_is_put_in_order():
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}
    tool = block(1, {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}})[:1]
    events = decode(sse(text, *tool, {"type": "message_stop"}))
    assert [type(event).__name__ for event in events] == [
        "Start", "PartStart", "Delta", "PartEnd", "PartStart", "Delta", "PartEnd", "Finish", "End",
    ]  # fmt: skip
    assert events[5].value == '{"a": 1}'


def test_what_was_decoded_is_encoded_again():
    found = parsed(encode(*decode(FULL)))
    assert [event["type"] for event in found if event["type"] != "content_block_delta"] == [
        "message_start", "ping", *["content_block_start", "content_block_stop"] * 6, "message_delta", "message_stop",
    ]  # fmt: skip
    assert [event["index"] for event in found if event["type"] == "content_block_stop"] == [0, 1, 2, 3, 4, 5]
    starts = [event["content_block"] for event in found if event["type"] == "content_block_start"]
    assert starts[1] == {"type": "redacted_thinking", "data": "opaque"}
    assert starts[3] == {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    again = [event for event in decode(encode(*decode(FULL))) if not isinstance(event, PartStart)]
    assert again == [event for event in decode(FULL) if not isinstance(event, PartStart)]


def test_usage_of_a_re_encoded_stream_is_the_upstreams_own():
    found = parsed(encode(*decode(FULL)))
    assert found[0]["message"]["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "output_tokens": 1,
        "service_tier": "standard",
        "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
    }
    assert found[-2] == {
        "type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 42,
                  "output_tokens_details": {"thinking_tokens": 7}},
    }  # fmt: skip


FOREIGN = (
    Start(id="chatcmpl-1", model="gpt"),
    PartStart(0, Reasoning(id="rs_1")), Delta(0, "let me see"), Delta(0, "ENC", "encrypted"), PartEnd(0),
    PartStart(1, Text(text="")), Delta(1, "Hi"), Logprobs(Raw(b"[]")), PartEnd(1),
    PartStart(2, Text(text="")), PartEnd(2),
    PartStart(3, ToolCall(id="functions.f:0", name="f", arguments="")), Delta(3, '{"a":1}', "arguments"), PartEnd(3),
    PartStart(4, ToolCall(id="c", name="g", arguments="")), PartEnd(4),
    Finish("tool_calls"), UsageEvent(Usage(input_tokens=50, output_tokens=8, cache_read=30)), End(),
)  # fmt: skip


def test_a_foreign_stream_for_an_anthropic_caller():
    found = parsed(encode(*FOREIGN))
    assert found[0]["message"]["id"] == "msg_chatcmpl-1"
    assert found[0]["message"]["usage"]["input_tokens"] == 9
    assert [event["content_block"] for event in found if event["type"] == "content_block_start"] == [
        {"type": "thinking", "thinking": "", "signature": ""}, {"type": "text", "text": ""},
        {"type": "tool_use", "id": "functions_f_0_16efe728", "name": "f", "input": {}},
        {"type": "tool_use", "id": "c", "name": "g", "input": {}},
    ]  # fmt: skip
    arguments = [event["delta"]["partial_json"] for event in found if event.get("delta", {}).get("type") == "input_json_delta"]
    assert arguments == ['{"a":1}', "{}"]
    assert found[-2]["usage"] == {
        "input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 30, "output_tokens": 8,
    }  # fmt: skip


def test_foreign_reasoning_is_signed_by_us_and_keeps_its_secret():
    found = parsed(encode(*FOREIGN))
    signature = next(event["delta"]["signature"] for event in found if event.get("delta", {}).get("type") == "signature_delta")
    assert signature.startswith("lynkr-")
    again = decode(encode(*FOREIGN))
    assert [event.value for event in again if isinstance(event, Delta) and event.field == "encrypted"] == ["ENC"]
    assert not any(isinstance(event, Delta) and event.field == "signature" for event in again)


def test_usage_that_never_came_is_counted():
    events = (Start(id="x", model="m"), PartStart(0, Text(text="")), Delta(0, "word " * 74), PartEnd(0), Finish("stop"), End())
    found = parsed(encode(*events, input_tokens=0))
    assert found[0]["message"]["usage"]["input_tokens"] == 1
    assert found[-2]["usage"]["output_tokens"] == 100


@pytest.mark.parametrize(
    ("pieces", "kind"), [(["not ", 'json "x"'], "function"), (["a\n", "b"], "custom"), (['{"a', '":1}'], "custom")]
)
def test_arguments_always_end_as_an_object(pieces: list[str], kind: Any):
    call = ToolCall(id="c", name="f", arguments="", kind=kind)
    deltas = [Delta(0, piece, "arguments") for piece in pieces]
    found = parsed(encode(Start(id="", model="m"), PartStart(0, call), *deltas, PartEnd(0), Finish("tool_calls"), End()))
    text = "".join(event["delta"]["partial_json"] for event in found if event["type"] == "content_block_delta")
    assert json.loads(text) == {"input": "".join(pieces)}


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish("stop"), "end_turn"), (Finish("stop", "END"), "stop_sequence"), (Finish("length"), "max_tokens"),
        (Finish("tool_calls"), "tool_use"), (Finish("content_filter"), "refusal"), (Finish("error"), "end_turn"),
    ],
)  # fmt: skip
def test_stop_reasons(finish: Finish, reason: str):
    found = parsed(encode(Start(id="", model="m"), finish, End()))
    assert found[-2]["delta"] == {"stop_reason": reason, "stop_sequence": finish.stop_sequence}


def test_a_failure_ends_the_stream_with_an_error():
    error = UpstreamError("overloaded", "busy")
    open_text = (Start(id="", model="m"), PartStart(0, Text(text="")), Delta(0, "par"))
    found = parsed(encode(*open_text, Failure(error), PartEnd(0), Finish("stop"), End()))
    assert found[-1] == {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    assert "message_stop" not in [event["type"] for event in found]


def test_only_the_first_choice_is_written():
    events = (
        Start(id="", model="m"),
        PartStart(0, Text(text=""), 1),
        Delta(0, "other", choice=1),
        PartEnd(0, 1),
        Finish("stop"),
        End(),
    )
    assert b"other" not in encode(*events)


@given(st.text())
def test_any_text_survives(text: str):
    events = (Start(id="msg_", model="m"), PartStart(0, Text(text="")), Delta(0, text), PartEnd(0), Finish("stop"), End())
    again = decode(encode(*events))
    assert "".join(event.value for event in again if isinstance(event, Delta)) == text


def test_pings_pass():
    assert encode(Ping()) == b'event: ping\ndata: {"type":"ping"}\n\n'

"""The stream of the Responses API, written: checked strictly against the official SDK's event types and by its own client."""

import json
from typing import get_args

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.responses import ResponseStreamEvent

from lynkr_core.dialects.openai_responses import OpenAIResponses
from lynkr_core.errors import AllFailed, UpstreamError
from lynkr_core.events import Delta, End, Failure, Finish, Logprobs, PartEnd, PartStart, Ping, Start, UsageEvent, empty
from lynkr_core.request import Blob, Generic, Reasoning, Text, ToolCall, Usage
from lynkr_core.sse import Reader

dialect = OpenAIResponses()
MODELS = {get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(get_args(ResponseStreamEvent)[0])}
ASKED = b"""{"model":"fast","input":"hi","stream":true,"instructions":"Be brief.","tools":[
  {"type":"namespace","name":"crm","description":"d","tools":[{"type":"function","name":"find","parameters":{}}]},
  {"type":"custom","name":"apply_patch"}]}"""
USAGE = Usage(input_tokens=10, output_tokens=4, cache_read=6, cache_write=2, reasoning=1)
THOUGHT = Reasoning(text="Hm. Well.", signature="sig")
CALL = ToolCall(id="toolu_1", name="f", arguments='{"a":1}')


def told(*parts, reason="stop", usage=USAGE):
    """The events of an answer with these parts, text in two pieces."""
    events = [Start(id="msg_01", model="claude", created=1700000000)]
    for i, part in enumerate(parts):
        whole = getattr(part, "arguments", None) or getattr(part, "text", "")
        field = "arguments" if isinstance(part, ToolCall) else "text"
        deltas = [Delta(i, piece, field) for piece in (whole[:3], whole[3:]) if piece]
        secrets = [Delta(i, value, name) for name in ("signature", "encrypted") if (value := getattr(part, name, None))]
        events += [PartStart(i, empty(part)), *deltas, *secrets, PartEnd(i)]
    return [*events, Finish(reason), *([UsageEvent(usage)] if usage else []), End()]


def write(events, asked=ASKED, tokens=7):
    envelope = dialect.peek(asked)
    encoder = dialect.encoder(dialect.decode_request(envelope), envelope, tokens)
    return b"".join([encoder.encode(event) for event in events])


def read(data):
    """The events, each checked: name, number, and strictly every field that the SDK requires."""
    found = []
    for number, (name, body) in enumerate(Reader().feed(data)):
        event = json.loads(body)
        assert (name.decode(), event["sequence_number"]) == (event["type"], number)
        MODELS[event["type"]].model_validate_json(body, strict=True)
        found.append(event)
    return found


def kinds(events):
    return [event["type"].removeprefix("response.") for event in events]


def test_every_event_in_its_order():
    events = read(write(told(THOUGHT, Text(text="Hello"), CALL, reason="tool_calls")))
    assert kinds(events) == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]  # fmt: skip
    assert [event["output_index"] for event in events if event["type"].endswith("item.done")] == [0, 1, 2]
    assert all(event["summary_index"] == 0 for event in events if "summary" in event["type"])


def test_the_whole_response_stands_at_the_end():
    events = read(write(told(THOUGHT, Text(text="Hello"), CALL, reason="tool_calls")))
    response = events[-1]["response"]
    assert response["output"] == [event["item"] for event in events if event["type"] == "response.output_item.done"]
    thought, message, call = response["output"]
    assert (thought["summary"][0]["text"], thought["encrypted_content"]) == ("Hm. Well.", "lynkr:sig")
    assert message["content"][0]["text"] == "Hello"
    assert (call["call_id"], call["name"], call["arguments"]) == ("toolu_1", "f", '{"a":1}')
    assert [item["id"].split("_")[0] for item in response["output"]] == ["rs", "msg", "fc"]
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 6, "cache_write_tokens": 2}
    assert response["usage"]["output_tokens_details"] == {"reasoning_tokens": 1}
    assert (response["instructions"], response["tools"]) == ("Be brief.", json.loads(ASKED)["tools"])
    assert len({event["response"]["id"] for event in events if "response" in event}) == 1


@pytest.mark.parametrize(
    ("reason", "last", "details"),
    [
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("error", "failed", None),
    ],
)
def test_other_endings(reason, last, details):
    event = read(write(told(Text(text="Hello"), reason=reason)))[-1]
    assert event["type"] == f"response.{last}"
    assert (event["response"]["incomplete_details"] or {}).get("reason") == details


def test_a_local_count_stands_in_for_usage_that_never_comes():
    assert read(write(told(Text(text="x"), usage=None)))[-1]["response"]["usage"]["input_tokens"] == 7


def test_no_arguments_are_an_empty_object():
    events = read(write(told(ToolCall(id="1", name="f", arguments=""))))
    assert [e.get("delta", e.get("arguments")) for e in events if "arguments" in e["type"]] == ["{}", "{}"]


def test_calls_go_by_the_caller_s_names():
    patch = ToolCall(id="2", name="apply_patch", arguments='{"input":"*** Begin\\n"}')
    events = read(
        write(
            told(ToolCall(id="1", name="crm__find"), patch, ToolCall(id="3", name="apply_patch", arguments="raw", kind="custom"))
        )
    )
    nested, free, custom = events[-1]["response"]["output"]
    assert (nested["namespace"], nested["name"]) == ("crm", "find")
    assert (free["type"], free["input"], custom["input"]) == ("custom_tool_call", "*** Begin\n", "raw")
    assert [e["delta"] for e in events if e["type"] == "response.custom_tool_call_input.delta"] == ["*** Begin\n", "raw"]


def test_calls_of_tools_that_an_item_brought():
    asked = b"""{"model":"m","input":[{"type":"additional_tools","role":"developer","tools":[
      {"type":"namespace","name":"functions","description":"","tools":[{"type":"custom","name":"exec"}]}]}]}"""
    events = read(write(told(ToolCall(id="1", name="functions__exec", arguments='{"input":"text(1)"}')), asked))
    call = events[-1]["response"]["output"][0]
    assert (call["type"], call["namespace"], call["name"], call["input"]) == ("custom_tool_call", "functions", "exec", "text(1)")


def test_refusals_citations_logprobs_and_pictures():
    start, *rest = told(Text(text="No", refusal=True))
    note = '{"type":"url_citation","url":"u","title":"t","start_index":0,"end_index":1}'
    picture = Blob(modality="image", mime_type="image/png", data="AAAA")
    cited = [
        PartStart(1, Text(text="")),
        Delta(1, "x"),
        Logprobs(Raw(b'[{"token":"x","logprob":-1}]')),
        Delta(1, note, "annotations"),
    ]
    whole = [PartEnd(1), PartStart(2, picture), PartEnd(2), PartStart(3, Generic(type="other")), PartEnd(3)]
    events = read(write([start, *rest[:-3], *cited, *whole, *rest[-3:]]))
    refusal, text, image = events[-1]["response"]["output"]
    assert refusal["content"] == [{"type": "refusal", "refusal": "No"}]
    assert text["content"][0]["annotations"] == [json.loads(note)]
    assert text["content"][0]["logprobs"] == [{"token": "x", "logprob": -1.0, "bytes": [120], "top_logprobs": []}]
    assert image["result"] == "AAAA"
    assert "output_text.annotation.added" in kinds(events)


def test_a_ping_is_a_comment_without_a_number():
    start, *rest = told(Text(text="x"))
    assert write([Ping()]) == b": ping\n\n"
    assert kinds(read(write([start, Ping(), *rest]))) == kinds(read(write([start, *rest])))


@pytest.mark.parametrize("before", [0, 1, 3, 4])
def test_a_failure_is_the_last_event(before):
    events = read(write([*told(Text(text="Hello"))[:before], Failure(UpstreamError("server", "it broke"))]))
    assert kinds(events)[:2] == ["created", "in_progress"]
    assert kinds(events)[-1] == "failed"
    assert (events[-1]["response"]["status"], events[-1]["response"]["error"]["message"]) == ("failed", "it broke")


@pytest.mark.parametrize(
    ("kind", "code"),
    [("rate_limited", "rate_limit_exceeded"), ("quota", "insufficient_quota"), ("context", "context_length_exceeded"),
     ("overloaded", "server_is_overloaded"), ("cut", "server_error")],
)  # fmt: skip
def test_codes_that_callers_act_upon(kind, code):
    last = write([Failure(UpstreamError(kind, "m"))]).rpartition(b"data: ")[2]
    assert json.loads(last)["response"]["error"]["code"] == code


def test_a_stream_error_of_the_kernel():
    data = dialect.encode_stream_error(AllFailed(UpstreamError("cut", "it was cut"), ["a"]), "req_1")
    assert read(data)[0] == {"type": "error", "code": None, "message": "it was cut", "param": None, "sequence_number": 0}


def test_the_sdk_s_client_reads_it():
    data = write(told(THOUGHT, Text(text="Hello"), CALL, reason="tool_calls"))
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data))
    with (
        httpx2.Client(transport=transport) as http,
        openai.OpenAI(base_url="http://127.0.0.1/v1", api_key="none", http_client=http) as client,
        client.responses.stream(model="fast", input="hi") as stream,
    ):
        assert "".join([event.delta for event in stream if event.type == "response.output_text.delta"]) == "Hello"
        response = stream.get_final_response()
    assert (response.output_text, response.output[2].call_id, response.usage.total_tokens) == ("Hello", "toolu_1", 14)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
parts = st.one_of(
    st.builds(lambda t, r: Text(text=t, refusal=r), texts, st.booleans()),
    st.builds(lambda t: ToolCall(id="c", name="f", arguments=t or "{}"), texts.filter(str.strip)),
    st.builds(lambda t: ToolCall(id="c", name="g", arguments=t, kind="custom"), texts),
    st.builds(lambda t, e: Reasoning(text=t, id="rs_1", encrypted=e), texts, st.one_of(st.none(), st.just("gAAAA"))),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(parts, max_size=5))
def test_what_is_written_is_read_back(found):
    """Folded, the stream gives the parts it was made of, and the answer at its end says the same."""
    data = write(told(*found, reason="tool_calls" if any(isinstance(p, ToolCall) for p in found) else "stop"))
    decoder = dialect.decoder()
    events = [*decoder.feed(data), *decoder.close()]
    assert fold(events) == [bare(part) for part in found]
    assert [type(event) for event in events[-3:]] == [Finish, UsageEvent, End]
    final = json.dumps(json.loads(data.rpartition(b"data: ")[2])["response"]).encode()
    assert [bare(part) for part in dialect.decode_response(final).choices[0].parts] == fold(events)


def fold(events):
    opened, pieces = {}, {}
    for event in events:
        if isinstance(event, PartStart):
            opened[event.index], pieces[event.index] = event.part, {}
        elif isinstance(event, Delta):
            pieces[event.index][event.field] = pieces[event.index].get(event.field, "") + event.value
    return [bare(part, **pieces[index]) for index, part in opened.items()]


def bare(part, **changes):
    """What a part says, without how it was written."""
    keys = ("text", "refusal", "arguments", "id", "name", "kind", "encrypted", "signature")
    return type(part).__name__, {key: changes.get(key, getattr(part, key)) for key in keys if hasattr(part, key)}

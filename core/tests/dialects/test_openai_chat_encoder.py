"""Streams written for a caller: what SDKs need stands in clients.md §3 and §5."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs

from lynkr_core.dialect import Envelope
from lynkr_core.dialects.fold import fold, unfold
from lynkr_core.dialects.openai_chat import OpenAIChat
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Failure, Finish, Logprobs, PartEnd, PartStart, Ping, Start, UsageEvent
from lynkr_core.request import Choice, Reasoning, Request, Response, Text, ToolCall, Usage
from lynkr_core.sse import Reader

DIALECT = OpenAIChat()
REQUEST = Request(dialect="openai.chat", model="m")
PARTS = (
    Reasoning(text="t"),
    Text(text='"q" \\ é👍\n'),
    ToolCall(id="a", name="f", arguments='{"x":1}'),
    ToolCall(id="b", name="g"),
)
RESPONSE = Response(
    dialect="openai.chat", id="c1", model="m-1", created=7, usage=Usage(input_tokens=3, output_tokens=2, cache_read=1),
    choices=(Choice(parts=PARTS, finish_reason="tool_calls"),),
)  # fmt: skip


def encode(events, usage_asked=True):
    encoder = DIALECT.encoder(REQUEST, Envelope(fields={}, model="m", stream=True, usage_asked=usage_asked), 0)
    return b"".join([encoder.encode(event) for event in events])


def chunks(data):
    lines = [event.data for event in Reader().feed(data)]
    return [msgspec.json.decode(line) for line in lines if line != b"[DONE]"]


def decode(data):
    decoder = DIALECT.decoder()
    return [*decoder.feed(data), *decoder.close()]


def test_every_chunk_has_one_id_and_a_finish_reason_and_only_one_has_a_word_in_it():
    found = chunks(encode(unfold(RESPONSE)))
    assert {(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in found} == {
        ("c1", "chat.completion.chunk", 7, "m-1")
    }
    reasons = [choice["finish_reason"] for chunk in found for choice in chunk["choices"]]
    assert reasons == [None] * (len(reasons) - 1) + ["tool_calls"]


def test_the_role_comes_first_and_once_for_each_choice():
    two = structs.replace(RESPONSE, choices=(RESPONSE.choices[0], Choice(parts=(Text(text="b"),))))
    found = [choice for chunk in chunks(encode(unfold(two))) for choice in chunk["choices"]]
    for number in (0, 1):
        deltas = [choice["delta"] for choice in found if choice["index"] == number]
        assert deltas[0] == {"role": "assistant", "content": ""}
        assert not any("role" in delta for delta in deltas[1:])


def test_usage_comes_last_without_choices_and_only_when_asked():
    asked = encode(unfold(RESPONSE))
    assert chunks(asked)[-1]["choices"] == []
    assert chunks(asked)[-1]["usage"]["total_tokens"] == 5
    silent = encode(unfold(RESPONSE), usage_asked=False)
    assert b'"usage"' not in silent
    assert asked.endswith(b"data: [DONE]\n\n")
    assert silent.endswith(b"data: [DONE]\n\n")


def test_calls_are_numbered_and_an_empty_one_streams_an_object():
    deltas = [choice["delta"] for chunk in chunks(encode(unfold(RESPONSE))) for choice in chunk["choices"]]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert calls[0] == {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    assert calls[1] == {"index": 0, "function": {"arguments": '{"x":1}'}}
    bare = [
        Start(id="c", model="m"),
        PartStart(0, ToolCall(id="b", name="g", arguments="")),
        PartEnd(0),
        Finish("tool_calls"),
        End(),
    ]
    assert b'"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]' in encode(bare)


def test_free_text_calls_and_signatures():
    call = ToolCall(id="a", name="patch", arguments="", kind="custom")
    data = encode(
        [Start(id="c", model="m"), PartStart(0, call), Delta(0, "***", "arguments"), PartEnd(0), Finish("tool_calls"), End()]
    )
    assert fold(decode(data)).choices[0].parts == (ToolCall(id="a", name="patch", arguments="***", kind="custom"),)
    signed = ToolCall(id="a", name="f", arguments="", signature="s")
    data = encode([Start(id="c", model="m"), PartStart(0, signed), PartEnd(0), Finish("tool_calls"), End()])
    assert fold(decode(data)).choices[0].parts[0].signature == "s"


def test_signatures_of_thinking_and_citations_of_others_are_not_for_this_caller():
    events = [Start(id="c", model="m"), PartStart(0, Reasoning()), Delta(0, "sig", "signature"), PartEnd(0)]
    events += [PartStart(1, Text(text="")), Delta(1, '{"type":"char_location"}', "annotations")]
    assert len(chunks(encode(events))) == 1


def test_ping_logprobs_and_refusal():
    logprobs = Logprobs(Raw(b'[{"token":"x"}]'))
    events = [
        Start(id="c", model="m"),
        Ping(),
        PartStart(0, Text(text="", refusal=True)),
        Delta(0, "no"),
        logprobs,
        PartEnd(0),
        Finish("stop"),
        End(),
    ]
    data = encode(events)
    assert b"\n\n: ping\n\n" in data
    found = chunks(data)
    assert found[1]["choices"][0]["delta"] == {"refusal": "no"}
    assert found[2]["choices"][0]["logprobs"] == {"content": [{"token": "x"}], "refusal": None}


def test_a_failure_is_an_error_event_and_no_end():
    error = UpstreamError("overloaded", "Overloaded", status=529)
    data = encode([Start(id="c", model="m"), PartStart(0, Text(text="")), Delta(0, "x"), Failure(error)])
    assert chunks(data)[-1] == {
        "error": {"message": "Overloaded", "type": "server_error", "param": None, "code": "server_is_overloaded"}
    }
    assert b"[DONE]" not in data


def test_a_stream_and_a_whole_answer_tell_the_same():
    body = DIALECT.encode_response(RESPONSE, REQUEST)
    folded, whole = fold(decode(encode(unfold(RESPONSE))), "openai.chat"), DIALECT.decode_response(body)
    assert plain(folded) == plain(whole) == plain(RESPONSE)


def plain(response):
    """Without the fragments it was read from."""
    choices = [
        structs.replace(choice, native=None, parts=tuple([structs.replace(part, native=None) for part in choice.parts]))
        for choice in response.choices
    ]
    return structs.replace(response, native=None, choices=tuple(choices))


WORDS = st.text(min_size=1, max_size=6)
ANY_PART = st.one_of(
    WORDS.map(lambda text: Text(text=text)),
    WORDS.map(lambda text: Reasoning(text=text)),
    st.integers(0, 99).map(lambda number: ToolCall(id=f"id{number}", name=f"f{number}", arguments=f'{{"n":{number}}}')),
)


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(ANY_PART, max_size=5, unique_by=lambda part: getattr(part, "id", None) or object()), usage=st.booleans())
def test_any_stream_that_is_written_is_read_as_the_same_text_and_calls(parts, usage):
    response = structs.replace(RESPONSE, choices=(Choice(parts=tuple(parts)),), usage=RESPONSE.usage if usage else None)
    again = fold(decode(encode(unfold(response))))
    for kind in (Text, Reasoning):
        texts = ["".join([part.text for part in found.choices[0].parts if isinstance(part, kind)]) for found in (response, again)]
        assert texts[0] == texts[1]
    calls = [[part for part in found.choices[0].parts if isinstance(part, ToolCall)] for found in (response, again)]
    assert calls[0] == calls[1]
    assert again.usage == response.usage


def test_usage_told_at_the_start_is_not_forgotten():
    start = Start(id="c", model="m", usage=Usage(input_tokens=9))
    assert chunks(encode([start, Finish("stop"), End()]))[-1]["usage"]["prompt_tokens"] == 9
    later = UsageEvent(Usage(input_tokens=9, output_tokens=1))
    assert chunks(encode([start, Finish("stop"), later, End()]))[-1]["usage"]["total_tokens"] == 10

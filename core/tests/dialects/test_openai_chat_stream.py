"""Streams read as events. Chunks are hand-made from providers.md §2, §3 and §4.3."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr_core.dialects.fold import fold
from lynkr_core.dialects.openai_chat import OpenAIChat
from lynkr_core.events import Delta, End, Failure, Finish, Grammar, Logprobs, PartEnd, PartStart, Start, UsageEvent
from lynkr_core.request import Reasoning, Text, ToolCall, Usage

DIALECT = OpenAIChat()
DONE = b"data: [DONE]\n\n"


def sse(*chunks, done=True):
    return b"".join([b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks]) + (DONE if done else b"")


def chunk(finish=None, index=0, **delta):
    return {"id": "c1", "model": "m-1", "created": 7, "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def tool(index=0, id=None, name=None, arguments=None):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {key: value for key, value in (("index", index), ("id", id), ("function", function)) if value is not None}


def events(*pieces):
    decoder, grammar = DIALECT.decoder(), Grammar()
    found = [grammar.check(event) for piece in pieces for event in decoder.feed(piece)]
    return found + [grammar.check(event) for event in decoder.close()]


def parts(*chunks, **options):
    return fold(events(sse(*chunks, **options))).choices[0].parts


def failure(data):
    last = events(data)[-1]
    assert isinstance(last, Failure)
    return last.error


def test_text_from_the_first_chunk_to_the_end():
    usage = {"id": "c1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    azure = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    found = events(
        sse(
            azure,
            chunk(role="assistant", content=""),
            chunk(content="he"),
            chunk(content=None),
            chunk(content="y"),
            chunk("stop"),
            usage,
        )
    )
    assert found == [
        Start(id="c1", model="m-1", created=7, dialect="openai.chat"), PartStart(0, Text(text="")), Delta(0, "he"), Delta(0, "y"),
        UsageEvent(Usage(input_tokens=3, output_tokens=2)), PartEnd(0), Finish("stop"), End(),
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_thinking_is_closed_before_text_opens_and_text_before_a_call(key):
    call = tool(id="a", name="f", arguments="{}")
    found = parts(chunk(**{key: "h"}), chunk(**{key: "m"}, content="x"), chunk(tool_calls=[call]), chunk("tool_calls"))
    assert found == (Reasoning(text="hm"), Text(text="x"), ToolCall(id="a", name="f"))


def test_arguments_stream_as_they_come():
    first, second = tool(id="a", name="f", arguments=""), tool(arguments='{"x":')
    found = events(
        sse(chunk(tool_calls=[first]), chunk(tool_calls=[second]), chunk(tool_calls=[tool(arguments="1}")]), chunk("tool_calls"))
    )
    assert [event.value for event in found if isinstance(event, Delta)] == ['{"x":', "1}"]
    assert [event.reason for event in found if isinstance(event, Finish)] == ["tool_calls"]


def test_a_complete_call_is_closed_when_the_next_begins_so_that_both_stream():
    decoder = DIALECT.decoder()
    decoder.feed(sse(chunk(tool_calls=[tool(0, "a", "f", '{"x":1}')]), done=False))
    found = decoder.feed(sse(chunk(tool_calls=[tool(1, "b", "g", '{"y"')]), done=False))
    assert [type(event) for event in found] == [PartEnd, PartStart, Delta]
    assert decoder.feed(sse(chunk(tool_calls=[tool(1, arguments=":2}")]), done=False)) == [Delta(1, ":2}", "arguments")]


def test_calls_that_arrive_mixed_are_put_one_after_the_other():
    mixed = [
        [tool(0, "a", "f", '{"x"')],
        [tool(1, "b", "g", '{"y"')],
        [tool(0, arguments=":1}"), tool(1, arguments=":")],
        [tool(1, arguments="2}")],
    ]
    assert parts(*[chunk(tool_calls=calls) for calls in mixed], chunk("tool_calls")) == (
        ToolCall(id="a", name="f", arguments='{"x":1}'), ToolCall(id="b", name="g", arguments='{"y":2}'),
    )  # fmt: skip


def test_a_call_without_arguments_waits_for_them_while_the_next_is_held():
    found = parts(
        chunk(tool_calls=[tool(0, "a", "f", "")]),
        chunk(tool_calls=[tool(1, "b", "g", "{}")]),
        chunk(tool_calls=[tool(0, arguments='{"x":1}')]),
    )
    assert [call.arguments for call in found] == ['{"x":1}', "{}"]


@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize("ids", [("a", "b"), (None, None)])
def test_calls_with_the_same_index_or_none_are_separate(index, ids):
    """Ollama and Google's layer, clients.md §5 line 1."""
    calls = [tool(index, ids[0], "f", '{"x":1}'), tool(index, ids[1], "f", '{"x":2}')]
    found = parts(chunk(tool_calls=calls), chunk("stop"))
    assert [call.arguments for call in found] == ['{"x":1}', '{"x":2}']
    assert len({call.id for call in found}) == 2
    assert all(call.id for call in found)


def test_a_repeated_id_and_name_is_the_same_call():
    pieces = [tool(0, "a", "f", '{"x"'), tool(0, "a", "f", ":1}")]
    assert parts(*[chunk(tool_calls=[piece]) for piece in pieces]) == (ToolCall(id="a", name="f", arguments='{"x":1}'),)


def test_calls_of_other_shapes():
    custom = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "patch", "input": "***"}}
    more = {"index": 0, "custom": {"input": " end"}}
    assert parts(chunk(tool_calls=[custom]), chunk(tool_calls=[more])) == (
        ToolCall(id="a", name="patch", arguments="*** end", kind="custom"),
    )
    assert parts(chunk(tool_calls=[tool(0, "a", "f", {"x": 1})]))[0].arguments == '{"x":1}'
    old = parts(
        chunk(function_call={"name": "f", "arguments": ""}), chunk(function_call={"arguments": "{}"}), chunk("function_call")
    )
    assert old == (ToolCall(id="function_f", name="f"),)
    signed = tool(0, "a", "f", "{}") | {"extra_content": {"google": {"thought_signature": "s"}}}
    assert parts(chunk(tool_calls=[signed]))[0].signature == "s"


def test_text_after_a_call_closes_it():
    found = parts(chunk(tool_calls=[tool(0, "a", "f", "{}")]), chunk(content="x"), chunk("stop"))
    assert [type(part) for part in found] == [ToolCall, Text]


def test_late_arguments_are_an_error_and_not_lost():
    data = sse(chunk(tool_calls=[tool(0, "a", "f", "{}")]), chunk(content="x"), chunk(tool_calls=[tool(0, arguments="{}")]))
    assert "came after its end" in failure(data).message


def test_several_choices_keep_their_own_parts():
    response = fold(
        events(sse(chunk(content="a"), chunk(index=1, content="b"), chunk(content="c"), chunk("stop"), chunk("length", 1)))
    )
    assert [(choice.parts[0].text, choice.finish_reason) for choice in response.choices] == [("ac", "stop"), ("b", "length")]


def test_content_as_a_list_with_thinking():
    """Mistral's reasoning models, providers.md §3."""
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}]
    assert parts(chunk(content=thinking), chunk(content="x")) == (Reasoning(text="t"), Text(text="x"))


def test_refusals_logprobs_and_annotations():
    logprobs = {"content": [{"token": "x", "logprob": -0.5}]}
    with_logprobs = chunk(content="x", annotations=[{"type": "url_citation"}])
    with_logprobs["choices"][0]["logprobs"] = logprobs
    found = events(sse(with_logprobs, with_logprobs, chunk(refusal="no")))
    assert [msgspec.json.decode(event.value) for event in found if isinstance(event, Logprobs)] == [logprobs, logprobs]
    choice = fold(found).choices[0]
    assert [part.text for part in choice.parts] == ["xx", "no"]
    assert choice.parts[1].refusal
    assert len(msgspec.json.decode(choice.logprobs)["content"]) == len(msgspec.json.decode(choice.parts[0].annotations)) == 2


def test_usage_in_groqs_place():
    last = chunk("stop") | {"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}}
    assert fold(events(sse(chunk(content="x"), last))).usage == Usage(input_tokens=3, output_tokens=2)


@pytest.mark.parametrize(
    ("word", "reason"), [("", "stop"), ("eos", "stop"), ("length", "length"), ("error", "error"), ("sensitive", "content_filter")]
)
def test_finish_reasons(word, reason):
    assert fold(events(sse(chunk(content="x"), chunk(word)))).choices[0].finish_reason == reason


def test_the_end_without_a_terminator():
    """Good when every choice had its finish reason, else cut: clients.md §4, SDKs take it for an answer."""
    assert events(sse(chunk(content="x"), chunk("stop"), done=False))[-1] == End()
    assert events(sse(chunk(content="x"), chunk("stop"), done=False).rstrip() + b"\n")[-1] == End()
    assert events(sse(chunk(content="x"), chunk("stop"), done=False) + b"data: [DONE]")[-1] == End()
    for data in (
        sse(chunk(content="x"), done=False),
        sse(chunk("stop"), chunk(index=1, content="x"), done=False),
        b"",
        b'data: {"choi',
    ):
        assert failure(data).kind in ("cut", "server")
    assert failure(sse(chunk(content="x"), done=False)).kind == "cut"
    assert failure(sse(chunk("stop"), done=False) + b'data: {"choices":[],"us').kind == "cut"


def test_nothing_but_a_terminator_is_no_answer():
    assert failure(DONE).kind == "server"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'data: {"error":{"message":"Overloaded","type":"overloaded_error"}}\n\n', "overloaded"),
        (b'data: {"error":{"message":"x","code":"rate_limit_exceeded"}}\n\n', "rate_limited"),
        (b'data: {"error":{"message":"x","type":"y"},"status_code":503}\n\n', "server"),
        (b'data: {"error":{"code":429,"message":"x"},"choices":[{"delta":{},"finish_reason":"error"}]}\n\n', "rate_limited"),
        (b'data: {"error":"out of memory"}\n\n', "server"),
        (b'event: error\ndata: {"message":"prompt is too long"}\n\n', "context"),
        (b'data: {"object":"error","message":"x","code":400}\n\n', "invalid"),
        (b'data: {"choices":[],"x_groq":{"error":{"message":"x","code":"capacity_exceeded"}}}\n\n', "overloaded"),
        (b'data: {"choices":[{"delta":{"content":"tr\n\n', "server"),
        (b'data: {"choices":[{"delta":{"content":7}}]}\n\n', "server"),
        (b'{"error":{"message":"bad key","code":"invalid_api_key"}}', "auth"),
        (b"<html>gateway</html>", "cut"),
    ],
)
def test_errors_inside_a_stream(data, kind):
    assert failure(sse(chunk(content="x"), done=False) + data if data.startswith((b"data", b"event")) else data).kind == kind


def test_nothing_comes_after_a_failure_or_the_end():
    decoder = DIALECT.decoder()
    decoder.feed(b'data: {"error":{"message":"x"}}\n\n')
    assert decoder.feed(sse(chunk(content="x"))) == decoder.close() == []
    assert events(sse(chunk("stop")) + sse(chunk(content="late")))[-1] == End()


def test_a_whole_answer_where_a_stream_was_asked_for():
    body = b' {"id":"c","model":"m","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
    assert fold(events(body[:9], body[9:])).choices[0].parts[0].text == "hi"


def test_a_decoder_that_sees_only_marked_events_still_finds_the_end():
    decoder = DIALECT.decoder()
    seen = decoder.feed(sse(chunk(tool_calls=[tool(0, "a", "f", '{"x"')]), done=False))
    seen += decoder.feed(
        sse(chunk(tool_calls=[tool(1, arguments=":1}")]), chunk("tool_calls"), {"choices": [], "usage": {"prompt_tokens": 1}})
    )
    assert isinstance(seen[-1], End)
    assert any(isinstance(event, UsageEvent) for event in seen)


FULL = sse(
    {"id": "", "choices": []}, chunk(role="assistant", content=""),
    chunk(reasoning_content="dünk 👩‍👩‍👧"), chunk(content="漢字\r\n\n\"q\"\\ "),
    chunk(content="\t👍🏽"),
    chunk(tool_calls=[tool(0, "a", "f", '{"é"')]),
    chunk(tool_calls=[tool(1, "b", "g", "{}"), tool(0, arguments=':"\\u00e9"}')]),
    chunk("tool_calls"),
    {"id": "c1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(cuts=st.lists(st.integers(0, len(FULL)), max_size=12), crlf=st.booleans(), comment=st.booleans())
def test_the_events_are_the_same_however_the_bytes_are_cut(cuts, crlf, comment):
    data = b": keep-alive\n\n" + FULL if comment else FULL
    data = data.replace(b"\n", b"\r\n") if crlf else data
    places = [0, *sorted(cuts), len(data)]
    assert events(*[data[a:b] for a, b in itertools.pairwise(places)]) == events(FULL)


def test_every_prefix_keeps_the_grammar_and_never_ends_well():
    whole = FULL[: FULL.index(b'"finish_reason":"tool_calls"')]
    for length in range(0, len(whole), 7):
        assert isinstance(events(whole[:length])[-1], Failure)

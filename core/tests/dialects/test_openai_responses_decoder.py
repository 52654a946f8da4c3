"""The stream of the Responses API, read. Events are hand-made from providers.md §2 and the official SDK's event types."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr_core.dialects.openai_responses import OpenAIResponses
from lynkr_core.events import Delta, End, Failure, Finish, Grammar, Logprobs, PartEnd, PartStart, Ping, Start, UsageEvent
from lynkr_core.request import Generic, Reasoning, Text, ToolCall, Usage

dialect = OpenAIResponses()
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1700000000, "model": "gpt-6-astra", "output": [], "usage": None}
USAGE = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3, "output_tokens_details": {}}
CREATED = {"type": "response.created", "response": RESPONSE}


def completed(kind="completed", **more):
    return {"type": f"response.{kind}", "response": RESPONSE | {"status": kind, "usage": USAGE} | more}


def sse(*events):
    lines = [
        f"event: {event['type']}\ndata: {json.dumps(event | {'sequence_number': i}, ensure_ascii=False)}\n\n"
        for i, event in enumerate(events)
    ]
    return "".join(lines).encode()


def read(data, cuts=()):
    decoder, events, grammar = dialect.decoder(), [], Grammar()
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        events += decoder.feed(data[start:end])
    events += decoder.close()
    return [grammar.check(event) for event in events]


def plain(events):
    """Events with failures made comparable."""
    return [(event.error.kind, str(event.error)) if isinstance(event, Failure) else event for event in events]


def added(index, **item):
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index, **item):
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def event(name, index, **body):
    return {"type": f"response.{name}", "output_index": index, "item_id": "i", **body}


def text(index, *deltas, kind="output_text"):
    part = {"type": kind, "text" if kind == "output_text" else "refusal": "".join(deltas)}
    return [
        added(index, type="message", id="msg_1", role="assistant", content=[]),
        event("content_part.added", index, content_index=0, part=part | {"text": ""}),
        *[event(f"{kind}.delta", index, content_index=0, delta=delta, logprobs=[]) for delta in deltas],
        event(f"{kind}.done", index, content_index=0, **{k: v for k, v in part.items() if k != "type"}),
        event("content_part.done", index, content_index=0, part=part),
        done(index, type="message", id="msg_1", role="assistant", content=[part]),
    ]


def call(index, id, *deltas):
    item = {"type": "function_call", "id": f"fc_{index}", "call_id": id, "name": "f"}
    arguments = "".join(deltas)
    return [
        added(index, **item, arguments=""),
        *[event("function_call_arguments.delta", index, delta=delta) for delta in deltas],
        event("function_call_arguments.done", index, arguments=arguments),
        done(index, **item, arguments=arguments),
    ]


THOUGHT = [
    added(0, type="reasoning", id="rs_1", summary=[]),
    event("reasoning_summary_part.added", 0, summary_index=0, part={"type": "summary_text", "text": ""}),
    event("reasoning_summary_text.delta", 0, summary_index=0, delta="First."),
    event("reasoning_summary_text.delta", 0, summary_index=1, delta="Then"),
    event("reasoning_summary_text.delta", 0, summary_index=1, delta=" more."),
    done(0, type="reasoning", id="rs_1", summary=[{"type": "summary_text", "text": "First."}], encrypted_content="gAAAA"),
]
TURN = [
    CREATED,
    {"type": "response.in_progress", "response": RESPONSE},
    *THOUGHT,
    *text(1, "He", "llo 👋🏽"),
    *call(2, "c1", '{"a"', ":1}"),
]


def test_a_whole_turn():
    events = read(sse(*TURN, completed()))
    assert events == [
        Start(id="resp_1", model="gpt-6-astra", created=1700000000, dialect="openai.responses"),
        PartStart(0, Reasoning(id="rs_1")),
        Delta(0, "First."), Delta(0, "\n\nThen"), Delta(0, " more."), Delta(0, "gAAAA", "encrypted"),
        PartEnd(0),
        PartStart(1, Text(text="")), Delta(1, "He"), Delta(1, "llo 👋🏽"), PartEnd(1),
        PartStart(2, ToolCall(id="c1", name="f", arguments="")),
        Delta(2, '{"a"', "arguments"), Delta(2, ":1}", "arguments"), PartEnd(2),
        Finish("tool_calls"),
        UsageEvent(Usage(input_tokens=10, output_tokens=3, cache_read=4)),
        End(),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "details", "reason"),
    [
        ("completed", None, "stop"),
        ("incomplete", {"reason": "max_output_tokens"}, "length"),
        ("incomplete", {"reason": "content_filter"}, "content_filter"),
    ],
)
def test_finish(kind, details, reason):
    events = read(sse(CREATED, *text(0, "x"), completed(kind, incomplete_details=details)))
    assert Finish(reason) in events
    assert events[-1] == End()


def test_items_open_at_once_come_one_after_the_other():
    first, second = call(0, "c1", '{"a":', "1}"), call(1, "c2", '{"b":', "2}")
    mixed = [event for pair in zip(first, second, strict=True) for event in pair]
    assert read(sse(CREATED, *mixed, completed())) == read(sse(CREATED, *first, *second, completed()))


def test_an_item_that_is_never_done_is_closed_at_the_end():
    events = read(sse(CREATED, *call(0, "c1", "{}")[:-1], *call(1, "c2", "{}")[:-1], completed()))
    assert [event.part.id for event in events if isinstance(event, PartStart)] == ["c1", "c2"]
    assert events[-1] == End()


@pytest.mark.parametrize("keep", ["response.output_item.done", "response.completed"])
def test_a_server_without_deltas(keep):
    items = [event["item"] for event in TURN if event["type"] == "response.output_item.done"]
    told = [event for event in TURN if event["type"] == keep]
    events = read(sse(CREATED, *told, completed(output=items)))
    texts = ["".join(d.value for d in events if isinstance(d, Delta) and d.index == i) for i in range(3)]
    assert texts == ["First.gAAAA", "Hello 👋🏽", '{"a":1}']
    assert Finish("tool_calls") in events


def test_a_server_that_forgets_parts_and_created():
    events = read(sse(event("output_text.delta", 0, content_index=0, delta="x"), completed()))
    assert events[:4] == [
        Start(id="", model="", dialect="openai.responses"),
        PartStart(0, Text(text="")),
        Delta(0, "x"),
        PartEnd(0),
    ]


def test_two_contents_are_two_parts():
    both = [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}]
    events = read(
        sse(
            CREATED,
            added(0, type="message", role="assistant", content=[]),
            event("output_text.delta", 0, content_index=0, delta="a"),
            event("refusal.delta", 0, content_index=1, delta="b"),
            done(0, type="message", role="assistant", content=both),
            completed(),
        )
    )
    assert [e.part.refusal for e in events if isinstance(e, PartStart)] == [False, True]
    assert [e.value for e in events if isinstance(e, Delta)] == ["a", "b"]


def test_unknown_items_come_whole_with_their_fragment():
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed", "arguments": {"odd": 1}}
    searching = {"type": "response.web_search_call.searching", "output_index": 0, "delta": {"not": "text"}}
    part = next(
        e.part for e in read(sse(CREATED, added(0, **item), searching, done(0, **item), completed())) if isinstance(e, PartStart)
    )
    assert isinstance(part, Generic)
    assert json.loads(bytes(part.native)) == item


def test_custom_calls_refusals_annotations_logprobs_and_keepalives():
    custom = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "apply_patch"}
    note = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    cited = text(2, "x")
    cited.insert(3, event("output_text.annotation.added", 2, content_index=0, annotation_index=0, annotation=note))
    cited[2]["logprobs"] = [{"token": "x", "logprob": -0.5}]
    events = read(
        sse(
            CREATED,
            {"type": "keepalive"},
            added(0, **custom, input=""),
            event("custom_tool_call_input.delta", 0, delta="*** Begin"),
            event("custom_tool_call_input.done", 0, input="*** Begin Patch"),
            done(0, **custom, input="*** Begin Patch"),
            *text(1, "No.", kind="refusal"),
            *cited,
            completed(),
        )
    )
    assert Ping() in events
    assert [e.part for e in events if isinstance(e, PartStart)] == [
        ToolCall(id="c1", name="apply_patch", arguments="", kind="custom"), Text(text="", refusal=True), Text(text=""),
    ]  # fmt: skip
    assert [e.value for e in events if isinstance(e, Delta)] == ["*** Begin", " Patch", "No.", "x", json.dumps(note)]
    assert [json.loads(bytes(e.value)) for e in events if isinstance(e, Logprobs)] == [[{"token": "x", "logprob": -0.5}]]


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (b"", "cut"),
        (b"event: response.completed\n", "cut"),
        (b"data: {oops\n\n", "server"),
        (b'data: {"type":"response.output_text.delta","delta":7}\n\n', "server"),
        (b'data: {"type":"response.completed","response":"what"}\n\n', "server"),
        (sse({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None}), "rate_limited"),
        (sse({"type": "error", "error": {"type": "server_error", "message": "oops"}}), "server"),
        (sse({"type": "error", "error": {"code": "insufficient_quota", "message": "pay"}}), "quota"),
        (b'data: {"error":{"message":"no type"}}\n\n', "server"),
        (sse(completed("failed", error={"code": "server_error", "message": "oops"})), "server"),
        (sse(completed("failed", error={"code": "context_length_exceeded", "message": "long"})), "context"),
        (sse(completed("failed", error={"code": "invalid_prompt", "message": "bad"})), "invalid"),
        (sse(completed("failed", error=None)), "server"),
    ],
)
def test_failures(last, kind):
    events = read(sse(*TURN) + last + (sse(completed()) if b"oops\n\n" in last else b""))
    assert isinstance(events[-1], Failure)
    assert events[-1].error.kind == kind
    assert not [event for event in events if isinstance(event, (Finish, End))]


def test_nothing_follows_the_end():
    assert read(sse(*TURN, completed()) + b"data: [DONE]\n\n" + sse(CREATED))[-1] == End()


STREAMS = [
    sse(*TURN, completed()),
    sse(*TURN, completed()).replace(b"\n", b"\r\n"),
    sse(*TURN),
    sse(*TURN) + b"data: {oops\n\n",
    b": ping\n\n" + sse(*TURN, completed()).rstrip(b"\n"),
]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(STREAMS), st.data())
def test_the_same_events_however_the_bytes_are_split(data, draw):
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=30)))
    assert plain(read(data, cuts)) == plain(read(data))


def test_byte_by_byte():
    assert read(STREAMS[1], range(1, len(STREAMS[1]))) == read(STREAMS[0])

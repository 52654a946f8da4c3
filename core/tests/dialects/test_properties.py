"""What holds for every request and every stream of the three dialects of callers, whatever is in it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs

from lynkr_core import sse
from lynkr_core.errors import InvalidRequest
from lynkr_core.events import End, Failure, PartStart
from lynkr_core.request import Blob, Message, Reasoning, Request, Text, Tool, ToolCall, ToolCallResponse, ToolChoice
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.contracts.streams import comparable, decoded, spoken
from lynkr_core.testing.factories import find_dialect
from lynkr_core.testing.rich import RICH, SHORT

NAMES = ("openai.chat", "anthropic.messages", "openai.responses")
dialects = pytest.mark.parametrize("name", NAMES)
quick = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)

# JSON as it is written: a number keeps its spelling, a text its escapes
NUMBERS = st.sampled_from(["0", "-0", "1", "2.50", "1e5", "1E+5", "-0.0", "1.0", "123456789012345678901234567890", "1e-7"])
TEXTS = st.one_of(
    TEXT.map(json.dumps), TEXT.map(lambda t: json.dumps(t, ensure_ascii=False)), st.sampled_from([r'"\u00e9\/"', r'"😀"'])
)
SPACES = st.sampled_from(["", " ", "\n  "])
LEAVES = st.one_of(NUMBERS, TEXTS, st.sampled_from(["null", "true", "false", "[]", "{}"]))


def arrays(inner):
    return st.tuples(SPACES, st.lists(inner, max_size=3)).map(lambda pair: "[" + f",{pair[0]}".join(pair[1]) + "]")


def objects(inner):
    pairs = st.dictionaries(TEXT, inner, max_size=3).map(lambda d: [f"{json.dumps(key)}:{value}" for key, value in d.items()])
    return st.tuples(SPACES, pairs).map(lambda pair: "{" + f",{pair[0]}".join(pair[1]) + "}")


VALUES = st.recursive(LEAVES, lambda inner: arrays(inner) | objects(inner), max_leaves=8)


def body(name: str, extra: list[str], inner: str, words: list[str]) -> bytes:
    """A request with these values at unknown keys, in its messages and in a tool's schema."""
    unknown = "".join(f',"x_{n}":{value}' for n, value in enumerate(extra))
    texts = [f'{{"role":"user","content":{word},"x_in":{inner}}}' for word in words]
    messages = ",".join(texts)
    if name == "openai.responses":
        tool = f'{{"type":"function","name":"f","parameters":{{"default":{inner}}}}}'
        return f'{{"input":[{messages}],"model":"m","tools":[{tool}]{unknown},"top_p":0.50}}'.encode()
    if name == "openai.chat":
        tool = f'{{"type":"function","function":{{"name":"f","parameters":{{"default":{inner}}}}}}}'
        return f'{{"model":"m","messages":[{messages}],"tools":[{tool}]{unknown},"top_p":0.50}}'.encode()
    tool = f'{{"name":"f","input_schema":{{"default":{inner}}}}}'
    return f'{{"max_tokens":9,"model":"m","messages":[{messages}],"tools":[{tool}]{unknown},"top_p":0.50}}'.encode()


@dialects
@quick
@given(st.lists(VALUES, max_size=3), VALUES, st.lists(TEXTS, min_size=1, max_size=3))
def test_the_same_dialect_changes_no_byte_but_the_model(name, extra, inner, words):
    dialect = find_dialect(name)
    sent = body(name, extra, inner, words)
    fields: dict[str, Any] = dict(dialect.peek(sent).fields)
    fields["model"] = "other"
    dialect.prepare(fields, dialect.peek(sent), False)
    assert msgspec.json.encode(fields) == sent.replace(b'"model":"m"', b'"model":"other"', 1)


@dialects
@quick
@given(st.lists(VALUES, max_size=2), VALUES, st.lists(TEXTS, min_size=2, max_size=4), st.integers(0, 1))
def test_one_changed_part_leaves_every_other_byte(name, extra, inner, words, place):
    dialect = find_dialect(name)
    sent = body(name, extra, inner, words)
    request = dialect.decode_request(dialect.peek(sent))
    message = request.messages[place]
    parts = (Text(text="changed"),)
    changed = (*request.messages[:place], message.edit(parts=parts), *request.messages[place + 1 :])
    fields = dialect.encode_request(request.edit(messages=changed), [])
    old = f'"content":{words[place]},"x_in"'.encode()
    before, at = sent, 0
    for _ in range(place + 1):
        at = before.index(b'{"role":"user"', at + 1)
    written = msgspec.json.encode(fields)
    assert written == before[:at] + before[at:].replace(old, b'"content":"changed","x_in"', 1)


@dialects
def test_of_a_key_that_comes_twice_the_last_counts_and_inside_values_both_stay(name):
    dialect = find_dialect(name)
    sent = body(name, ['{"a":1,"a":2}'], "1", ['"hi"']).replace(b'"top_p":0.50', b'"top_p":0.50,"top_p":0.75')
    fields = dialect.peek(sent).fields
    assert (bytes(fields["top_p"]), bytes(fields["x_0"])) == (b"0.75", b'{"a":1,"a":2}')


@dialects
@pytest.mark.parametrize("half", [r"\ud83d", r"\ude00", r"\uD83D x", r"\ude00\ud83d"])
def test_half_a_character_is_refused_with_its_place(name, half):
    place = {"openai.responses": "input[1].content"}.get(name, "messages[1].content")
    with pytest.raises(InvalidRequest) as refused:
        find_dialect(name).peek(body(name, [], "1", ['"hi"', f'"a{half}"']))
    assert refused.value.param == place
    assert "surrogate" in str(refused.value)


@dialects
@pytest.mark.parametrize("text", [r"😀", r"\\ud83d", r"\\\\ud83d", r"\\\ud83d\ude00"])
def test_what_only_looks_like_half_a_character_is_not(name, text):
    assert find_dialect(name).peek(body(name, [], "1", [f'"{text}"'])).model == "m"


BROKEN = {
    "openai.chat": b'{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":BAD}}]}]}',
    "anthropic.messages": b'{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":BAD}]}]}',
    "openai.responses": b'{"model":"m","input":[{"type":"function_call","call_id":"a","name":"f","arguments":BAD}]}',
}


@dialects
@pytest.mark.parametrize("bad", [b'{"a":"\x80"}', b'"\x80"', b'["\xff"]'])
def test_bytes_that_are_no_text_are_an_invalid_request(name, bad):
    dialect = find_dialect(name)
    with pytest.raises(InvalidRequest):
        dialect.decode_request(dialect.peek(BROKEN[name].replace(b"BAD", bad)))


# streams
STREAMS = {name: [b"".join(made[name].events) for made in (RICH, SHORT, CANNED)] for name in NAMES}
LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data", b"event: x", b": ping", b"id: 1", b"retry: 5", b"", b"", "data: ü".encode()]
)


@dialects
@quick
@given(st.data())
def test_a_stream_says_the_same_however_it_is_cut(name, data):
    dialect = find_dialect(name)
    stream = data.draw(st.sampled_from(STREAMS[name])).replace(b"\n", data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert spoken(decoded(dialect, pieces)) == spoken(decoded(dialect, [stream]))


@quick
@given(st.lists(LINES, max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 200), max_size=20))
def test_server_sent_events_are_the_same_however_they_are_cut(lines, ending, cuts):
    stream = ending.join([*lines, b"", b""])
    cuts = sorted(cut for cut in cuts if cut <= len(stream))
    whole, cut = sse.Reader(), sse.Reader()
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = [event for piece in pieces for event in cut.feed(piece)]
    assert [*found, *cut.close()] == [*whole.feed(stream), *whole.close()]


def mutated(draw: Any, stream: bytes) -> bytes:
    """Events lost, repeated, swapped or made anew; bytes changed."""
    events = [event + b"\n\n" for event in stream.split(b"\n\n") if event]
    for _ in range(draw(st.integers(1, 4))):
        place, other = draw(st.integers(0, len(events) - 1)), draw(st.integers(0, len(events) - 1))
        match draw(st.sampled_from(["lose", "repeat", "swap", "junk", "byte", "value"])):
            case "lose" if len(events) > 1:
                del events[place]
            case "repeat":
                events.insert(other, events[place])
            case "swap":
                events[place], events[other] = events[other], events[place]
            case "junk":
                events.insert(place, b"data: " + draw(VALUES).replace("\n", " ").encode() + b"\n\n")
            case "byte":
                at = draw(st.integers(0, len(events[place]) - 1))
                events[place] = events[place][:at] + draw(st.binary(min_size=1, max_size=1)) + events[place][at + 1 :]
            case _:
                old, new = draw(st.sampled_from([b"0", b"1", b'"index"', b'"type"', b"null", b'"f"'])), draw(LEAVES).encode()
                events[place] = events[place].replace(old, new.replace(b"\n", b" "), 1)
    return b"".join(events)


@dialects
@settings(quick, max_examples=120)
@given(st.data())
def test_whatever_a_stream_says_its_events_keep_the_grammar(name, data):
    """`decoded` checks each; here that the stream ends, and well only after it finished."""
    stream = mutated(data.draw, data.draw(st.sampled_from(STREAMS[name])))
    events = decoded(find_dialect(name), [stream])
    assert isinstance(events[-1], End | Failure)
    assert sum(isinstance(event, End | Failure) for event in events) == 1


@dialects
@pytest.mark.parametrize("front", NAMES)
@quick
@given(st.data())
def test_any_events_can_be_written_for_any_caller(name, front, data):
    events = decoded(find_dialect(name), [mutated(data.draw, data.draw(st.sampled_from(STREAMS[name])))])
    dialect = find_dialect(front)
    envelope = structs.replace(dialect.peek(body(front, [], "1", ['"hi"'])), stream=True, usage_asked=True)
    encoder = dialect.encoder(dialect.decode_request(envelope), envelope, 5)
    written = b"".join([encoder.encode(event) for event in events])
    again = decoded(dialect, [written])
    if isinstance(events[-1], Failure):
        assert isinstance(again[-1], Failure)
    elif any(isinstance(event, PartStart) for event in events):
        assert isinstance(again[-1], End)


# requests made here
WORDS = TEXT.filter(lambda text: bool(text.strip()))
CALLED = st.builds(ToolCall, id=st.sampled_from(["a1", "b2"]), name=st.just("f"), arguments=st.sampled_from(["{}", '{"x":1.50}']))
TURNS = st.lists(
    st.one_of(
        st.builds(Message, role=st.just("user"), parts=st.tuples(st.builds(Text, text=WORDS))),
        st.builds(
            Message, role=st.just("user"), parts=st.tuples(st.just(Blob(modality="image", mime_type="image/png", data="AA==")))
        ),
        st.builds(Message, role=st.just("assistant"), parts=st.tuples(st.builds(Text, text=WORDS))),
        st.builds(Message, role=st.just("assistant"), parts=st.tuples(CALLED)),
    ),
    min_size=1,
    max_size=5,
)
TOOLS = st.lists(st.builds(Tool, name=st.just("f"), description=WORDS, parameters=st.just(Raw(b'{"type":"object"}'))), max_size=1)


def made(name: str):
    """Requests that every dialect can say."""
    return st.builds(
        Request, dialect=st.just(name), model=st.just("m"), messages=TURNS.map(tuple), tools=TOOLS.map(tuple),
        system=st.lists(st.builds(Text, text=WORDS), max_size=1).map(tuple), max_tokens=st.integers(16, 9000),
        temperature=st.none() | st.sampled_from([0.0, 0.5, 1.0]), top_p=st.none() | st.just(0.9), stream=st.booleans(),
        user=st.none() | st.just("u"),
    )  # fmt: skip


def said(request: Request) -> dict[str, Any]:
    """What a request says, its prompt wherever that stands."""
    prompt = [part.text for part in request.system if isinstance(part, Text)]
    prompt += [message.text for message in request.messages if message.role == "system"]
    keys = ("model", "max_tokens", "temperature", "top_p", "stream", "user")
    turns = [(m.role, [{**part, "detail": None} for part in comparable(m.parts)]) for m in request.messages if m.role != "system"]
    tools = [(tool.name, tool.description, comparable(tool.parameters)) for tool in request.tools]
    return {key: getattr(request, key) for key in keys} | {"prompt": prompt, "turns": turns, "tools": tools}


@dialects
@quick
@given(st.data())
def test_a_request_made_here_is_read_as_it_was_written(name, data):
    request = data.draw(made(name))
    dialect = find_dialect(name)
    losses: list[str] = []
    again = dialect.decode_request(dialect.peek(msgspec.json.encode(dialect.encode_request(request, losses))))
    assert losses == []
    assert said(again) == said(request)


PARTS = st.one_of(
    st.builds(Text, text=TEXT, refusal=st.booleans()),
    st.builds(Reasoning, text=TEXT, signature=st.none() | TEXT, encrypted=st.none() | TEXT),
    st.builds(ToolCall, id=TEXT, name=TEXT, arguments=TEXT, kind=st.sampled_from(["function", "custom"])),
    st.builds(ToolCallResponse, id=TEXT, content=st.lists(st.builds(Text, text=TEXT), max_size=2).map(tuple), is_error=st.booleans()),
    st.builds(Blob, modality=st.sampled_from(["image", "audio", "video", "document"]), mime_type=st.just("text/plain"), data=TEXT),
)  # fmt: skip
ODD = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
        parts=st.lists(PARTS, max_size=4).map(tuple),
    ),
    max_size=5,
)


@dialects
@pytest.mark.parametrize("source", NAMES)
@quick
@given(ODD, st.lists(st.builds(Tool, name=TEXT, kind=st.sampled_from(["function", "custom", "hologram"])), max_size=2), TEXT)
def test_any_request_of_one_dialect_is_a_good_one_of_another(name, source, messages, tools, choice):
    """However odd it is: what is written can be read again."""
    request = Request(
        dialect=source,
        model="m",
        messages=tuple(messages),
        tools=tuple(tools),
        tool_choice=ToolChoice("tool", choice),
        max_tokens=99,
    )
    dialect = find_dialect(name)
    if name != source:
        fields = dialect.encode_request(request, [])
        assert dialect.decode_request(dialect.peek(msgspec.json.encode(fields))).model == "m"

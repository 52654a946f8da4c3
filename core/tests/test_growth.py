"""A body whose beginning is known is read as it would be without that knowledge."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec import Raw, structs

from lynkr_core.dialects import beginnings, growth
from lynkr_core.dialects.anthropic_messages import AnthropicMessages
from lynkr_core.dialects.beginnings import Beginning, Beginnings, sampled
from lynkr_core.dialects.growth import read_grown
from lynkr_core.dialects.openai_chat import OpenAIChat
from lynkr_core.dialects.pairing import PAIRED, check_chat, check_items, check_turns
from lynkr_core.dialects.surrogates import read_fields
from lynkr_core.errors import InvalidRequest

LONG = "word " * 2000
AGAIN = Beginnings.again


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(growth, "_beginnings", Beginnings())
    monkeypatch.setattr(Beginnings, "again", lambda self, samples: True)


def plain(fields):
    return [(name, bytes(raw)) for name, raw in fields.items()]


def outcome(of, *arguments):
    """What it gives or what it raises."""
    try:
        return of(*arguments)
    except InvalidRequest as error:
        return error.message


def written(messages, before=(), after=(), separators=(",", ":"), key="messages"):
    return json.dumps({**dict(before), key: messages, **dict(after)}, separators=separators, ensure_ascii=False).encode()


def user(text, **more):
    return {"role": "user", "content": text, **more}


def call(id):
    return {"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]}


def result(id):
    return {"role": "tool", "tool_call_id": id, "content": "fine"}


def test_what_was_added_is_told():
    first = [user(LONG), call("a"), result("a")]
    fields, grown = read_grown(written(first, {"model": "m"}, {"stream": True}), "messages", "any")
    assert grown.before is None
    assert json.loads(grown.added) == first
    body = written([*first, user("more")], {"model": "m"}, {"stream": False})
    fields, again = read_grown(body, "messages", "any")
    assert again.before is grown.now
    assert json.loads(again.added) == [user("more")]
    assert again.left == b"[]"
    assert plain(fields) == plain(read_fields(body))
    _, same = read_grown(body, "messages", "any")
    assert (same.before, same.now, same.added) == (again.now, again.now, b"[]")


def test_short_bodies_cost_nothing():
    assert read_grown(written([user("hi")]), "messages", "any")[1] is None
    assert read_grown(written("x" * 10_000, key="input"), "input", "any")[1] is None


@pytest.mark.parametrize(("before", "after"), [({"tools": LONG}, {}), ({}, {"tools": LONG}), ({}, {})])
def test_only_what_seems_to_go_on_is_remembered(monkeypatch, before, after):
    monkeypatch.setattr(Beginnings, "again", AGAIN)
    told, messages = [], [user(LONG)]
    for turn in range(5):
        messages.append(user(f"{turn} {LONG[:900]}"))
        _, grown = read_grown(written(messages, before, after), "messages", "any")
        told.append(None if grown is None else grown.before is not None)
    assert told == [None, False, True, True, True]
    assert read_grown(written([user("y" * 30_000)]), "messages", "any")[1] is None


def test_a_mark_that_moves_leaves_the_beginning_as_it_was():
    marked = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]
    unmarked = [{"type": "text", "text": "x"}]
    told = []
    for turn in range(6):
        old = [user(unmarked), {"role": "assistant", "content": "ok"}] * turn
        _, grown = read_grown(written([user(LONG), *old, user(marked)]), "messages", "any")
        told.append((grown.before is not None, len(json.loads(grown.added)), len(json.loads(grown.left))))
    assert told == [(False, 1, 1), *[(True, 2, 1)] * 5]


@pytest.mark.parametrize(
    "end",
    [b",]}", b"", b"]", b"]]}", b"x]}", b",{}]} ", b',"messages":[]}', b'],"messages":[1]}', b'],"messages":2}', b"]}{}", b'],"a":\x80}',
     b'],"model":"b"}', b" , \n{} ] , \n \"x\" : 1 } ", b',"\\ud800"]}', b",," + b"[" * 3000, b"," + b"[" * 3000, b',1],"a":1,"a":2}'],
)  # fmt: skip
def test_odd_ends_are_read_as_ever(end):
    known = written([user(LONG), user("b")], {"model": "a"})
    before = [outcome(lambda body: plain(read_fields(body)), body) for body in (known, known[:-2] + end)]
    after = [outcome(lambda body: plain(read_grown(body, "messages", "any")[0]), body) for body in (known, known[:-2] + end)]
    assert after == before


def test_only_the_conversation_itself_is_taken_for_it():
    inner = [user(LONG)]
    for before in (
        {"metadata": {"messages": inner}},
        {"x": '"messages":[', "messages ": inner},
        {"mess": [{"messages": 1}], "a": "messages"},
    ):
        for last in ("one", "two"):
            body = written([*inner, user(last)], before, {"stream": True})
            assert plain(read_grown(body, "messages", "any")[0]) == plain(read_fields(body))
    twice = b'{"messages":%b,"messages":%b,"stream":true}' % ((json.dumps(inner).encode(),) * 2)
    for _ in range(3):
        assert plain(read_grown(twice, "messages", "any")[0]) == plain(read_fields(twice))


def conversation(chance):
    """Messages in which results mostly have their calls."""
    made, open_ids = [user(LONG)], []
    for number in range(chance.randint(0, 12)):
        kind = chance.randrange(6)
        if kind < 2:
            id = f"id{number}" + chance.choice(["", "", "__lynkr-b-AAAA"])
            open_ids.append(id)
            made.append(call(id))
        elif kind < 4 and open_ids:
            made.append(result(chance.choice(open_ids)))
        elif kind == 4 and chance.random() < 0.2:
            made.append(result("nobody"))
        else:
            content = {"type": "text", "text": "x" * chance.randrange(3000)}
            made.append(user([content | ({"cache_control": {}} if chance.random() < 0.3 else {})]))
    return made


@settings(max_examples=200, deadline=None)
@given(some.integers(0, 10**9))
def test_turn_by_turn_it_is_as_if_nothing_were_known(seed):
    chance, dialect = random.Random(seed), OpenAIChat()
    whole, head = (
        conversation(chance),
        [("model", "m"), ("tools", [{"type": "function", "function": {"name": "f"}}]), ("user", "é" * 9)],
    )
    chance.shuffle(head)
    cut, separators = chance.randint(0, 3), chance.choice([(",", ":"), (", ", ": "), (" ,\n ", " : ")])
    if chance.random() < 0.5:
        growth._beginnings = Beginnings(texts=chance.choice([0, 30_000, beginnings.TEXTS]))
    for size in sorted(chance.choices(range(1, len(whole) + 1), k=6)):
        body = written(whole[:size], head[:cut], [*head[cut:], ("n", size)], separators)
        told = dialect.peek(body)
        assert plain(told.fields) == plain(read_fields(body))
        assert told.grown.braces == body.count(b"{")
        assert told.grown.counted(b'"role"') == bytes(told.fields["messages"]).count(b'"role"')
        assert told.grown.leading("tools") in (None, told.fields["tools"])
        assert (told.grown.leading("tools") is None) == ("tools" not in dict(head[:cut]))
        assert dialect.decode_request(told) == dialect.decode_request(structs.replace(told, grown=None))
        alone = outcome(check_chat, Raw(bytes(told.fields["messages"])))
        known = outcome(check_chat, told.fields["messages"], told.grown)
        # signatures may be looked for in vain where another conversation that began so had some
        assert known == alone or (known, alone) == (True, False)


def test_of_a_known_beginning_only_the_rest_is_checked(monkeypatch):
    first, dialect = [user(LONG), call("a"), result("a")], OpenAIChat()
    looked = []
    monkeypatch.setattr(
        "lynkr_core.dialects.pairing._chat_signed", lambda raw: looked.append(len(json.loads(bytes(raw)))) or False
    )
    for more in ([], [call("b"), result("b")], [call("b"), result("b")]):
        first += more
        dialect.check(dialect.peek(written(first, {"model": "m"})))
    assert looked == [3, 2, 2]


@pytest.mark.parametrize(
    ("check", "key", "calls", "results"),
    [
        (check_turns, "messages", {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
         {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}),
        (check_items, "input", {"type": "function_call", "call_id": "a"}, {"type": "function_call_output", "call_id": "a", "output": ""}),
        (check_chat, "messages", call("a"), result("a")),
    ],
)  # fmt: skip
def test_results_need_their_calls_in_every_dialect(check, key, calls, results):
    def told(items):
        fields, grown = read_grown(written(items, key=key), key, check.__name__)
        return outcome(check, fields[key], grown)

    assert told([user(LONG)]) is False
    assert "without its call" in told([user(LONG), results])
    assert told([user(LONG), calls]) is False
    assert told([user(LONG), calls, results]) is False
    assert told([user(LONG), calls, results, results]) is False
    assert "without its call" in told([user(LONG), calls, results, json.loads(json.dumps(results).replace('"a"', '"b"'))])


def test_what_is_known_in_one_dialect_is_not_in_another():
    body = written([user(LONG), result("nobody")])
    for check in (check_turns, check_chat):
        fields, grown = read_grown(body, "messages", check.__name__)
        assert grown.before is None
        told = outcome(check, fields["messages"], grown)
    assert "without its call" in told


BLOCKS = (
    {"type": "text", "text": "é" * 900},
    {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
    {"type": "tool_use", "id": "a", "name": "f", "input": {"of": [1.50]}},
    {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "ok"}]},
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "text", "text": "x", "unknown": 1},
    {"type": "unknown"},
    7,
)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("room", [20_000, 200_000, beginnings.TEXTS])
def test_messages_that_are_kept_are_those_that_are_read(monkeypatch, seed, room):
    known = Beginnings(texts=room)
    monkeypatch.setattr(growth, "_beginnings", known)
    chance, dialect, messages = random.Random(seed), AnthropicMessages(), [user(LONG)]
    odd = chance.choice([0, 0, 0.1])
    for _ in range(12):
        for _ in range(chance.randint(1, 3)):
            blocks = chance.choices(BLOCKS[5:] if chance.random() < odd else BLOCKS[:5], k=chance.randint(1, 3))
            messages.append({"role": chance.choice(["user", "assistant"]), "content": chance.choice([blocks, "text"])})
        sent = messages[: chance.choice([len(messages), chance.randint(1, len(messages))])]
        told = dialect.peek(written(sent, {"model": "m"}, {"max_tokens": 9}))
        for _ in range(2):
            request = outcome(dialect.decode_request, told)
            assert request == outcome(dialect.decode_request, structs.replace(told, grown=None))
            if not isinstance(request, str):
                assert bytes(dialect.encode_request(request.edit(top_k=3), [])["messages"]) == bytes(told.fields["messages"])
        assert 0 <= known._room == room - sum(one.size + one._weight for one in known._kept)
        assert all(bool(one.messages) == bool(one._weight) for one in known._kept)
    assert odd or room < beginnings.TEXTS or any(one.messages for one in known._kept)


def test_of_a_conversation_that_goes_on_only_what_was_added_is_decoded(monkeypatch):
    read, known = [], growth.Growth.messages

    def count(of):
        return lambda raw: read.append(len(json.loads(bytes(raw)))) or of(raw)

    monkeypatch.setattr(growth.Growth, "messages", lambda self, of: known(self, count(of)))
    messages = [user(LONG), user("b")]
    for _ in range(3):
        OpenAIChat().decode_request(OpenAIChat().peek(written(messages, {"model": "m"})))
        messages.append(user("more"))
    assert read == [2, 1, 1]


def test_of_older_beginnings_a_digest_is_kept(monkeypatch):
    monkeypatch.setattr(growth, "_beginnings", Beginnings(texts=100_000))
    first, told = [user(LONG)], []
    for turn in range(8):
        first.append(user(f"{turn} {LONG[:5000]}"))
        _, grown = read_grown(written(first), "messages", "any")
        told.append((grown.now, len(json.loads(grown.added))))
    assert [added for _, added in told] == [2, 1, 1, 1, 1, 1, 1, 1]
    assert 0 < sum(len(now._text) for now, _ in told) <= 100_000
    assert not told[0][0]._text
    for turn in range(8):
        body = written(first[: turn + 2])
        assert read_grown(body, "messages", "any")[1].before is told[turn][0]
        other = read_grown(body.replace(b"word", b"ward", 1), "messages", "any")[1].before
        assert other not in [now for now, _ in told]


def test_a_body_is_compared_with_few_others(monkeypatch):
    """Though it has all the samples of many."""
    looked, opens = [], Beginning.opens
    monkeypatch.setattr(Beginning, "opens", lambda self, body: looked.append(self) or opens(self, body))
    for size in range(20_000, 100_000, 2_000):
        read_grown(written([user(f"{size} " + "x" * size), user("")]).replace(f"{size} ".encode(), b"..... "), "messages", "any")
    whole = written([user("..... " + "x" * 100_000)])
    looked.clear()
    assert read_grown(whole, "messages", "any")[1].before is None
    assert len(looked) == beginnings.LOOKS


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(growth, "_beginnings", Beginnings(5))
    for number in range(20):
        body = written([user(f"{number} {LONG}")])
        _, grown = read_grown(body, "messages", "any")
        grown.now.facts[PAIRED] = (False, False)
    for number in range(20):
        read_grown(written([user(LONG), user(str(number))]), "messages", "any")
    assert len(growth._beginnings._known) <= 5
    for number in range(20):
        AGAIN(growth._beginnings, sampled(b"%d" % number * 9000, "any"))
    assert len(growth._beginnings._seen) <= 5
    assert all(len(one) <= beginnings.SIMILAR for one, _ in growth._beginnings._known._kept.values())
    assert read_grown(body, "messages", "any")[1].before is not None

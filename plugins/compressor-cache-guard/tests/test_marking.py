from __future__ import annotations

import pytest

from lynkr_compressor_cache_guard.rules import DATA, made

TOOL = {"name": "get", "description": "Gets it.", "input_schema": {"type": "object"}}
MARK = {"type": "ephemeral"}
LONG = "A fact of some length. " * 300


def marks(value):
    """Every mark with the path to it."""
    if isinstance(value, list):
        return [(f"{place}.{path}", mark) for place, item in enumerate(value) for path, mark in marks(item)]
    if not isinstance(value, dict):
        return []
    own = [("", value["cache_control"])] if "cache_control" in value else []
    return own + [(f"{key}.{path}", mark) for key, item in value.items() if key != "cache_control" for path, mark in marks(item)]


def places(body):
    return [path.strip(".") for path, _ in marks(body)]


@pytest.mark.anyio
async def test_tools_prompt_and_the_last_two_turns_are_marked(talk, make):
    made = talk(guard=make(ttl="5m"))
    for text in ("one", "two", "three"):
        await made.turn(text, tools=[TOOL])
    assert sorted(places(made.sent[0])) == ["messages.0.content.0", "system.0", "tools.0"]
    assert sorted(places(made.sent[2])) == ["messages.2.content.0", "messages.4.content.0", "system.0", "tools.0"]
    assert {tuple(mark.items()) for _, mark in marks(made.sent[2])} == {tuple(MARK.items())}


@pytest.mark.anyio
async def test_a_caller_who_marks_is_left_alone(talk):
    made = talk()
    await made.turn([{"type": "text", "text": LONG, "cache_control": MARK}])
    assert places(made.sent[0]) == ["messages.0.content.0"]
    assert made.guard.status()["marked"] == 0


@pytest.mark.anyio
async def test_what_is_too_small_to_be_kept_is_not_marked(talk):
    small, large, opus = talk(), talk(), talk("opus")
    await small.turn("hi", system="Be brief.")
    await small.turn("hi " * 900, system="Be brief.")
    await large.turn("hi there, you. " * 900, system="Be brief.")
    await opus.turn("hi there, you. " * 600, system="Be brief.")
    assert [places(body) for body in (*small.sent, *opus.sent)] == [[], [], []]
    assert places(large.sent[0]) == ["system.0", "messages.0.content.0"]


@pytest.mark.anyio
async def test_only_where_writing_is_billed(talk):
    made, unpriced = talk("openai", dialect="openai.chat"), talk("unpriced")
    await made.turn(LONG)
    await unpriced.turn(LONG)
    assert (places(made.sent[0]), places(unpriced.sent[0])) == ([], ["system.0", "messages.0.content.0"])


@pytest.mark.anyio
async def test_a_caller_of_another_api_is_marked_too(talk):
    made = talk(dialect="openai.chat")
    made.messages = [{"role": "system", "content": LONG}]
    tool = {"type": "function", "function": {"name": "get", "parameters": {"type": "object"}}}
    for _ in range(2):
        await made.turn("go on", tools=[tool], system=None)
    assert sorted(places(made.sent[1])) == ["messages.0.content.0", "messages.2.content.0", "system.0", "tools.0"]


@pytest.mark.anyio
async def test_thinking_and_empty_texts_are_not_marked(talk):
    made = talk()
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "7"}
    made.messages = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get", "input": {}}]},
    ]
    await made.turn([result, {"type": "text", "text": " "}])
    assert places(made.sent[0]) == ["system.0", "messages.0.content.0", "messages.2.content.0"]


@pytest.mark.anyio
async def test_it_can_be_told_not_to(make, talk):
    made = talk(guard=make(marks=False, affinity=False))
    await made.turn(LONG)
    assert places(made.sent[0]) == []


@pytest.mark.anyio
async def test_a_conversation_has_a_key_of_its_own_where_that_helps(talk, make):
    guard = make()
    keys = []
    for name, principal in (("s1", "p1"), ("s1", "p2"), ("s2", "p1"), ("s1", "p1")):
        made = talk("openai", name, guard=guard, principal=principal, dialect="openai.chat")
        await made.turn(LONG)
        keys.append(made.sent[0]["prompt_cache_key"])
    own = talk("openai", guard=guard, dialect="openai.chat")
    await own.turn(LONG, prompt_cache_key="mine")
    assert keys[0] == keys[3]
    assert len(set(keys)) == 3
    assert own.sent[0]["prompt_cache_key"] == "mine"
    small = talk("openai", guard=guard, dialect="openai.chat")
    await small.turn("hi", system=None)
    assert "prompt_cache_key" not in small.sent[0]


def test_what_is_known_of_a_candidate_comes_from_data_and_prices(talk):
    assert DATA.marks["anthropic.messages"] == 4
    rule = made(talk().candidate, "openai.chat")
    assert (rule.marks, rule.smallest, rule.read, rule.write, rule.write_1h) == (4, 1024, pytest.approx(0.1), 1.25, 2.0)

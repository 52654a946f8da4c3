"""Which text is taken for the last thing a human asked. Bodies are hand-made after `clients.md` §3."""

from __future__ import annotations

import random

import msgspec
import pytest

from lynkr_core.dialect import read_fields
from lynkr_core.dialects import growth
from lynkr_core.testing import factories
from lynkr_scorer_heuristic import ask as ask_module
from lynkr_scorer_heuristic.ask import NOTHING, RESULTS, Ask, last_ask

USER = {"role": "user", "content": "fix it"}


def ask_of(**body: object) -> Ask:
    return last_ask(read_fields(msgspec.json.encode(body)))


def test_the_last_user_turn_counts():
    assert ask_of(messages=[{"role": "user", "content": "old"}, {"role": "assistant", "content": "x"}, USER]).text == "fix it"


def test_an_answer_begun_by_the_caller_is_passed_over():
    assert ask_of(messages=[USER, {"role": "assistant", "content": "{"}]).text == "fix it"


def test_a_system_turn_in_the_middle_is_passed_over():
    assert ask_of(messages=[USER, {"role": "system", "content": "prove that"}]).text == "fix it"


def test_blocks_are_joined_and_reminders_dropped():
    blocks = [
        {"type": "text", "text": "<system-reminder>skills: prove, design</system-reminder>"},
        {"type": "image", "source": {"type": "base64", "data": "eA=="}},
        {"type": "text", "text": "what is on it?", "cache_control": {"type": "ephemeral"}},
    ]
    assert ask_of(messages=[{"role": "user", "content": blocks}]).text == "what is on it?"


@pytest.mark.parametrize(
    "last",
    [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "prove it"}]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "prove it"}]},
        {"role": "function", "name": "f", "content": "prove it"},
    ],
)
def test_tool_results_are_never_the_ask(last):
    assert ask_of(messages=[USER, {"role": "assistant", "content": ""}, last]) == Ask("fix it", 1)


def test_results_whose_ask_is_out_of_sight_are_results_of_nothing():
    results = [{"role": "tool", "tool_call_id": "c", "content": "x"}] * 100
    assert ask_of(messages=results[:1]) == RESULTS
    assert ask_of(messages=[USER, *results]).text == ""


def test_text_beside_tool_results_is_the_ask():
    blocks = [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}, {"type": "text", "text": "now stop"}]
    assert ask_of(messages=[{"role": "user", "content": blocks}]).text == "now stop"


def test_a_reminder_after_tool_results_leaves_only_tool_results():
    blocks = [{"type": "tool_result", "tool_use_id": "t"}, {"type": "text", "text": "<system-reminder>x</system-reminder>"}]
    assert ask_of(messages=[USER, {"role": "user", "content": blocks}]) == Ask("fix it", 1)


def test_a_turn_of_envelopes_only_is_passed_over():
    envelope = {"role": "user", "content": "<environment_context>\n<cwd>/x</cwd>\n</environment_context>"}
    assert ask_of(messages=[USER, envelope]).text == "fix it"


def test_an_image_alone_says_nothing():
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}
    assert ask_of(messages=[USER, image]) == NOTHING


def test_responses_input_as_text_and_as_items():
    assert ask_of(input="fix it", instructions="be brief").text == "fix it"
    items = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "fix it"}]},
        {"type": "reasoning", "content": None, "encrypted_content": "abc"},
    ]
    assert ask_of(input=items).text == "fix it"
    assert ask_of(input=[*items, {"type": "function_call_output", "call_id": "c", "output": "prove"}]) == Ask("fix it", 1)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None},
        {"messages": 7},
        {"messages": []},
        {"messages": [1, "x", None]},
        {"messages": [{"role": 5, "content": "x"}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": {"a": 1}}]},
        {"messages": [{"role": "user", "content": ["x", 3]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
        {"input": ["a", "b"]},
    ],
)
def test_junk_says_nothing(body, score):
    assert ask_of(**body) == NOTHING
    found = score({"model": "auto", **body})
    assert (found.value, found.reason, found.ask) == (40.0, "no human text", None)


def test_bytes_that_are_no_utf8_say_nothing():
    assert last_ask(read_fields(b'{"messages":[{"role":"user","content":"\xff\xfe\x00\x80"}]}'.replace(b"\x00", b" "))) == NOTHING


TURNS = (
    USER,
    {"role": "user", "content": "y" * 4_001},
    {"role": "user", "content": [{"type": "text", "text": "and then", "cache_control": {"type": "ephemeral"}}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
    {"role": "user", "content": "<system-reminder>x</system-reminder>"},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": "x"},
    7,
)


@pytest.mark.parametrize("dialect", ["openai.chat", "anthropic.messages"])
@pytest.mark.parametrize("seed", range(30))
def test_where_a_conversation_goes_on_its_ask_is_that_of_the_whole(monkeypatch, dialect, seed):
    monkeypatch.setattr(growth, "_beginnings", growth.Beginnings())
    monkeypatch.setattr(growth.Beginnings, "again", lambda self, samples: True)
    chance, gone_on = random.Random(seed), 0
    asks, others, junk = TURNS[:3], TURNS[3:-1], TURNS[-1:]
    messages = [{"role": "system", "content": "z" * 9_000}, USER]
    for _ in range(30):
        kinds = chance.choices([asks, others, junk], [1, 30, 0.1])[0]
        messages += [chance.choice(kinds) for _ in range(chance.randint(1, 9))]
        sent = factories.exchange({"model": "auto", "messages": messages}, dialect=dialect)
        told = last_ask(read_fields(sent.body))
        assert ask_module.ask_of(sent) == told
        assert ask_module.ask_of(sent) == told
        gone_on += sent.envelope.grown.before is not None
    assert gone_on


def test_an_ask_that_goes_out_of_sight_does_so_where_a_conversation_goes_on(monkeypatch):
    monkeypatch.setattr(growth, "_beginnings", growth.Beginnings())
    monkeypatch.setattr(growth.Beginnings, "again", lambda self, samples: True)
    messages, told = [{"role": "system", "content": "z" * 9_000}, USER], []
    for _ in range(70):
        messages.append({"role": "tool", "tool_call_id": "c", "content": "x"})
        sent = factories.exchange({"model": "auto", "messages": messages}, dialect="openai.chat")
        told.append(ask_module.ask_of(sent))
        assert told[-1] == last_ask(read_fields(sent.body))
    assert [ask.text for ask in told] == ["fix it"] * 64 + [""] * 6


def test_of_what_goes_on_only_the_end_is_read(monkeypatch):
    monkeypatch.setattr(growth, "_beginnings", growth.Beginnings())
    monkeypatch.setattr(growth.Beginnings, "again", lambda self, samples: True)
    looked, elements = [], ask_module.elements
    monkeypatch.setattr(ask_module, "elements", lambda items: looked.append(len(items)) or elements(items))
    messages = [{"role": "user", "content": "fix it " * 300}, {"role": "assistant", "content": "z" * 9_000}]
    for turn in range(6):
        sent = factories.exchange({"model": "auto", "messages": messages}, dialect="openai.chat")
        assert ask_module.ask_of(sent) == Ask(("fix it " * 300).strip(), 2 * turn)
        messages += [{"role": "tool", "tool_call_id": "c", "content": "x" * 500}] * 2
    assert len(looked) > 6
    assert sum(looked) < 20_000

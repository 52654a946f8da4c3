"""Lines 1 to 10 of the translation checklist: ids and tools. Scripts are hand-made from what Ollama, Kimi and Google's layer send."""

from __future__ import annotations

import re

import pytest

from . import column_anthropic_messages, column_openai_chat, column_openai_responses, front_messages
from .asking import CHAT, COLUMN, CROSSED, MESSAGES, RESPONSES, Asking
from .features import CALLS, SCHEMA

pytestmark = pytest.mark.anyio
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
call, says = column_openai_chat.call, column_openai_chat.says
use, function = front_messages.use, front_messages.tool


def in_one_chunk(*indexes):
    """Both calls in one chunk, under these indexes or none."""
    calls = [
        {**one, **({} if index is None else {"index": index})}
        for one, index in zip(column_openai_chat.BOTH, indexes, strict=True)
    ]
    return says({"tool_calls": column_openai_chat.BOTH}, "tool_calls", pieces=[{"role": "assistant"}, {"tool_calls": calls}])


@pytest.mark.parametrize("indexes", [(0, 1), (0, 0), (None, None)], ids=["rising", "same", "none"])
@pytest.mark.parametrize("front", [MESSAGES, RESPONSES])
async def test_line_1_parallel_calls_in_one_chunk_stay_apart(ask: Asking, front, indexes):
    heard = (await ask(front, CHAT, in_one_chunk(*indexes), stream=True)).heard()
    assert heard["calls"] == CALLS
    assert heard["order"] == ["call", "call"]


async def test_line_1_an_item_is_closed_before_the_next_is_added(ask: Asking):
    asked = await ask(RESPONSES, MESSAGES, COLUMN[MESSAGES].answers["parallel calls"], stream=True)
    steps = [event["type"].rpartition(".")[2] for event in asked.events() if "output_item" in event["type"]]
    assert steps == ["added", "done", "added", "done"]


@streams
@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_2_text_or_thinking_then_a_call_keep_their_order(ask: Asking, front, back, stream):
    heard = (await ask(front, back, COLUMN[back].answers["thinking, text and calls in order"], stream)).heard()
    assert heard["order"] == ["thinking", "text", "call", "call"]


@pytest.mark.parametrize("content", [None, ""])
async def test_line_2_content_beside_calls_may_be_null_or_empty(ask: Asking, content):
    said = {"role": "assistant", "content": content, "tool_calls": [call("a", "f", "{}")]}
    asked = await ask(
        CHAT, MESSAGES, messages=[front_messages.user("go"), said, {"role": "tool", "tool_call_id": "a", "content": "r"}]
    )
    assert [block["type"] for block in asked.sent["messages"][1]["content"]] == ["tool_use"]


@pytest.mark.parametrize("front", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("arguments", ["", "{}"])
async def test_line_3_no_arguments_are_an_empty_object(ask: Asking, front, arguments):
    for stream in (False, True):
        asked = await ask(front, CHAT, says({"tool_calls": [call("b", "g", arguments)]}, "tool_calls"), stream)
        assert asked.heard()["calls"] == [("g", {})]


async def test_line_3_the_block_opens_with_an_empty_object_and_its_delta_has_braces(ask: Asking):
    asked = await ask(MESSAGES, CHAT, says({"tool_calls": [call("b", "g", "")]}, "tool_calls"), stream=True)
    blocks = [event for event in asked.events() if event["type"].startswith("content_block")]
    assert blocks[0]["content_block"]["input"] == {}
    assert "".join(event["delta"]["partial_json"] for event in blocks[1:-1]) == "{}"


@streams
@pytest.mark.parametrize("arguments", ["{broken", "broken", "{'x': 1}", "[1]", "{", " "])
async def test_line_4_arguments_that_are_no_json_can_be_parsed(ask: Asking, arguments, stream):
    asked = await ask(MESSAGES, CHAT, says({"tool_calls": [call("j", "f", arguments)]}, "tool_calls"), stream)
    [(_, given)] = asked.heard()["calls"]
    assert given == ({"input": arguments} if arguments.strip() else {})


@pytest.mark.parametrize("id", ["functions.get_weather:0", "call|fc", "x" * 90, "ünïcode"])
@pytest.mark.parametrize("front", [MESSAGES, RESPONSES])
async def test_line_5_ids_from_elsewhere_are_the_same_in_call_and_result(ask: Asking, id, front):
    asked = await ask(front, CHAT, says({"tool_calls": [call(id, "f", "{}")]}, "tool_calls"))
    if front == MESSAGES:
        made = asked.answer.json()["content"][0]["id"]
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", made)
        back = [front_messages.user("go"), {"role": "assistant", "content": [{**use(made), "id": made}]},
                front_messages.user([front_messages.result(made, "r")])]  # fmt: skip
        again = await ask(front, CHAT, messages=back, tools=[function()])
    else:
        item = asked.answer.json()["output"][0]
        assert item["id"].startswith("fc_")
        assert item["id"] != item["call_id"]
        result = {"type": "function_call_output", "call_id": item["call_id"], "output": "r"}
        again = await ask(front, CHAT, input=[{"role": "user", "content": "go"}, item, result])
    sent = again.sent["messages"]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"]
    assert len(sent[2]["tool_call_id"]) <= 64


@pytest.mark.parametrize("content", ["", [], "plain", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]])
async def test_line_6_results_of_every_form_reach_every_provider(ask: Asking, content):
    back = [*front_messages.ONE_CALL, front_messages.user([{"type": "text", "text": "so"}, front_messages.result("a1", content)])]
    chat = (await ask(MESSAGES, CHAT, messages=back, tools=[function()])).sent["messages"]
    assert [message["role"] for message in chat] == ["user", "assistant", "tool", "user"], "results come first"
    items = (await ask(MESSAGES, RESPONSES, messages=back, tools=[function()])).sent["input"]
    assert [item.get("type") for item in items[-2:]] == ["function_call_output", "message"]
    assert items[-2]["output"] in ("", content, [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}])


@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_7_no_choice_among_tools_is_sent_without_tools(ask: Asking, front, back):
    choice = {"type": "auto", "disable_parallel_tool_use": True} if front == MESSAGES else "auto"
    sent = (await ask(front, back, tool_choice=choice)).sent
    assert not {"tool_choice", "parallel_tool_calls", "tools"} & set(sent)


@pytest.mark.parametrize("choice", [{"type": "auto"}, {"type": "any"}, {"type": "none"}, {"type": "tool", "name": "f"}])
async def test_line_7_every_choice_has_its_word(ask: Asking, choice):
    words = {"auto": "auto", "any": "required", "none": "none", "tool": {"type": "function", "function": {"name": "f"}}}
    sent = (await ask(MESSAGES, CHAT, tools=[function()], tool_choice=choice)).sent
    assert sent["tool_choice"] == words[choice["type"]]


@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_8_schemas_arrive_whole(ask: Asking, front, back):
    schema = {**SCHEMA, "$schema": "http://json-schema.org/draft-07/schema#", "$defs": {"a": {"const": 1}}, "properties": {
        "x": {"$ref": "#/$defs/a"}, "y": {"exclusiveMinimum": 0.5, "type": ["number", "null"]}}}  # fmt: skip
    tool = {CHAT: {"type": "function", "function": {"name": "f", "parameters": schema}}, MESSAGES: function(input_schema=schema),
            RESPONSES: {"type": "function", "name": "f", "parameters": schema}}[front]  # fmt: skip
    sent = (await ask(front, back, tools=[tool])).sent["tools"][0]
    found = {
        CHAT: lambda: sent["function"]["parameters"],
        MESSAGES: lambda: sent["input_schema"],
        RESPONSES: lambda: sent["parameters"],
    }
    assert found[back]() == schema


async def test_line_8_names_have_at_most_64_characters(ask: Asking):
    names = [f"mcp__{'server' * 12}__{tool}" for tool in ("read", "write")] + ["dotted.name"]
    for back in (CHAT, RESPONSES):
        sent = (await ask(MESSAGES, back, tools=[function(name) for name in names])).sent["tools"]
        made = [tool["function"]["name"] if back == CHAT else tool["name"] for tool in sent]
        assert len(set(made)) == 3
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in made)


KINDS = {
    RESPONSES: [
        {"type": "namespace", "name": "ns", "description": "d", "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}]},
        {"type": "web_search"}, {"type": "custom", "name": "p", "format": {"type": "grammar", "syntax": "lark", "definition": "s: /./"}},
    ],
    MESSAGES: [{"type": "web_search_20250305", "name": "web_search"}, {"type": "bash_20250124", "name": "bash"},
               {"name": "DeferredToolPlaceholder", "input_schema": SCHEMA, "defer_loading": True}],
    CHAT: [{"type": "custom", "custom": {"name": "p", "format": {"type": "text"}}}],
}  # fmt: skip


@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_9_kinds_of_tools_that_a_provider_lacks_are_never_an_error(ask: Asking, front, back):
    asked = await ask(front, back, tools=KINDS[front])
    assert asked.answer.status == 200
    assert "tools" in asked.told


@streams
async def test_line_10_a_call_keeps_its_vendors_signature(ask: Asking, stream):
    """For clients that keep it; for the others it travels in the call's id (provider-google)."""
    signed = {**call("a", "f", "{}"), "extra_content": {"google": {"thought_signature": "c2ln"}}}
    asked = await ask(CHAT, CHAT, says({"tool_calls": [signed]}, "tool_calls"), stream)
    assert '"thought_signature":"c2ln"' in asked.answer.text
    back = [front_messages.user("go"), {"role": "assistant", "content": None, "tool_calls": [signed]},
            {"role": "tool", "tool_call_id": "a", "content": "r"}]  # fmt: skip
    assert (await ask(CHAT, CHAT, messages=back)).sent["messages"][1]["tool_calls"] == [signed]


def test_the_columns_are_those_that_answer_here():
    assert {column_anthropic_messages.NAME, column_openai_chat.NAME, column_openai_responses.NAME} == {CHAT, MESSAGES, RESPONSES}

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from lynkr_core.dialect import read_fields
from lynkr_core.dialects.anthropic_messages import AnthropicMessages
from lynkr_core.dialects.openai_chat import OpenAIChat
from lynkr_core.dialects.openai_chat.quirks import (
    ANY,
    KEPT,
    OBJECT,
    STRIPPED,
    Instead,
    Messages,
    Quirks,
    Thinking,
    Tools,
    refused,
)

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def applied(quirks: Quirks, body: dict[str, Any]) -> tuple[dict[str, Any], list[str], bool]:
    """What goes out of a body that came in this API, what was lost, and whether `apply` says that it changed something."""
    fields: dict[str, Any] = dict(read_fields(msgspec.json.encode(body)))
    losses: list[str] = []
    changed = quirks.apply(fields, losses)
    return msgspec.json.decode(msgspec.json.encode(fields)), losses, changed


def messages(quirks: Messages, *items: dict[str, Any]) -> tuple[list[Any], list[str]]:
    after, losses, changed = applied(Quirks(messages=quirks), {"messages": list(items)})
    assert changed == (after["messages"] != list(items))
    return after["messages"], losses


def test_an_empty_table_changes_nothing() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi", "x": 1}], "n": 3}
    assert applied(Quirks(), body) == (body, [], False)


@pytest.mark.parametrize(
    ("quirks", "before", "after", "losses"),
    [
        (Quirks(rename={"seed": "random_seed"}), {"seed": 1}, {"random_seed": 1}, []),
        (Quirks(rename={"a": "b"}), {"a": 1, "b": 2}, {"b": 2}, ["a: b was given too"]),
        (Quirks(rename={"a": "b"}), {"a": 1, "b": None}, {"b": 1}, []),
        (Quirks(drop=refused("nobody reads it", "a", "b")), {"a": 1, "b": None}, {}, ["a: nobody reads it"]),
        (Quirks(drop=refused("", "stream_options")), {"stream_options": {}}, {}, []),
        (Quirks(allow=frozenset({"a"})), {"a": 1, "z": 2}, {"a": 1}, ["z: the provider has no such parameter"]),
        (Quirks(most={"t": 1}), {"t": 1.5}, {"t": 1}, ["t: 1.5 is over the provider's 1, which was sent"]),
        (Quirks(most={"t": 1}), {"t": 0.5}, {"t": 0.5}, []),
        (Quirks(most={"t": 1}), {"t": "high"}, {"t": "high"}, []),
    ],
)
def test_top_level_keys(quirks: Quirks, before: dict[str, Any], after: dict[str, Any], losses: list[str]) -> None:
    assert applied(quirks, before) == (after, losses, before != after)


CHOICES = Quirks(
    values={
        "tool_choice": {"required": Instead({"tool_choice": "any"}), OBJECT: Instead(loss="no names here"), ANY: KEPT},
        "n": {"1": KEPT, ANY: Instead(loss="one answer only")},
        "effort": {"none": Instead({"thinking": {"type": "disabled"}})},
    }
)


@pytest.mark.parametrize(
    ("before", "after", "losses"),
    [
        ({"tool_choice": "required"}, {"tool_choice": "any"}, []),
        ({"tool_choice": "auto"}, {"tool_choice": "auto"}, []),
        ({"tool_choice": {"type": "function"}}, {}, ["tool_choice: no names here"]),
        ({"n": 1}, {"n": 1}, []),
        ({"n": 2}, {}, ["n: one answer only"]),
        ({"n": None}, {"n": None}, []),
        ({"effort": "none"}, {"thinking": {"type": "disabled"}}, []),
        ({"effort": "none", "thinking": {"type": "x"}}, {"thinking": {"type": "x"}}, []),
        ({"effort": "high"}, {"effort": "high"}, []),
    ],
)
def test_values_are_replaced(before: dict[str, Any], after: dict[str, Any], losses: list[str]) -> None:
    assert applied(CHOICES, before) == (after, losses, before != after)


def test_values_made_here_are_compared_like_those_of_the_wire() -> None:
    fields: dict[str, Any] = {"tool_choice": {"type": "function", "function": {"name": "f"}}, "n": 2, "effort": "none"}
    losses: list[str] = []
    assert CHOICES.apply(fields, losses)
    assert fields == {"thinking": {"type": "disabled"}}
    assert losses == ["tool_choice: no names here", "n: one answer only"]


def test_untouched_messages_keep_their_bytes() -> None:
    raw = b'[{"role":"user","content":"a",  "x":2.50},{"role":"assistant","content":"b","reasoning_content":"hm"}]'
    fields: dict[str, Any] = {"messages": Raw(raw)}
    assert Quirks(messages=Messages(thinking=STRIPPED)).apply(fields, losses := [])
    assert msgspec.json.encode(fields["messages"]) == raw.replace(b',"reasoning_content":"hm"', b"")
    assert losses == ["messages: earlier reasoning is refused by the provider"]


def test_nothing_is_decoded_when_the_bytes_are_not_there() -> None:
    fields: dict[str, Any] = {"messages": Raw(b"this is no JSON"), "tools": Raw(b"nor is this")}
    quirks = Quirks(messages=Messages(thinking=STRIPPED, drop={"name": ""}), tools=Tools(schema=frozenset({"$schema"})))
    assert not quirks.apply(fields, [])


@pytest.mark.parametrize("wrong", [b"7", b'"role"', b'[7,"role",null]', b'[{"role":7,"content":{}}]', b'{"role":1}', b'["role"'])
def test_what_is_no_message_is_left_to_the_provider(wrong: bytes) -> None:
    fields: dict[str, Any] = {"messages": Raw(wrong)}
    everything = Messages(
        thinking=Thinking(missing="all"), drop={"x": ""}, allow={"user": frozenset({"role"})}, no_nulls=True, text_only=True,
        prefill="partial", alternate=True, no_empty_answers=True, id_length=9,
    )  # fmt: skip
    Quirks(messages=everything).apply(fields, [])
    assert "messages" in fields


@pytest.mark.parametrize(
    ("thinking", "message", "after"),
    [
        (Thinking(), {"reasoning": "hm"}, {"reasoning_content": "hm"}),
        (Thinking("reasoning"), {"reasoning_content": "hm"}, {"reasoning": "hm"}),
        (Thinking(), {"tool_calls": [CALL]}, {"tool_calls": [CALL]}),
        (Thinking(missing="calls"), {"content": "a"}, {"content": "a"}),
        (Thinking(missing="calls"), {"tool_calls": [CALL]}, {"tool_calls": [CALL], "reasoning_content": " "}),
        (Thinking(missing="all"), {"content": "a"}, {"content": "a", "reasoning_content": " "}),
        (Thinking(missing="all"), {"reasoning_content": ""}, {"reasoning_content": " "}),
        (Thinking(missing="all"), {"reasoning_content": "hm"}, {"reasoning_content": "hm"}),
        (STRIPPED, {"reasoning": None}, {}),
    ],
)
def test_earlier_thinking(thinking: Thinking, message: dict[str, Any], after: dict[str, Any]) -> None:
    role = {"role": "assistant"}
    assert messages(Messages(thinking=thinking), role | message) == ([role | after], [])


def test_keys_of_messages() -> None:
    named = {"role": "user", "content": "a", "name": "Ann"}
    assert messages(Messages(drop={"name": "refused"}), named) == ([{"role": "user", "content": "a"}], ["messages.name: refused"])
    allow = {"user": frozenset({"role", "content"})}
    result = {"role": "tool", "content": "b", "name": "f"}
    assert messages(Messages(allow=allow), named, result) == (
        [{"role": "user", "content": "a"}, result],
        ["messages.name: the provider has no such key in user messages"],
    )
    assert messages(Messages(no_nulls=True), {"role": "assistant", "content": None, "x": 0}) == (
        [{"role": "assistant", "x": 0}],
        [],
    )


def test_roles_have_the_providers_words() -> None:
    prompt = {"role": "developer", "content": "be brief"}
    asked = {"role": "user", "content": "are you a developer?"}
    assert messages(Messages(roles={"developer": "system"}), prompt, asked) == ([prompt | {"role": "system"}, asked], [])


def test_keys_of_content_parts_are_dropped() -> None:
    marked = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    plain = {"type": "text", "text": "a"}
    quirks = Messages(parts_drop=frozenset({"cache_control"}))
    after, losses = messages(quirks, {"role": "user", "content": [marked, plain]}, {"role": "user", "content": "cache_control"})
    assert after == [{"role": "user", "content": [plain, plain]}, {"role": "user", "content": "cache_control"}]
    assert losses == ["messages.content.cache_control: the provider refuses it"]


def test_lists_of_text_become_strings() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "b"}]
    after, losses = messages(Messages(text_only=True), {"role": "user", "content": content}, {"role": "user", "content": "c"})
    assert [message["content"] for message in after] == ["a\n\nb", "c"]
    assert losses == ["messages.content: a part of type image_url, the provider reads text only"]


def test_a_last_answer_is_marked_as_a_beginning() -> None:
    asked, begun = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    assert messages(Messages(prefill="partial"), asked, begun) == ([asked, begun | {"partial": True}], [])
    assert messages(Messages(prefill="partial"), begun, asked) == ([begun, asked], [])
    called = {"role": "assistant", "tool_calls": [CALL]}
    assert messages(Messages(prefill="partial"), asked, called) == ([asked, called], [])


def test_empty_answers_are_left_out() -> None:
    empty, called = {"role": "assistant", "content": ""}, {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert messages(Messages(no_empty_answers=True), empty, called) == ([called], [])


def test_roles_alternate() -> None:
    def said(role: str, content: Any) -> dict[str, Any]:
        return {"role": role, "content": content}

    image = {"type": "image_url", "image_url": {"url": "x"}}
    items = [said("system", "s"), said("user", "a"), said("user", [image]), said("assistant", "b"), said("system", "t")]
    after, losses = messages(Messages(alternate=True), *items)
    text = {"type": "text", "text": "a"}
    assert after == [said("system", "s"), said("user", [text, image]), said("assistant", "b"), said("user", "t")]
    assert losses == ["messages: the provider has one system prompt, a later one went into a user message"]
    assert messages(Messages(alternate=True), said("user", "a"), said("user", "b"))[0] == [said("user", "a\n\nb")]


def test_tool_call_ids_have_one_length_in_call_and_result() -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
    after, _ = messages(Messages(id_length=9), {"role": "assistant", "tool_calls": [CALL]}, result)
    id = after[0]["tool_calls"][0]["id"]
    assert (len(id), id.isalnum(), after[1]["tool_call_id"]) == (9, True, id)
    kept = {"role": "tool", "tool_call_id": "abcDEF123", "content": "x"}
    assert messages(Messages(id_length=9), kept)[0] == [kept]


def translated(quirks: Quirks, content: list[dict[str, Any]], **more: Any) -> tuple[dict[str, Any], list[str]]:
    """What goes out of a Messages request with this answer in it."""
    conversation: list[Any] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": content}]
    conversation.append({"role": "user", "content": "c"})
    body = {"model": "m", "max_tokens": 9, "messages": conversation, **more}
    front, losses = AnthropicMessages(), list[str]()
    fields = OpenAIChat().encode_request(front.decode_request(front.peek(msgspec.json.encode(body))), losses)
    quirks.apply(fields, losses)
    return msgspec.json.decode(msgspec.json.encode(fields)), losses


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
SAID = {"type": "text", "text": "b"}


def test_another_dialects_thinking_goes_back_to_those_who_want_it() -> None:
    fields, losses = translated(Quirks(messages=Messages(thinking=Thinking())), [THOUGHT, SAID])
    assert fields["messages"][1] == {"role": "assistant", "content": "b", "reasoning_content": "hm"}
    assert losses == []


def test_another_dialects_thinking_goes_to_nobody_else() -> None:
    for quirks in (Quirks(), Quirks(messages=Messages(thinking=STRIPPED))):
        fields, losses = translated(quirks, [THOUGHT, SAID])
        assert fields["messages"][1] == {"role": "assistant", "content": "b"}
        assert losses == ["reasoning: earlier thinking is good for its own vendor only"]


def test_thinking_stays_with_its_answer_when_a_schema_is_put_before() -> None:
    quirks = Quirks(schema_in_prompt=True, messages=Messages(thinking=Thinking()))
    format = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    fields, losses = translated(quirks, [THOUGHT, SAID], output_config=format)
    assert [message["role"] for message in fields["messages"]] == ["system", "user", "assistant", "user"]
    assert fields["messages"][2]["reasoning_content"] == "hm"
    assert losses == ["response_format: the provider does not hold the model to a schema, it is told in the prompt"]


def test_a_schema_is_told_in_the_prompt() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    conversation = [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]
    body = {"messages": conversation, "response_format": wanted}
    after, losses, _ = applied(Quirks(schema_in_prompt=True), body)
    assert after["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in after["messages"]] == ["system", "system", "user"]
    assert after["messages"][1]["content"].endswith('{"type":"object","properties":{"a":{"type":"integer"}}}')
    assert len(losses) == 1
    assert not applied(Quirks(schema_in_prompt=True), {"response_format": {"type": "json_object"}})[2]


def tool(parameters: Any, **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": parameters, **function}}


def test_words_of_schemas_are_stripped_but_not_names() -> None:
    inner = {"type": "object", "additionalProperties": False, "properties": {"strict": {"type": "string", "$id": "y"}}}
    schema = {"$schema": "x", "properties": {"$schema": inner}, "additionalProperties": {"type": "string"}, "enum": ["$schema"]}
    quirks = Quirks(tools=Tools(drop=frozenset({"strict"}), schema=frozenset({"$schema", "$id", "additionalProperties"})))
    after, losses, _ = applied(quirks, {"tools": [tool(schema, strict=True), tool({})]})
    stripped = {"type": "object", "properties": {"strict": {"type": "string"}}}
    wanted = {"properties": {"$schema": stripped}, "additionalProperties": {"type": "string"}, "enum": ["$schema"]}
    assert after == {"tools": [tool(wanted), tool({})]}
    assert sorted(losses) == [
        f"tools.{key}: the provider refuses it" for key in ("$id", "$schema", "additionalProperties", "strict")
    ]


def test_keys_beside_the_function_are_dropped_too() -> None:
    quirks = Quirks(tools=Tools(drop=frozenset({"cache_control"})))
    after, losses, _ = applied(quirks, {"tools": [tool({}) | {"cache_control": {}}, tool({}, cache_control=None)]})
    assert after == {"tools": [tool({}), tool({})]}
    assert losses == ["tools.cache_control: the provider refuses it"]


def test_tools_of_other_kinds_are_left_out() -> None:
    quirks = Quirks(tools=Tools(kinds=frozenset({"function"})))
    custom = {"type": "custom", "custom": {"name": "patch"}}
    after, losses, _ = applied(quirks, {"tools": [custom, tool({})], "tool_choice": "auto"})
    assert after == {"tools": [tool({})], "tool_choice": "auto"}
    assert losses == ["tools: patch is of kind custom, which the provider does not have"]
    assert applied(quirks, {"tools": [custom], "tool_choice": "auto"})[0] == {}

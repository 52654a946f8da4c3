"""Requests of other dialects as Messages requests. Rules are from `providers.md` §3 and `clients.md` §5."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lynkr_core.dialects.anthropic_messages import AnthropicMessages
from lynkr_core.dialects.anthropic_messages.thinking import DEFAULT_MAX_TOKENS
from lynkr_core.request import (
    Blob,
    File,
    Generic,
    Message,
    Part,
    Reasoning,
    ReasoningOptions,
    Request,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    Uri,
)  # fmt: skip

DIALECT = AnthropicMessages()
ASK = Message(role="user", parts=(Text(text="hi"),))
TOOL = Tool(name="f", description="does f", parameters=Raw(b'{"$schema":"s","type":"object","properties":{}}'))


def say(role: Role, *parts: Part | str, **more: Any) -> Message:
    return Message(role=role, parts=tuple(Text(text=part) if isinstance(part, str) else part for part in parts), **more)


def encode(*messages: Message, **options: Any) -> tuple[dict[str, Any], list[str]]:
    losses: list[str] = []
    request = Request(dialect="openai.chat", model="m", messages=messages or (ASK,), **options)
    return json.loads(msgspec.json.encode(DIALECT.encode_request(request, losses))), losses


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def test_the_smallest_request():
    fields, losses = encode()
    assert fields == {"model": "m", "max_tokens": DEFAULT_MAX_TOKENS, "messages": [{"role": "user", "content": [text("hi")]}]}
    assert losses == []


def test_leading_system_messages_go_apart_and_later_ones_become_the_users():
    messages = (
        say("system", "one"),
        say("developer", "two", ""),
        ASK,
        say("assistant", "ok"),
        say("system", "<b>three</b>"),
        ASK,
    )
    fields, losses = encode(*messages, system=(Text(text="zero"),))
    assert fields["system"] == [text("zero"), text("one"), text("two")]
    assert fields["messages"] == [
        {"role": "user", "content": [text("hi")]},
        {"role": "assistant", "content": [text("ok")]},
        {"role": "user", "content": [text("<b>three</b>"), text("hi")]},
    ]
    assert [line for line in losses if "expressed differently" in line] == losses != []


def test_tool_results_stand_first_in_one_user_message():
    calls = (ToolCall(id="a", name="f", arguments='{"x": 1.0}'), ToolCall(id="b", name="f", arguments=""))
    results = [say("tool", ToolCallResponse(id=id, content=(Text(text=id),))) for id in ("b", "a")]
    fields, losses = encode(
        ASK, say("assistant", "", *calls), say("developer", "note"), *results, say("user", "go on"), tools=(TOOL,)
    )
    assert [block.get("input") for block in fields["messages"][1]["content"]] == [{"x": 1.0}, {}]
    assert fields["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "b", "content": "b"}, {"type": "tool_result", "tool_use_id": "a", "content": "a"},
        text("note"), text("go on"),
    ]  # fmt: skip
    assert len(fields["messages"]) == 3
    assert len(losses) == 1


def test_calls_and_results_without_each_other_are_repaired():
    call = ToolCall(id="a", name="f")
    orphan = say("tool", ToolCallResponse(id="zz", content=(Text(text="lost"),)))
    fields, losses = encode(ASK, say("assistant", call), orphan)
    assert fields["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "(no result)", "is_error": True}, text("lost"),
    ]  # fmt: skip
    assert len(losses) == 2


def test_the_user_begins_and_a_prefill_is_kept():
    fields, losses = encode(say("assistant", "hello"), say("user", ""), say("assistant", "I am  \n"))
    assert fields["messages"] == [
        {"role": "user", "content": [text("(conversation continues)")]},
        {"role": "assistant", "content": [text("hello"), text("I am")]},
    ]
    assert len(losses) == 1
    assert "began with the assistant" in losses[0]


def test_ids_and_names_are_mapped_alike():
    call = ToolCall(id="functions.f:0", name="mcp.server/tool " + "x" * 80)
    fields, _ = encode(ASK, say("assistant", call), say("tool", ToolCallResponse(id=call.id)), tools=(Tool(name=call.name),))
    used, result = fields["messages"][1]["content"][0], fields["messages"][2]["content"][0]
    assert used["id"] == result["tool_use_id"]
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", used["id"])
    assert used["name"] == fields["tools"][0]["name"]
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", used["name"])


@pytest.mark.parametrize(
    ("arguments", "kind"), [("not json", "function"), ("[1]", "function"), ('{"a":1}', "custom"), ("\ud800", "function")]
)
def test_arguments_that_are_no_object_are_put_into_one(arguments: str, kind: Any):
    fields, _ = encode(ASK, say("assistant", ToolCall(id="a", name="f", arguments=arguments, kind=kind)))
    assert set(fields["messages"][1]["content"][0]["input"]) == {"input"}


def test_images_and_documents():
    parts = (
        Blob(modality="image", mime_type="image/png", data="aGk="),
        Uri(modality="image", uri="http://x/y.png"),
        Uri(modality="image", uri="data:image/gif;base64,QUJD"),
        Blob(modality="document", mime_type="application/pdf", data="aGk=", name="a.pdf"),
        Blob(modality="document", mime_type="text/plain", data="aGk="),
        Blob(modality="audio", mime_type="audio/wav", data="aGk="),
        File(file_id="file-1"),
        Generic(type="x", native=Raw(b"{}")),
    )
    fields, losses = encode(say("user", *parts))
    assert fields["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {"type": "image", "source": {"type": "url", "url": "http://x/y.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "QUJD"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}, "title": "a.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}},
    ]
    assert [line.split(":")[0] for line in losses] == ["audio", "file", "x"]


def test_only_signed_thinking_goes_back():
    parts = (
        Reasoning(text="mine", signature="s"),
        Reasoning(text="foreign"),
        Reasoning(text="ours", signature="lynkr-x"),
        Text(text="ok"),
    )
    fields, losses = encode(ASK, say("assistant", *parts), ASK)
    assert fields["messages"][1]["content"] == [{"type": "thinking", "thinking": "mine", "signature": "s"}, text("ok")]
    assert len(losses) == 1


def test_redacted_thinking_goes_back_and_openais_does_not():
    parts = (Reasoning(encrypted="opaque"), Reasoning(encrypted="x", id="rs_1"), Reasoning(encrypted="gAAAAx"), Text(text="ok"))
    fields, losses = encode(ASK, say("assistant", *parts), ASK)
    assert fields["messages"][1]["content"] == [{"type": "redacted_thinking", "data": "opaque"}, text("ok")]
    assert len(losses) == 1


def test_tools_of_every_kind():
    tools = (
        TOOL,
        Tool(name="patch", kind="custom", description="d"),
        Tool(name="ws", kind="web_search"),
        Tool(name="g", strict=True),
    )
    fields, losses = encode(tools=tools, tool_choice=ToolChoice("tool", "ws"), parallel_tool_calls=False)
    assert fields["tools"] == [
        {"name": "f", "description": "does f", "input_schema": {"$schema": "s", "type": "object", "properties": {}}},
        {
            "name": "patch",
            "description": "d",
            "input_schema": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
        },
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert fields["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert [line.split(":")[0] for line in losses] == ["tools", "tools.strict", "tool_choice"]


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        (ToolChoice("auto"), {"type": "auto"}), (ToolChoice("required"), {"type": "any"}), (ToolChoice("none"), {"type": "none"}),
        (ToolChoice("tool", "f"), {"type": "tool", "name": "f"}),
    ],
)  # fmt: skip
def test_tool_choice(choice: ToolChoice, wire: dict[str, Any]):
    assert encode(tools=(TOOL,), tool_choice=choice)[0]["tool_choice"] == wire
    assert "tool_choice" not in encode(tool_choice=choice, parallel_tool_calls=False)[0]


@pytest.mark.parametrize(
    ("options", "max_tokens", "wire", "limit"),
    [
        ({"effort": "low"}, None, {"type": "enabled", "budget_tokens": 2048}, DEFAULT_MAX_TOKENS + 2048),
        ({"effort": "max"}, 64000, {"type": "enabled", "budget_tokens": 32768}, 64000),
        ({"effort": "high"}, 4096, {"type": "enabled", "budget_tokens": 3072}, 4096),
        ({"effort": "high"}, 2000, {"type": "disabled"}, 2000),
        ({"effort": "none"}, None, {"type": "disabled"}, DEFAULT_MAX_TOKENS),
        ({"mode": "adaptive", "summary": "auto"}, 10, {"type": "adaptive", "display": "summarized"}, 10),
        ({"mode": "on", "budget": 5000}, 9000, {"type": "enabled", "budget_tokens": 5000}, 9000),
        ({"summary": "auto"}, None, None, DEFAULT_MAX_TOKENS),
    ],
)
def test_thinking(options: dict[str, Any], max_tokens: int | None, wire: Any, limit: int):
    fields, losses = encode(reasoning=ReasoningOptions(**options), max_tokens=max_tokens)
    assert fields.get("thinking") == wire
    assert fields["max_tokens"] == limit
    assert bool(losses) == (max_tokens in (4096, 2000))


@given(
    st.sampled_from(["minimal", "low", "medium", "high", "xhigh", "max"]), st.integers(min_value=1, max_value=70000) | st.none()
)
def test_a_budget_is_always_allowed(effort: str, max_tokens: int | None):
    fields, _ = encode(reasoning=ReasoningOptions(effort=effort), max_tokens=max_tokens)
    thinking = fields["thinking"]
    assert thinking["type"] == "disabled" or 1024 <= thinking["budget_tokens"] < fields["max_tokens"]


def test_thinking_forbids_sampling_and_forced_tools():
    fields, losses = encode(
        reasoning=ReasoningOptions(effort="low"),
        temperature=0.2,
        top_k=5,
        top_p=0.5,
        tools=(TOOL,),
        tool_choice=ToolChoice("required"),
    )
    assert not {"temperature", "top_k", "top_p"} & set(fields)
    assert fields["tool_choice"] == {"type": "auto"}
    assert [line.split(":")[0] for line in losses] == ["temperature", "top_k", "top_p", "tool_choice"]


@pytest.mark.parametrize("first", [Text(text="calling"), Reasoning(text="foreign")])
def test_a_tool_loop_without_thinking_switches_it_off(first: Part):
    messages = (ASK, say("assistant", first, ToolCall(id="a", name="f")), say("tool", ToolCallResponse(id="a")))
    fields, losses = encode(*messages, reasoning=ReasoningOptions(effort="low"), tools=(TOOL,))
    assert fields["thinking"] == {"type": "disabled"}
    assert "did not begin with this vendor's thinking" in losses[-1]


def test_structured_output():
    schema = ResponseFormat(kind="json_schema", name="n", schema=Raw(b'{"$schema":"s"}'), strict=True)
    assert encode(response_format=schema)[0]["output_config"] == {"format": {"type": "json_schema", "schema": {"$schema": "s"}}}
    fields, losses = encode(say("system", "be kind"), ASK, response_format=ResponseFormat(kind="json_object"))
    assert fields["system"][-1] == text("Answer with a single JSON object and nothing else.")
    assert len(losses) == 1


def test_sampling_and_the_rest():
    fields, losses = encode(temperature=1.7, top_p=0.9, stop=("END", " \n"), user="u", service_tier="default", stream=True)
    assert {key: fields[key] for key in ("temperature", "top_p", "stop_sequences", "metadata", "service_tier", "stream")} == {
        "temperature": 1,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
        "service_tier": "standard_only",
        "stream": True,
    }
    assert [line.split(":")[0] for line in losses] == ["temperature", "stop"]


def test_what_has_no_place_is_told():
    fields, losses = encode(
        seed=0, n=2, presence_penalty=0.5, frequency_penalty=0, logit_bias=Raw(b'{"1":2}'), logprobs=True, cache_key="k",
        service_tier="flex", metadata=Raw(b'{"a":"b"}'), extra={"store": Raw(b"true"), "audio": Raw(b"null")},
    )  # fmt: skip
    assert set(fields) == {"model", "max_tokens", "messages"}
    assert sorted(line.split(":")[0] for line in losses) == [
        "cache_key", "logit_bias", "logprobs", "metadata", "n", "presence_penalty", "seed", "service_tier", "store",
    ]  # fmt: skip


def test_harmless_values_are_no_loss():
    assert encode(n=1, logit_bias=Raw(b"{}"), logprobs=False, presence_penalty=0.0)[1] == []


PARTS = st.sampled_from(
    [
        Text(text="t"),
        Text(text=""),
        Reasoning(text="r"),
        Reasoning(text="r", signature="s"),
        ToolCall(id="a", name="f"),
        ToolCall(id="b:1", name="f"),
        ToolCallResponse(id="a"),
        ToolCallResponse(id="b:1", content=(Text(text="x"),)),
        File(file_id="f"),
    ]
)
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool"])


@given(st.lists(st.builds(lambda role, parts: say(role, *parts), ROLES, st.lists(PARTS, max_size=4)), max_size=8))
def test_any_conversation_is_put_into_an_order_the_api_takes(messages: list[Message]):
    fields, _ = encode(*messages)
    turns = fields["messages"]
    assert [turn["role"] for turn in turns] == [("user", "assistant")[i % 2] for i in range(len(turns))]
    for before, turn in zip([None, *turns], turns, strict=False):
        kinds = [block["type"] for block in turn["content"]]
        assert kinds
        assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result")
        calls = [block["id"] for block in before["content"] if block["type"] == "tool_use"] if before else []
        results = [block["tool_use_id"] for block in turn["content"] if block["type"] == "tool_result"]
        assert turn["role"] == "assistant" or sorted(calls) == sorted(results)

"""Requests of other dialects as Ollama gets them. The types of its Python client 0.6.3 read along: what they drop, Ollama does not know."""

from __future__ import annotations

import json

import msgspec
import ollama
import pytest

from lynkr_core.testing import factories
from lynkr_provider_ollama.dialect import Ollama

DIALECT = Ollama()
NEWER = ("id", "tool_call_id")
"""What the client's types do not have yet."""


def native(body, front="openai.chat"):
    """The request and what it lost."""
    dialect = factories.find_dialect(front)
    losses = []
    fields = DIALECT.encode_request(dialect.decode_request(dialect.peek(json.dumps(body).encode())), losses)
    fields = json.loads(msgspec.json.encode(fields))
    known = ollama._types.ChatRequest.model_validate(fields).model_dump(exclude_none=True)
    assert without(known) == without(fields)
    return fields, losses


def without(value):
    if isinstance(value, dict):
        return {key: without(item) for key, item in value.items() if key not in NEWER}
    return [without(item) for item in value] if isinstance(value, list) else value


def chat(*messages, **more):
    return native({"model": "m", "messages": [*messages], **more})


def said(text):
    return {"role": "user", "content": text}


FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}
TOOLS = [{"type": "function", "function": FUNCTION}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
THREE = chat(said("hi"), tools=TOOLS)[0]["tools"]


def test_settings_have_their_places():
    fields, losses = chat(
        {"role": "developer", "content": "be brief"}, said("hi"), max_completion_tokens=9, temperature=0.5, top_p=0.9, seed=7, stop="END",
        presence_penalty=0.1, frequency_penalty=0.2, logprobs=True, top_logprobs=2, reasoning_effort="low", stream=True,
        response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
    )  # fmt: skip
    assert losses == []
    assert fields == {
        "model": "m", "stream": True, "format": {"type": "object"}, "think": "low", "logprobs": True, "top_logprobs": 2,
        "messages": [{"role": "system", "content": "be brief"}, said("hi")],
        "options": {"num_predict": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "seed": 7, "frequency_penalty": 0.2,
                    "presence_penalty": 0.1},
    }  # fmt: skip


def test_that_there_is_no_stream_is_said():
    assert chat(said("hi"))[0] == {"model": "m", "messages": [said("hi")], "stream": False}
    assert chat(said("hi"), response_format={"type": "json_object"})[0]["format"] == "json"
    assert "format" not in chat(said("hi"), response_format={"type": "text"})[0]


@pytest.mark.parametrize(
    ("asked", "think", "losses"),
    [
        ({"type": "disabled"}, False, []),
        ({"type": "adaptive"}, True, []),
        ({"type": "enabled", "budget_tokens": 2048}, True, ["reasoning.budget: Ollama sets no limit to thinking"]),
    ],
)
def test_thinking_is_switched_on_and_off(asked, think, losses):
    body = {"model": "m", "max_tokens": 9, "messages": [said("hi")], "thinking": asked, "top_k": 40}
    fields, lost = native(body, "anthropic.messages")
    assert (fields["think"], lost) == (think, losses)
    assert fields["options"] == {"num_predict": 9, "top_k": 40}


@pytest.mark.parametrize(("effort", "think"), [("none", False), ("minimal", "low"), ("medium", "medium"), ("xhigh", "high")])
def test_effort_is_the_nearest_level(effort, think):
    fields, losses = chat(said("hi"), reasoning_effort=effort)
    assert fields["think"] == think
    assert losses == ([f"reasoning.effort: {effort} is sent as {think}"] if effort in ("minimal", "xhigh") else [])


def test_calls_and_results_are_paired_by_name_and_id():
    asked = {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL]}
    fields, losses = chat(said("hi"), asked, {"role": "tool", "tool_call_id": "call_1", "content": "-3"}, tools=TOOLS)
    assert losses == []
    assert fields["tools"] == TOOLS
    assert fields["messages"][1:] == [
        {"role": "assistant", "content": "", "thinking": "hm",
         "tool_calls": [{"id": "call_1", "function": {"name": "f", "arguments": {"x": 1}}}]},
        {"role": "tool", "content": "-3", "tool_name": "f", "tool_call_id": "call_1"},
    ]  # fmt: skip


def test_images_of_users_and_of_results_are_carried():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    result = {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": [{"type": "text", "text": "see"}, image]}
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    messages = [
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result, {"type": "text", "text": "and?"}, image]},
    ]
    fields, losses = native({"model": "m", "max_tokens": 9, "messages": messages}, "anthropic.messages")
    assert fields["messages"][1:] == [
        {"role": "tool", "content": "see\n\n[1 attached in the next user message]", "tool_name": "f", "tool_call_id": "t"},
        {"role": "user", "content": "and?", "images": ["aGk=", "aGk="]},
    ]
    assert losses == ["tool results: is_error cannot be told, the text stands for itself"]


def test_what_ollama_would_have_to_fetch_is_told():
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]
    fields, losses = chat({"role": "user", "content": parts}, {"role": "user", "content": parts[1:]})
    assert fields["messages"] == [said("look")]
    assert losses == [f"messages[{n}]: Ollama does not fetch image URLs; send the data itself" for n in (0, 1)]


def test_documents_of_text_are_carried_and_others_told():
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a plan"}}
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [text, pdf]}]}
    fields, losses = native(body, "anthropic.messages")
    assert fields["messages"] == [said("a plan")]
    assert losses == ["messages[0]: a part of type document cannot be carried here"]


@pytest.mark.parametrize(
    ("choice", "tools", "losses"),
    [
        ("auto", THREE, []),
        ("none", None, []),
        ("required", THREE, ["tool_choice: Ollama lets the model choose"]),
        ({"type": "function", "function": {"name": "f"}}, THREE, ["tool_choice: Ollama lets the model choose"]),
    ],
)
def test_the_choice_of_tools(choice, tools, losses):
    fields, lost = chat(said("hi"), tools=TOOLS, tool_choice=choice)
    assert (fields.get("tools"), lost) == (tools, losses)


def test_every_setting_without_a_place_is_told():
    fields, losses = chat(
        said("hi"), tools=[*TOOLS, {"type": "custom", "custom": {"name": "patch"}}], parallel_tool_calls=False, n=2, logit_bias={"1": 1},
        user="u", metadata={"a": "b"}, service_tier="auto", prompt_cache_key="k", store=True,
    )  # fmt: skip
    assert sorted(line.partition(":")[0] for line in losses) == [
        "logit_bias", "metadata", "n", "parallel_tool_calls", "prompt_cache_key", "service_tier", "store", "tools", "user",
    ]  # fmt: skip
    assert fields.keys() == {"model", "messages", "tools", "stream"}


def test_signed_thinking_and_cache_markers_are_told_and_the_rest_is_carried():
    mark = {"cache_control": {"type": "ephemeral"}}
    answer = [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "text", "text": "so", **mark}]
    messages = [said("hi"), {"role": "assistant", "content": answer}, said("go on")]
    system = [{"type": "text", "text": "x-anthropic-billing-header: 1"}, {"type": "text", "text": "be brief"}]
    body = {"model": "m", "max_tokens": 9, "system": system, "messages": messages}
    fields, losses = native(body, "anthropic.messages")
    assert fields["messages"][0] == {"role": "system", "content": "be brief"}
    assert fields["messages"][2] == {"role": "assistant", "content": "so", "thinking": "hm"}
    assert sorted(line.partition(":")[0] for line in losses) == ["cache_control", "reasoning", "system"]


def test_calls_that_come_one_by_one_are_one_turn():
    items = [
        {"role": "user", "content": "hi"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
    ]
    fields, _ = native({"model": "m", "input": items, "instructions": "s"}, "openai.responses")
    assert [message["role"] for message in fields["messages"]] == ["system", "user", "assistant", "tool", "tool"]
    assert [message.get("tool_name") for message in fields["messages"][3:]] == ["f", "g"]
    assert [call["function"]["name"] for call in fields["messages"][2]["tool_calls"]] == ["f", "g"]

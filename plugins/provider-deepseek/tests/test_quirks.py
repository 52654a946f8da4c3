from __future__ import annotations

from typing import Any

import pytest

from lynkr_core.testing.factories import find_dialect
from lynkr_core.testing.recording import adapted, recorded
from lynkr_provider_deepseek import Config, plugin

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKED = {"role": "user", "content": "a"}
OFF = {"thinking": {"type": "disabled"}}


def chat(body: dict[str, Any], dialect: str = "openai.chat") -> tuple[dict[str, Any], list[str]]:
    return adapted(recorded(plugin, Config()), dialect, body)


@pytest.mark.parametrize(
    "answer", [{"role": "assistant", "content": "b"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
)
def test_every_answer_brings_its_thinking(answer: dict[str, Any]) -> None:
    after, losses = chat({"messages": [ASKED, answer, ASKED]})
    assert after["messages"] == [ASKED, {**answer, "reasoning_content": " "}, ASKED]
    assert losses == []
    told = {**answer, "reasoning_content": "hm"}
    assert chat({"messages": [ASKED, told]}) == ({"messages": [ASKED, told]}, [])


def test_nothing_is_filled_in_when_it_does_not_think() -> None:
    messages = [ASKED, {"role": "assistant", "content": "b"}, ASKED]
    assert chat({"messages": messages, **OFF}) == ({"messages": messages, **OFF}, [])
    assert chat({"messages": messages, "reasoning_effort": "none"}) == ({"messages": messages, **OFF}, [])


@pytest.mark.parametrize(
    ("before", "after", "losses"),
    [
        ({"max_completion_tokens": 5}, {"max_tokens": 5}, []),
        ({"reasoning_effort": "high"}, {"reasoning_effort": "high"}, []),
        ({"n": 1}, {"n": 1}, []),
        ({"n": 2}, {}, ["n: DeepSeek gives one answer"]),
        ({"seed": 1}, {}, ["seed: DeepSeek has no such parameter"]),
    ],
)
def test_keys_and_values(before: dict[str, Any], after: dict[str, Any], losses: list[str]) -> None:
    assert chat(before) == (after, losses)


def test_only_functions_are_tools() -> None:
    function = {"type": "function", "function": {"name": "f"}}
    after, losses = chat({"tools": [function, {"type": "custom", "custom": {"name": "patch"}}]})
    assert after["tools"] == [function]
    assert losses == ["tools: patch is of kind custom, which the provider does not have"]


def test_a_schema_is_told_in_the_prompt() -> None:
    format = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    after, losses = chat({"messages": [ASKED], "response_format": format})
    assert after["response_format"] == {"type": "json_object"}
    assert after["messages"][0]["role"] == "system"
    assert '{"type":"object"}' in after["messages"][0]["content"]
    assert len(losses) == 1


def test_its_layer_of_messages_has_no_type_for_own_tools() -> None:
    tool = {"name": "f", "input_schema": {"type": "object"}}
    search = {"type": "web_search_20250305", "name": "web_search"}
    after, losses = chat({"tools": [{"type": "custom", **tool}, search]}, "anthropic.messages")
    assert (after, losses) == ({"tools": [tool, search]}, [])
    assert chat({"tools": [tool, search]}, "anthropic.messages") == ({"tools": [tool, search]}, [])


def test_balance_and_keep_alive() -> None:
    provider, dialect = recorded(plugin, Config()), find_dialect("openai.chat")
    error = provider.classify(
        dialect, 402, {}, b'{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}'
    )
    assert error.kind == "quota"
    decoder = dialect.decoder()
    assert decoder.feed(b": keep-alive\n\n\n\n: keep-alive\n\n") == []

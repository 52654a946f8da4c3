from __future__ import annotations

from typing import Any

import pytest

from lynkr_core.testing.factories import find_dialect
from lynkr_core.testing.recording import adapted, recorded
from lynkr_provider_moonshot import Config, plugin

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
OWN = "temperature: reasoning models have a temperature of their own"
ASKED = {"role": "user", "content": "a"}


def chat(body: dict[str, Any], model: str = "kimi-k2.6") -> tuple[dict[str, Any], list[str]]:
    return adapted(recorded(plugin, Config()), "openai.chat", body, model)


@pytest.mark.parametrize(
    ("model", "before", "after", "losses"),
    [
        ("kimi-k2.6", {"temperature": 0.3}, {}, [OWN]),
        ("kimi-k2.6", {"temperature": 1}, {"temperature": 1}, []),
        ("moonshot-v1-8k", {"temperature": 0.3}, {"temperature": 0.3}, []),
        ("moonshot-v1-8k", {"temperature": 1.5}, {"temperature": 1}, ["temperature: 1.5 is over the provider's 1, which was sent"]),
        (
            "moonshot-v1-8k", {"temperature": 0.1, "n": 2}, {"temperature": 0.3, "n": 2},
            ["temperature: 0.3 is the least with several answers, which was sent"],
        ),
        ("kimi-k2.6", {"max_completion_tokens": 5}, {"max_tokens": 5}, []),
        ("kimi-k2.6", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, []),
        ("moonshot-v1-8k", {"reasoning_effort": "low"}, {}, ["reasoning_effort: the model does not reason"]),
        ("kimi-k2.6", {"tool_choice": "required"}, {}, ["tool_choice: Moonshot cannot be told to call a tool, the model may choose"]),
        ("kimi-k2.6", {"functions": []}, {}, ["functions: Moonshot has tools instead"]),
    ],
)  # fmt: skip
def test_keys_and_values(model: str, before: dict[str, Any], after: dict[str, Any], losses: list[str]) -> None:
    assert chat(before, model) == (after, losses)


def test_answers_with_calls_bring_their_thinking() -> None:
    called, said = {"role": "assistant", "tool_calls": [CALL]}, {"role": "assistant", "content": "b"}
    after, losses = chat({"messages": [ASKED, called, said, ASKED]})
    assert after["messages"] == [ASKED, {**called, "reasoning_content": " "}, said, ASKED]
    told = {**called, "reasoning_content": "hm"}
    assert chat({"messages": [ASKED, told]}) == ({"messages": [ASKED, told]}, losses)


def test_a_last_answer_is_continued() -> None:
    begun = {"role": "assistant", "content": "b"}
    assert chat({"messages": [ASKED, begun]})[0]["messages"] == [ASKED, {**begun, "partial": True}]


def test_plain_models_read_text() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}]
    message = {"role": "user", "content": content}
    after, losses = chat({"messages": [message]}, "moonshot-v1-8k")
    assert after["messages"] == [ASKED]
    assert losses == ["messages.content: a part of type image_url, the provider reads text only"]
    for model in ("moonshot-v1-8k-vision-preview", "kimi-k2.6"):
        assert chat({"messages": [message]}, model) == ({"messages": [message]}, [])


def test_its_other_apis_are_left_alone() -> None:
    body = {"temperature": 0.3, "max_completion_tokens": 5}
    for dialect in ("openai.responses", "anthropic.messages"):
        assert adapted(recorded(plugin, Config()), dialect, body) == (body, [])


def test_an_input_that_is_too_long() -> None:
    error = b'{"error":{"message":"Input token length too long","type":"invalid_request_error"}}'
    assert recorded(plugin, Config()).classify(find_dialect("openai.chat"), 400, {}, error).kind == "context"

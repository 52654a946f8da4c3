from __future__ import annotations

from typing import Any

import pytest

from lynkr_core.testing.recording import adapted, recorded
from lynkr_provider_perplexity import Config, plugin


def chat(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    return adapted(recorded(plugin, Config()), "openai.chat", body)


def said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def test_roles_alternate() -> None:
    messages = [said("developer", "s"), said("user", "a"), said("user", "b"), said("assistant", "c"), said("user", "d")]
    after, losses = chat({"messages": messages})
    assert after["messages"] == [said("system", "s"), said("user", "a\n\nb"), said("assistant", "c"), said("user", "d")]
    assert losses == []


@pytest.mark.parametrize(
    ("before", "after", "losses"),
    [
        ({"max_completion_tokens": 5, "stream_options": {"include_usage": True}}, {"max_tokens": 5}, []),
        ({"reasoning_effort": "none"}, {"reasoning_effort": "minimal"}, ["reasoning_effort: minimal is the least"]),
        ({"reasoning_effort": "xhigh"}, {"reasoning_effort": "high"}, ["reasoning_effort: high is the most"]),
        ({"reasoning_effort": "low", "search_mode": "academic", "top_k": 3},) * 2 + ([],),
        ({"seed": 1}, {}, ["seed: Perplexity has no such parameter"]),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}}, {"tool_choice": "required"},
            ["tool_choice: told as required, Perplexity knows no names"],
        ),
    ],
)  # fmt: skip
def test_keys_and_values(before: dict[str, Any], after: dict[str, Any], losses: list[str]) -> None:
    assert chat(before) == (after, losses)


def test_reasoning_is_not_sent_back() -> None:
    after, losses = chat(
        {"messages": [said("user", "a"), {**said("assistant", "b"), "reasoning_content": "hm"}, said("user", "c")]}
    )
    assert after["messages"][1] == said("assistant", "b")
    assert losses == ["messages: earlier reasoning is refused by the provider"]


@pytest.mark.parametrize(("api", "first"), [("chat", "openai.chat"), ("agent", "openai.responses")])
def test_which_api_callers_of_others_get(api: Any, first: str) -> None:
    provider = recorded(plugin, Config(api=api))
    assert provider.dialects[0] == first
    assert sorted(provider.dialects) == ["openai.chat", "openai.embeddings", "openai.responses"]

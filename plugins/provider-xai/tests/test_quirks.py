from __future__ import annotations

from typing import Any

import pytest

from lynkr_core.testing.recording import adapted, recorded
from lynkr_provider_xai import Config, plugin

REFUSED = "reasoning models refuse it"
STOPS = {"stop": ["x"], "frequency_penalty": 0.5, "presence_penalty": None}


@pytest.mark.parametrize(
    ("model", "after", "losses"),
    [
        ("grok-4-fast", {}, [f"stop: {REFUSED}", f"frequency_penalty: {REFUSED}"]),
        ("grok-code-fast-1", {}, [f"stop: {REFUSED}", f"frequency_penalty: {REFUSED}"]),
        ("grok-3", STOPS, []),
    ],
)
def test_reasoning_models_have_no_stops(model: str, after: dict[str, Any], losses: list[str]) -> None:
    assert adapted(recorded(plugin, Config()), "openai.chat", STOPS, model) == (after, losses)


def test_names_strict_and_search_are_left_out_of_chat() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    strict = {"type": "function", "function": {**tool["function"], "strict": True}}
    message = {"role": "user", "content": "a"}
    body = {"messages": [{**message, "name": "Ann"}], "tools": [strict], "web_search_options": {}}
    after, losses = adapted(recorded(plugin, Config()), "openai.chat", body)
    assert after == {"messages": [message], "tools": [tool]}
    assert sorted(loss.partition(":")[0] for loss in losses) == ["messages.name", "tools.strict", "web_search_options"]


def test_responses_lose_metadata_alone() -> None:
    body = {"input": "a", "metadata": {"a": "b"}, "stop": None}
    after, losses = adapted(recorded(plugin, Config()), "openai.responses", body)
    assert after == {"input": "a", "stop": None}
    assert losses == ["metadata: xAI's Responses API has no such parameter"]


def test_callers_of_other_apis_get_the_responses_api() -> None:
    assert recorded(plugin, Config()).dialects[0] == "openai.responses"


def test_which_models_reason_is_a_setting() -> None:
    provider = recorded(plugin, Config(reasoning_models=("grok-9",)))
    assert adapted(provider, "openai.chat", {"stop": "x"}, "grok-9-mini")[0] == {}
    assert adapted(provider, "openai.chat", {"stop": "x"}, "grok-4") == ({"stop": "x"}, [])

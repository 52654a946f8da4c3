from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw

from lynkr_core import Secret
from lynkr_core.testing import factories
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_together import Config, plugin

CHAT = factories.find_dialect("openai.chat")


def adapted(dialect: str = "openai.chat", raw: bool = True, **fields: Any) -> tuple[Any, list[str], bool]:
    given = {key: Raw(msgspec.json.encode(value)) if raw else value for key, value in fields.items()}
    changed = recorded(plugin, Config()).adapt(given, cast("Any", None), factories.find_dialect(dialect), losses := [])
    return msgspec.json.decode(msgspec.json.encode(given)), losses, changed


def test_it_is_asked_at_its_own_address() -> None:
    endpoint, headers, _ = sent(plugin, Config(api_key=Secret("t1")), "openai.chat")
    assert endpoint.url == "https://api.together.ai/v1/chat/completions"
    assert headers[b"authorization"] == b"Bearer t1"
    assert recorded(plugin, Config()).vendor == "together_ai"


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"logprobs": True}, {"logprobs": 1}),
        ({"logprobs": False}, {}),
        ({"logprobs": True, "top_logprobs": 5}, {"logprobs": 5}),
        ({"logprobs": True, "top_logprobs": None}, {"logprobs": 1}),
        ({"logprobs": 3}, {"logprobs": 3}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"reasoning_effort": "none"}, {"reasoning": {"enabled": False}}),
        ({"reasoning_effort": "medium"}, {"reasoning_effort": "medium"}),
        ({"context_length_exceeded_behavior": "error", "seed": 1}, {"context_length_exceeded_behavior": "error", "seed": 1}),
    ],
)
def test_keys_have_the_form_that_it_takes(fields: dict[str, Any], expected: dict[str, Any], raw: bool) -> None:
    found, losses, changed = adapted(raw=raw, **fields)
    assert msgspec.json.encode(found) == msgspec.json.encode(expected)  # True is equal to 1, but not the same JSON
    assert (losses, changed) == ([], msgspec.json.encode(fields) != msgspec.json.encode(expected))


@pytest.mark.parametrize(("effort", "sent"), [("minimal", "low"), ("xhigh", "high"), ("max", "high")])
def test_an_effort_it_does_not_know_is_told(effort: str, sent: str) -> None:
    fields, losses, _ = adapted(reasoning_effort=effort)
    assert fields == {"reasoning_effort": sent}
    assert losses == [f"reasoning_effort: Together knows low, medium and high: {sent} was sent"]


def test_tools_are_functions() -> None:
    function = {"type": "function", "function": {"name": "f"}}
    fields, losses, _ = adapted(tools=[function, {"type": "custom", "custom": {"name": "sql"}}])
    assert fields == {"tools": [function]}
    assert losses == ["tools: sql is of kind custom, which the provider does not have"]


def test_embeddings_are_left_alone() -> None:
    assert adapted("openai.embeddings", top_logprobs=5) == ({"top_logprobs": 5}, [], False)


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_thinking_is_read_under_either_name(key: str) -> None:
    events = CHAT.decoder().feed(b'data: {"choices":[{"index":0,"delta":{"%b":"Hm"}}]}\n\n' % key.encode())
    assert [event.value for event in events if hasattr(event, "value")] == ["Hm"]


@pytest.mark.anyio
@pytest.mark.parametrize("body", [b'[{"id":"a"},{"id":"b"}]', b'{"data":[{"id":"a"},{"id":"b"}]}'])
async def test_models_are_listed_with_and_without_an_object_around_them(body: bytes) -> None:
    assert await recorded(plugin, Config(), RecordingTransport(body)).list_models() == ["a", "b"]

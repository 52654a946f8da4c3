from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw

from lynkr_core import Secret
from lynkr_core.events import Delta, Event, Failure, UsageEvent
from lynkr_core.testing import factories
from lynkr_core.testing.recording import recorded, sent
from lynkr_provider_cerebras import Config, plugin

CHAT = factories.find_dialect("openai.chat")


def adapted(**fields: Any) -> tuple[Any, list[str]]:
    raw = {key: Raw(msgspec.json.encode(value)) for key, value in fields.items()}
    recorded(plugin, Config()).adapt(raw, cast("Any", None), CHAT, losses := [])
    return msgspec.json.decode(msgspec.json.encode(raw)), losses


def events(*chunks: dict[str, Any]) -> list[Event]:
    decoder = CHAT.decoder()
    return [event for chunk in chunks for event in decoder.feed(b"data: " + msgspec.json.encode(chunk) + b"\n\n")]


def test_it_is_asked_at_its_own_address() -> None:
    endpoint, headers, _ = sent(plugin, Config(api_key=Secret("csk-1")), "openai.chat")
    assert endpoint.url == "https://api.cerebras.ai/v1/chat/completions"
    assert headers[b"authorization"] == b"Bearer csk-1"
    assert recorded(plugin, Config()).vendor == "cerebras"


def test_the_token_limit_has_its_new_name() -> None:
    assert adapted(max_tokens=5) == ({"max_completion_tokens": 5}, [])


def test_its_own_keys_pass() -> None:
    fields = {"reasoning_format": "parsed", "disable_reasoning": True, "n": 2, "frequency_penalty": 0.5, "service_tier": "flex"}
    assert adapted(**fields) == (fields, [])


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_earlier_thinking_goes_back_under_the_name_it_came_with(key: str) -> None:
    fields, losses = adapted(messages=[{"role": "assistant", "content": "Hi", key: "Hm"}])
    assert (fields["messages"], losses) == ([{"role": "assistant", "content": "Hi", "reasoning": "Hm"}], [])


def test_tools_are_functions() -> None:
    fields, losses = adapted(tools=[{"type": "custom", "custom": {"name": "sql"}}], tool_choice="auto")
    assert fields == {}
    assert losses == ["tools: sql is of kind custom, which the provider does not have"]


def test_the_last_chunk_tells_usage_and_times() -> None:
    # hand-made from cerebras-cloud-sdk 1.91.0's ChatChunkResponse
    last = {
        "id": "1", "model": "m", "choices": [{"index": 0, "delta": {"reasoning": "Hm"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}, "time_info": {"total_time": 0.01},
    }  # fmt: skip
    found = events(last)
    assert [event.value for event in found if isinstance(event, Delta)] == ["Hm"]
    assert [event.usage.output_tokens for event in found if isinstance(event, UsageEvent)] == [3]


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limited"), (503, "server"), (400, "invalid")])
def test_an_error_inside_the_stream_is_named_by_its_status(status: int, kind: str) -> None:
    # hand-made from cerebras-cloud-sdk 1.91.0's ErrorChunkResponse
    chunk = {"error": {"message": "Encountered an error", "type": "api_error", "code": None}, "status_code": status}
    failure = events({"choices": [{"index": 0, "delta": {"content": "Hi"}}]}, chunk)[-1]
    assert isinstance(failure, Failure)
    assert (failure.error.kind, failure.error.message) == (kind, "Encountered an error")

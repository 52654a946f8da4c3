from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw

from lynkr_core import Secret
from lynkr_core.events import Delta, Event, Failure, UsageEvent
from lynkr_core.request import Reasoning
from lynkr_core.testing import factories
from lynkr_core.testing.recording import recorded, sent
from lynkr_provider_groq import Config, plugin

CHAT = factories.find_dialect("openai.chat")


def adapted(dialect: str = "openai.chat", **fields: Any) -> tuple[Any, list[str]]:
    raw = {key: Raw(msgspec.json.encode(value)) for key, value in fields.items()}
    recorded(plugin, Config()).adapt(raw, cast("Any", None), factories.find_dialect(dialect), losses := [])
    return msgspec.json.decode(msgspec.json.encode(raw)), losses


def events(*chunks: dict[str, Any]) -> list[Event]:
    decoder = CHAT.decoder()
    found = [event for chunk in chunks for event in decoder.feed(b"data: " + msgspec.json.encode(chunk) + b"\n\n")]
    return [*found, *decoder.feed(b"data: [DONE]\n\n")]


def test_it_is_asked_at_its_own_address() -> None:
    endpoint, headers, _ = sent(plugin, Config(api_key=Secret("gsk_1")), "openai.chat")
    assert endpoint.url == "https://api.groq.com/openai/v1/chat/completions"
    assert headers[b"authorization"] == b"Bearer gsk_1"
    assert recorded(plugin, Config()).vendor == "groq"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("logprobs", True), ("top_logprobs", 2), ("frequency_penalty", 0.5), ("presence_penalty", 1), ("logit_bias", {"1": 2}),
        ("store", True), ("metadata", {"a": "b"}),
    ],
)  # fmt: skip
def test_what_no_model_supports_is_taken_out_and_told(key: str, value: Any) -> None:
    assert adapted(**{key: value}, seed=1) == ({"seed": 1}, [f"{key}: not supported by Groq"])


def test_one_answer_is_asked_for() -> None:
    assert adapted(n=3) == ({"n": 1}, ["n: 3 is over the provider's 1, which was sent"])
    assert adapted(n=1) == ({"n": 1}, [])


@pytest.mark.parametrize(
    ("tier", "sent", "lost"),
    [
        ("default", "on_demand", False), ("priority", "performance", False), ("auto", "auto", False), ("flex", "flex", False),
        ("scale", None, True),
    ],
)  # fmt: skip
def test_service_tiers_have_their_names(tier: str, sent: str | None, lost: bool) -> None:
    fields, losses = adapted(service_tier=tier)
    assert fields.get("service_tier") == sent
    assert losses == (["service_tier: Groq has no such tier"] if lost else [])


def test_messages_have_no_nulls_and_no_thinking_of_others() -> None:
    fields, losses = adapted(
        messages=[
            {"role": "assistant", "content": None, "function_call": None, "reasoning": "own", "reasoning_content": "foreign"}
        ]
    )
    assert fields["messages"] == [{"role": "assistant", "reasoning": "own"}]
    assert losses == ["messages.reasoning_content: thinking of another vendor; Groq takes back its own, under `reasoning`"]


def test_its_own_keys_and_tools_pass() -> None:
    fields = {"reasoning_format": "parsed", "search_settings": {"country": "CH"}, "tools": [{"type": "browser_search"}]}
    assert adapted(**fields) == (fields, [])
    fields, losses = adapted(tools=[{"type": "custom", "custom": {"name": "sql"}}])
    assert fields == {}
    assert losses == ["tools: sql is of kind custom, which the provider does not have"]


def test_responses_are_left_alone() -> None:
    assert adapted("openai.responses", metadata={"a": "b"}) == ({"metadata": {"a": "b"}}, [])


def test_the_usage_of_a_stream_is_in_its_own_key() -> None:
    # hand-made from groq 1.7.0's ChatCompletionChunk
    said = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "x_groq": {"id": "req_1", "usage": usage}}
    (told,) = [event.usage for event in events(said, last) if isinstance(event, UsageEvent)]
    assert (told.input_tokens, told.output_tokens, told.cache_read) == (7, 2, 4)


def test_an_error_in_its_own_key_ends_the_stream() -> None:
    said = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    last = {"choices": [], "x_groq": {"id": "req_1", "error": "over capacity, please try again"}}
    failure = events(said, last)[-1]
    assert isinstance(failure, Failure)
    assert "over capacity" in failure.error.message


def test_thinking_is_read() -> None:
    body = {"id": "1", "choices": [{"message": {"content": "Hi", "reasoning": "Hm"}, "finish_reason": "stop"}]}
    parts = CHAT.decode_response(msgspec.json.encode(body)).choices[0].parts
    assert [part.text for part in parts if isinstance(part, Reasoning)] == ["Hm"]
    found = events({"id": "1", "choices": [{"index": 0, "delta": {"reasoning": "Hm"}, "finish_reason": "stop"}]})
    assert [event.value for event in found if isinstance(event, Delta)] == ["Hm"]

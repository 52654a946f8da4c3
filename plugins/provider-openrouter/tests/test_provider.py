from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw

from lynkr_core import Secret
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, Event, Failure, UsageEvent
from lynkr_core.testing import factories
from lynkr_core.testing.recording import recorded, sent
from lynkr_provider_openrouter import Config, plugin

KEY = Secret("sk-or-1")
CHAT = factories.find_dialect("openai.chat")
MARKER = {"type": "ephemeral"}


def adapted(fields: dict[str, Any], config: Config | None = None, dialect: str = "openai.chat") -> tuple[Any, bool]:
    raw = {key: Raw(msgspec.json.encode(value)) for key, value in fields.items()}
    provider = recorded(plugin, config or Config(api_key=KEY))
    changed = provider.adapt(raw, cast("Any", None), factories.find_dialect(dialect), [])
    return msgspec.json.decode(msgspec.json.encode(raw)), changed


def events(*chunks: dict[str, Any] | bytes) -> list[Event]:
    decoder = CHAT.decoder()
    data = [chunk if isinstance(chunk, bytes) else b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks]
    return [event for piece in data for event in decoder.feed(piece)] + list(decoder.close())


def failed(status: int, body: dict[str, Any]) -> UpstreamError:
    return recorded(plugin, Config(api_key=KEY)).classify(CHAT, status, {}, msgspec.json.encode(body))


def test_the_app_is_named_only_when_it_is_configured() -> None:
    _, headers, _ = sent(plugin, Config(api_key=KEY, referer="https://me.example", title="Mine"), "openai.chat")
    assert (headers[b"http-referer"], headers[b"x-openrouter-title"]) == (b"https://me.example", b"Mine")
    _, headers, _ = sent(plugin, Config(api_key=KEY), "openai.chat")
    assert not {b"http-referer", b"x-openrouter-title"} & set(headers)


def test_its_own_keys_pass_as_the_caller_wrote_them() -> None:
    fields = {
        "models": ["a/b", "c/d"], "provider": {"order": ["x"], "allow_fallbacks": False, "max_price": {"prompt": 1}},
        "reasoning": {"effort": "max", "exclude": True}, "plugins": [{"id": "web"}], "session_id": "s",
    }  # fmt: skip
    assert adapted(fields) == (fields, False)


def test_thinking_goes_back_unchanged() -> None:
    details = [{"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1", "index": 0}]
    fields = {"messages": [{"role": "assistant", "content": "Hi", "reasoning": "Hm", "reasoning_details": details}]}
    assert adapted(fields) == (fields, False)


def test_configured_routing_is_sent_where_the_caller_says_nothing() -> None:
    config = Config(api_key=KEY, routing={"zdr": True, "sort": "price"})
    assert adapted({}, config) == ({"provider": {"zdr": True, "sort": "price"}}, True)
    assert adapted({"provider": {"only": ["x"]}}, config) == ({"provider": {"only": ["x"]}}, False)


@pytest.mark.parametrize(
    ("content", "moved"),
    [
        ("Hi", [{"type": "text", "text": "Hi", "cache_control": MARKER}]),
        (
            [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
            [{"type": "text", "text": "A"}, {"type": "text", "text": "B", "cache_control": MARKER}],
        ),
    ],
)
def test_a_messages_cache_marker_moves_to_its_last_block(content: Any, moved: Any) -> None:
    other = {"role": "user", "content": "Next"}
    fields, changed = adapted({"messages": [{"role": "user", "content": content, "cache_control": MARKER}, other]})
    assert (fields["messages"], changed) == ([{"role": "user", "content": moved}, other], True)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "text", "text": "A", "cache_control": MARKER}]},
        {"role": "assistant", "content": None, "cache_control": MARKER},
        {"role": "user", "content": 'the words "cache_control"'},
    ],
)
def test_other_messages_are_left_as_they_came(message: dict[str, Any]) -> None:
    assert adapted({"messages": [message]}) == ({"messages": [message]}, False)


def test_comments_while_it_waits_are_no_events() -> None:
    comment = b": OPENROUTER PROCESSING\n\n"
    chunk = {"id": "gen-1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    found = events(comment, comment, chunk, comment, b"data: [DONE]\n\n")
    assert [event.value for event in found if isinstance(event, Delta)] == ["Hi"]


@pytest.mark.parametrize(
    ("code", "type", "kind"),
    [
        (502, "provider_unavailable", "server"), (503, "provider_overloaded", "overloaded"), (429, "rate_limit_exceeded", "rate_limited"),
        (400, "context_length_exceeded", "context"), (403, "refusal", "content"), (408, "timeout", "timeout"),
        (402, "payment_required", "quota"), (500, "server", "server"), (400, "invalid_request", "invalid"),
    ],
)  # fmt: skip
def test_an_error_inside_the_stream_is_named_by_its_type(code: int, type: str, kind: str) -> None:
    # hand-made from openrouter 1.3.84's ChatStreamChunk: the stream has begun with status 200
    error = {"code": code, "message": "Provider returned error", "metadata": {"error_type": type, "provider_code": "x"}}
    head = {"id": "gen-1", "model": "m", "provider": "Some"}
    chunk = {**head, "error": error, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}
    said = {**head, "choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    last = events(said, chunk)[-1]
    assert isinstance(last, Failure)
    assert last.error.kind == kind


@pytest.mark.parametrize("metadata", [{"reasons": ["violence"], "flagged_input": "x"}, {"flagged_input": "x"}])
def test_a_flagged_prompt_is_no_matter_of_the_key(metadata: dict[str, Any]) -> None:
    error = failed(403, {"error": {"code": 403, "message": "Your input was flagged", "metadata": metadata}})
    assert (error.kind, error.message) == ("content", "Your input was flagged")
    assert failed(403, {"error": {"code": 403, "message": "Key limit exceeded"}}).kind == "auth"


def test_the_reset_of_a_limit_is_in_milliseconds_since_1970() -> None:
    headers = {b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"4102444800000"}
    error = recorded(plugin, Config(api_key=KEY)).classify(CHAT, 429, headers, b'{"error":{"code":429,"message":"Limited"}}')
    assert error.kind == "rate_limited"
    assert 1e8 < error.retry_after < 4.2e9


def test_what_it_bills_is_told_with_the_usage() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cost": 0.00125, "is_byok": False}
    body = {"id": "gen-1", "model": "m", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": usage}
    found = CHAT.usage(msgspec.json.encode(body))
    assert found is not None
    assert found.billed == 0.00125
    streamed = events({"id": "g", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}], "usage": usage})
    assert [event.usage.billed for event in streamed if isinstance(event, UsageEvent)] == [0.00125]


def test_its_models_are_those_that_catalogues_list_under_openrouter() -> None:
    assert recorded(plugin, Config()).vendor == "openrouter"

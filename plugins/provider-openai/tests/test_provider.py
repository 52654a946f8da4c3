from __future__ import annotations

from types import SimpleNamespace

import pytest

from lynkr_core import Secret, UpstreamError
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_openai import Config, plugin

KEY = Secret("sk-test-1")


@pytest.mark.parametrize(
    ("dialect", "path"),
    [("openai.chat", "/chat/completions"), ("openai.responses", "/responses"), ("openai.embeddings", "/embeddings")],
)
def test_each_dialect_has_its_path(dialect: str, path: str) -> None:
    endpoint, headers, body = sent(plugin, Config(api_key=KEY), dialect)
    assert endpoint.url == "https://api.openai.com/v1" + path
    assert headers[b"authorization"] == b"Bearer sk-test-1"
    assert body == b"{}"


def test_account_headers_are_sent_only_when_set() -> None:
    _, headers, _ = sent(plugin, Config(api_key=KEY, organization="org-1", project="proj_2"), "openai.chat")
    assert headers[b"openai-organization"] == b"org-1"
    assert headers[b"openai-project"] == b"proj_2"
    assert b"openai-project" not in sent(plugin, Config(api_key=KEY), "openai.chat")[1]


def test_a_configured_header_wins_over_the_key_and_the_callers() -> None:
    config = Config(api_key=KEY, headers={"Authorization": Secret("Custom 1"), "X-Trace": Secret("ours")})
    _, headers, _ = sent(plugin, config, "openai.chat", {b"x-trace": b"theirs"}, (b"x-trace",))
    assert headers[b"authorization"] == b"Custom 1"
    assert headers[b"x-trace"] == b"ours"


@pytest.mark.parametrize(
    ("dialect", "fields", "expected"),
    [
        ("openai.chat", {"max_tokens": 5}, {"max_completion_tokens": 5}),
        ("openai.chat", {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        ("openai.chat", {"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 5, "max_completion_tokens": 6}),
        ("openai.embeddings", {"max_tokens": 5}, {"max_tokens": 5}),
    ],
)
def test_the_token_limit_has_its_new_name(dialect: str, fields: dict[str, int], expected: dict[str, int]) -> None:
    provider = recorded(plugin, Config(api_key=KEY))
    changed = provider.adapt(before := dict(fields), None, SimpleNamespace(name=dialect), [])
    assert before == expected
    assert changed == (fields != expected)


@pytest.mark.anyio
async def test_models_are_listed() -> None:
    # hand-made from providers.md section 1: GET /models
    transport = RecordingTransport(b'{"object":"list","data":[{"id":"gpt-6-astra","object":"model"},{"id":"gpt-5.4-mini"}]}')
    provider = recorded(plugin, Config(api_key=KEY), transport)
    assert await provider.list_models() == ["gpt-6-astra", "gpt-5.4-mini"]
    endpoint, headers, _ = transport.sent[0]
    assert (endpoint.method, endpoint.target) == ("GET", "/v1/models")
    assert headers[b"authorization"] == b"Bearer sk-test-1"


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "body", "kind"), [(401, b"{}", "auth"), (500, b"", "server"), (200, b"<html>", "invalid")])
async def test_a_failed_listing_is_an_upstream_error(status: int, body: bytes, kind: str) -> None:
    provider = recorded(plugin, Config(api_key=KEY), RecordingTransport(body, status))
    with pytest.raises(UpstreamError) as caught:
        await provider.list_models()
    assert (caught.value.kind, caught.value.status) == (kind, status)


def test_no_secret_is_seen_in_any_repr() -> None:
    config = Config(api_key=KEY, headers={"x-key": Secret("hidden-2")})
    provider = recorded(plugin, config)
    seen = repr(config) + repr(provider) + repr(sent(plugin, config, "openai.chat")[0])
    assert "sk-test-1" not in seen
    assert "hidden-2" not in seen

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lynkr_core import Secret, UpstreamError
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_ollama import Config, plugin


@pytest.mark.parametrize(
    ("dialect", "path"),
    [("openai.chat", "/v1/chat/completions"), ("openai.embeddings", "/v1/embeddings"), ("anthropic.messages", "/v1/messages")],
)
def test_each_dialect_has_its_path_and_needs_no_key(dialect: str, path: str) -> None:
    endpoint, headers, _ = sent(plugin, Config(), dialect)
    assert endpoint.url == "http://127.0.0.1:11434" + path
    assert b"authorization" not in headers
    assert endpoint.timeouts.silence == 300


def test_a_key_for_the_cloud_is_a_bearer_token() -> None:
    config = Config(base_url="https://ollama.com", api_key=Secret("k1"))
    assert sent(plugin, config, "openai.chat")[1][b"authorization"] == b"Bearer k1"
    assert "k1" not in repr(config)


def test_the_anthropic_layer_gets_the_callers_version_or_ours() -> None:
    name = b"anthropic-version"
    assert sent(plugin, Config(), "anthropic.messages")[1][name] == b"2023-06-01"
    assert sent(plugin, Config(), "anthropic.messages", {name: b"2026-10-21"}, (name,))[1][name] == b"2026-10-21"
    assert name not in sent(plugin, Config(), "openai.chat")[1]


def test_the_token_limit_has_its_old_name() -> None:
    provider = recorded(plugin, Config())
    fields = {"max_completion_tokens": 5}
    assert provider.adapt(fields, None, SimpleNamespace(name="openai.chat"), [])
    assert fields == {"max_tokens": 5}
    assert not provider.adapt(fields, None, SimpleNamespace(name="openai.chat"), [])


@pytest.mark.anyio
async def test_models_are_those_that_were_pulled() -> None:
    # hand-made from providers.md section 1: GET /api/tags
    transport = RecordingTransport(b'{"models":[{"name":"llama3.2:latest","size":1},{"name":"qwen3:8b"}]}')
    assert await recorded(plugin, Config(), transport).list_models() == ["llama3.2:latest", "qwen3:8b"]
    endpoint, _, _ = transport.sent[0]
    assert (endpoint.method, endpoint.url) == ("GET", "http://127.0.0.1:11434/api/tags")


@pytest.mark.anyio
async def test_a_server_that_lists_nothing_readable_is_an_upstream_error() -> None:
    provider = recorded(plugin, Config(), RecordingTransport(b'{"data":[]}'))
    with pytest.raises(UpstreamError, match="/api/tags"):
        await provider.list_models()

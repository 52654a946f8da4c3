from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lynkr_core import Context, Secret, Stores, UpstreamError
from lynkr_core.upstream import Endpoint, HeaderList
from lynkr_provider_ollama import Config, plugin


class Transport:
    """Keeps what is sent and answers a GET with `body`."""

    def __init__(self, body: bytes = b"", status: int = 200) -> None:
        self.sent: list[tuple[Endpoint, dict[bytes, bytes], bytes]] = []
        self.status, self.body = status, body

    def send(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> Transport:
        pairs = [*endpoint.headers, *headers]
        assert len(dict(pairs)) == len(pairs), "a header was sent twice"
        self.sent.append((endpoint, dict(pairs), body))
        return self

    async def response(self) -> Transport:
        return self

    async def read(self, limit: int = 0) -> bytes:
        return self.body


def context(transport: Any) -> Context:
    return Context(name="local", kind="provider", transport=transport, tiers=None, stores=Stores(), environ={})


def sent(config: Config, dialect: str, headers: dict[bytes, bytes] | None = None, forward: tuple[bytes, ...] = ()) -> Any:
    """Endpoint, headers and body of one request by a caller of the same dialect."""
    transport = Transport()
    spoken = SimpleNamespace(name=dialect, forward=forward)
    exchange: Any = SimpleNamespace(dialect=spoken, headers=headers or {})
    plugin.create(config, context(transport)).send(exchange, None, spoken, b"{}")
    return transport.sent[0]


@pytest.mark.parametrize(
    ("dialect", "path"),
    [("openai.chat", "/v1/chat/completions"), ("openai.embeddings", "/v1/embeddings"), ("anthropic.messages", "/v1/messages")],
)
def test_each_dialect_has_its_path_and_needs_no_key(dialect: str, path: str) -> None:
    endpoint, headers, _ = sent(Config(), dialect)
    assert endpoint.url == "http://127.0.0.1:11434" + path
    assert b"authorization" not in headers
    assert endpoint.timeouts.silence == 300


def test_a_key_for_the_cloud_is_a_bearer_token() -> None:
    config = Config(base_url="https://ollama.com", api_key=Secret("k1"))
    assert sent(config, "openai.chat")[1][b"authorization"] == b"Bearer k1"
    assert "k1" not in repr(config)


def test_the_anthropic_layer_gets_the_callers_version_or_ours() -> None:
    name = b"anthropic-version"
    assert sent(Config(), "anthropic.messages")[1][name] == b"2023-06-01"
    assert sent(Config(), "anthropic.messages", {name: b"2026-10-21"}, (name,))[1][name] == b"2026-10-21"
    assert name not in sent(Config(), "openai.chat")[1]


def test_the_token_limit_has_its_old_name() -> None:
    provider = plugin.create(Config(), context(Transport()))
    fields = {"max_completion_tokens": 5}
    assert provider.adapt(fields, None, SimpleNamespace(name="openai.chat"))
    assert fields == {"max_tokens": 5}
    assert not provider.adapt(fields, None, SimpleNamespace(name="openai.chat"))


@pytest.mark.anyio
async def test_models_are_those_that_were_pulled() -> None:
    # hand-made from providers.md section 1: GET /api/tags
    transport = Transport(b'{"models":[{"name":"llama3.2:latest","size":1},{"name":"qwen3:8b"}]}')
    assert await plugin.create(Config(), context(transport)).list_models() == ["llama3.2:latest", "qwen3:8b"]
    endpoint, _, _ = transport.sent[0]
    assert (endpoint.method, endpoint.url) == ("GET", "http://127.0.0.1:11434/api/tags")


@pytest.mark.anyio
async def test_a_server_that_lists_nothing_readable_is_an_upstream_error() -> None:
    provider = plugin.create(Config(), context(Transport(b'{"data":[]}')))
    with pytest.raises(UpstreamError, match="/api/tags"):
        await provider.list_models()

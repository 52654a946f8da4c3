from __future__ import annotations

from typing import Any

import pytest

from lynkr_core import Secret
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_anthropic import Config, plugin

KEY = Secret("sk-ant-api03-test")
FORWARD = (b"anthropic-version", b"anthropic-beta")


@pytest.mark.parametrize(
    ("dialect", "path"), [("anthropic.messages", "/v1/messages"), ("anthropic.count_tokens", "/v1/messages/count_tokens")]
)
def test_each_dialect_has_its_path(dialect: str, path: str) -> None:
    endpoint, headers, _ = sent(plugin, Config(api_key=KEY), dialect)
    assert endpoint.url == "https://api.anthropic.com" + path
    assert headers[b"x-api-key"] == b"sk-ant-api03-test"
    assert headers[b"anthropic-version"] == b"2023-06-01"
    assert b"authorization" not in headers


@pytest.mark.parametrize(
    ("key", "auth", "name"),
    [
        ("sk-ant-oat01-x", "auto", b"authorization"),
        ("other", "bearer", b"authorization"),
        ("sk-ant-oat01-x", "key", b"x-api-key"),
    ],
)
def test_the_key_goes_where_it_belongs(key: str, auth: Any, name: bytes) -> None:
    _, headers, _ = sent(plugin, Config(api_key=Secret(key), auth=auth), "anthropic.messages")
    assert [header for header in headers if header in (b"authorization", b"x-api-key")] == [name]
    assert headers[name].removeprefix(b"Bearer ") == key.encode()


def test_the_callers_version_replaces_the_default() -> None:
    caller = {b"anthropic-version": b"2026-10-21", b"anthropic-beta": b"a,b", b"cookie": b"x"}
    _, headers, _ = sent(plugin, Config(api_key=KEY), "anthropic.messages", caller, FORWARD)
    assert headers[b"anthropic-version"] == b"2026-10-21"
    assert headers[b"anthropic-beta"] == b"a,b"
    assert b"cookie" not in headers


def test_a_header_with_a_line_end_is_not_forwarded() -> None:
    caller = {b"anthropic-version": b"1\r\nx: y"}
    assert sent(plugin, Config(api_key=KEY), "anthropic.messages", caller, FORWARD)[1][b"anthropic-version"] == b"2023-06-01"


def test_configured_betas_join_the_callers() -> None:
    config = Config(api_key=KEY, betas=["b", "c"])
    _, headers, _ = sent(plugin, config, "anthropic.messages", {b"anthropic-beta": b"a, b"}, FORWARD)
    assert headers[b"anthropic-beta"] == b"a,b,c"
    assert sent(plugin, config, "anthropic.messages")[1][b"anthropic-beta"] == b"b,c"


def test_a_configured_version_wins() -> None:
    config = Config(api_key=KEY, headers={"Anthropic-Version": Secret("2099-01-01")})
    caller = {b"anthropic-version": b"2026-10-21"}
    assert sent(plugin, config, "anthropic.messages", caller, FORWARD)[1][b"anthropic-version"] == b"2099-01-01"


@pytest.mark.anyio
async def test_models_are_listed() -> None:
    transport = RecordingTransport(
        b'{"data":[{"type":"model","id":"claude-opus-5-5"}],"has_more":false}'
    )  # hand-made from providers.md section 1
    assert await recorded(plugin, Config(api_key=KEY), transport).list_models() == ["claude-opus-5-5"]
    endpoint, headers, _ = transport.sent[0]
    assert (endpoint.method, endpoint.target) == ("GET", "/v1/models?limit=1000")
    assert headers[b"anthropic-version"] == b"2023-06-01"


def test_no_secret_is_seen_in_any_repr() -> None:
    config = Config(api_key=KEY)
    provider = recorded(plugin, config)
    seen = repr(config) + repr(provider) + repr(sent(plugin, config, "anthropic.messages")[0])
    assert "sk-ant" not in seen

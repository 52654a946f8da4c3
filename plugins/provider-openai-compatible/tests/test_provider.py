from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from lynkr_core import Secret
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing import factories
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_openai_compatible import Config, plugin

URL = "http://127.0.0.1:8000/v1/"


def adapted(config: Config, fields: dict[str, int], dialect: str = "openai.chat") -> tuple[bool, dict[str, int]]:
    provider = recorded(plugin, config)
    return provider.adapt(fields, factories.candidate("test/m"), SimpleNamespace(name=dialect), []), fields


def test_a_server_without_a_key_gets_no_authorization() -> None:
    endpoint, headers, _ = sent(plugin, Config(base_url=URL), "openai.chat")
    assert endpoint.url == "http://127.0.0.1:8000/v1/chat/completions"
    assert b"authorization" not in headers
    assert sent(plugin, Config(base_url=URL, api_key=Secret("k")), "openai.chat")[1][b"authorization"] == b"Bearer k"


def test_the_dialects_and_their_order_are_configured() -> None:
    assert recorded(plugin, Config(base_url=URL)).dialects == ("openai.chat", "openai.embeddings")
    config = Config(base_url=URL, dialects=("openai.responses", "openai.chat"))
    assert recorded(plugin, config).dialects == ("openai.responses", "openai.chat")


def test_an_anthropic_layer_gets_a_path_and_a_version() -> None:
    config = Config(base_url=URL, dialects=("anthropic.messages",), paths={"anthropic.messages": "/anthropic/v1/messages"})
    endpoint, headers, _ = sent(plugin, config, "anthropic.messages")
    assert endpoint.target == "/v1/anthropic/v1/messages"
    assert headers[b"anthropic-version"] == b"2023-06-01"


@pytest.mark.parametrize(
    ("setting", "fields", "expected"),
    [
        ("max_tokens", {"max_completion_tokens": 5}, {"max_tokens": 5}),
        ("max_tokens", {"max_completion_tokens": 5, "max_tokens": 6}, {"max_tokens": 6}),
        ("max_completion_tokens", {"max_tokens": 5}, {"max_completion_tokens": 5}),
        ("max_tokens", {"max_completion_tokens": 5, "max_tokens": None}, {"max_tokens": 5}),
        ("either", {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
    ],
)
def test_the_token_limit_has_the_servers_name(setting: Any, fields: dict[str, Any], expected: dict[str, int]) -> None:
    changed, after = adapted(Config(base_url=URL, token_limit_field=setting), dict(fields))
    assert after == expected
    assert changed == (fields != expected)


def test_refused_keys_are_taken_out() -> None:
    config = Config(base_url=URL, drop=["seed", "store"])
    assert adapted(config, {"seed": 1, "model": 2}) == (True, {"model": 2})
    assert adapted(config, {"model": 2}) == (False, {"model": 2})


def test_wrong_settings_are_refused() -> None:
    for table in [{}, {"base_url": URL, "dialects": ["gemini"]}, {"base_url": URL, "token_limit_field": "limit"}]:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(table, Config)


@pytest.mark.anyio
async def test_models_are_listed() -> None:
    transport = RecordingTransport(b'{"data":[{"id":"qwen3"}]}')  # hand-made from providers.md section 1
    assert await recorded(plugin, Config(base_url=URL), transport).list_models() == ["qwen3"]
    assert transport.sent[0][0].url == "http://127.0.0.1:8000/v1/models"


TABLE = """
[provider.host{n}]
use = "openai-compatible"
base_url = "http://127.0.0.1:{n}/v1"
api_key = "${{KEY_{n}}}"
models = ["model-{n}"]
vendor = "vendor{n}"
"""


def test_any_number_of_instances_stand_side_by_side_in_six_lines_each() -> None:
    ports = range(9001, 9013)
    assert TABLE.strip().count("\n") + 1 == 6
    config = parse("".join(TABLE.format(n=n) for n in ports), {f"KEY_{n}": f"key-{n}" for n in ports})
    kernel = Kernel.from_config(config, {})
    providers = kernel.catalog.providers
    assert list(providers) == [f"host{n}" for n in ports]
    for n, (name, provider) in zip(ports, providers.items(), strict=True):
        target = kernel.catalog.resolve(f"model-{n}")
        assert target is not None
        assert [candidate.id for candidate in target.candidates] == [f"{name}/model-{n}"]
        endpoint: Any = cast("Any", provider)._fixed["openai.chat"]
        assert (endpoint.port, dict(endpoint.headers)[b"authorization"]) == (n, b"Bearer key-%d" % n)
        assert provider.vendor == f"vendor{n}"


def test_without_a_vendor_no_catalogue_is_asked() -> None:
    assert recorded(plugin, Config(base_url=URL)).vendor == ""

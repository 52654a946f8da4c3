from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from lynkr_core import PluginError, Secret, UpstreamError
from lynkr_core.events import Delta, Finish, UsageEvent
from lynkr_core.testing import factories
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_azure_openai import Config, plugin

URL = "https://res.openai.azure.com"
KEY = Secret("azure-key-1")
CHAT = factories.find_dialect("openai.chat")


def target(config: Config, dialect: str = "openai.chat", model: str = "my gpt/5") -> str:
    return sent(plugin, config, dialect, model=model).endpoint.url.removeprefix(URL)


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "/openai/v1/chat/completions"),
        ({"api_version": "preview"}, "/openai/v1/chat/completions?api-version=preview"),
        (
            {"api": "classic", "api_version": "2024-10-21"},
            "/openai/deployments/my%20gpt%2F5/chat/completions?api-version=2024-10-21",
        ),
    ],
)
def test_the_api_decides_the_path(more: dict[str, Any], url: str) -> None:
    assert target(Config(base_url=URL, api_key=KEY, **more)) == url


def test_classic_has_the_deployment_in_the_path_of_older_operations_only() -> None:
    config = Config(base_url=URL, api_key=KEY, api="classic", api_version="v")
    assert target(config, "openai.embeddings", "e") == "/openai/deployments/e/embeddings?api-version=v"
    assert target(config, "openai.responses") == "/openai/responses?api-version=v"


@pytest.mark.parametrize("base", [URL, URL + "/", URL + "/openai", URL + "/openai/v1/"])
def test_the_resource_may_be_written_as_the_portal_or_the_sdks_do(base: str) -> None:
    assert target(Config(base_url=base, api_key=KEY)) == "/openai/v1/chat/completions"


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"api": "classic"}, "needs an api_version"),
        ({"tenant": "t"}, "set together"),
        ({"api_key": KEY, "entra": True}, "set one of"),
        ({"api_key": KEY, "tenant": "t", "client_id": "c", "client_secret": KEY}, "set one of"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(more: dict[str, Any], what: str) -> None:
    with pytest.raises(PluginError, match=what):
        recorded(plugin, Config(base_url=URL, **more))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("max_completion_tokens", {"max_completion_tokens": 5}), ("max_tokens", {"max_tokens": 5}), ("either", {"max_tokens": 5})],
)
def test_the_token_limit_has_the_name_that_the_deployment_knows(setting: Any, expected: dict[str, int]) -> None:
    provider = recorded(plugin, Config(base_url=URL, api_key=KEY, token_limit_field=setting))
    fields = {"max_tokens": 5}
    assert provider.adapt(fields, None, CHAT, losses := []) == (expected != {"max_tokens": 5})
    assert (fields, losses) == (expected, [])
    assert provider.adapt({"max_tokens": 5}, None, SimpleNamespace(name="openai.embeddings"), []) is False


def test_a_stream_that_begins_with_the_prompts_filter_results_is_read() -> None:
    # hand-made from Azure's documentation of content filtering: the first chunk has no choices
    decoder = CHAT.decoder()
    pieces = [
        b'data: {"id":"","object":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n',
        b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"content_filter_results":{"hate":{}}}]}\n\n',
        b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}\n\n',
        b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\ndata: [DONE]\n\n',
    ]
    events = [event for piece in pieces for event in decoder.feed(piece)]
    assert [event.value for event in events if isinstance(event, Delta)] == ["Hi"]
    assert [event.reason for event in events if isinstance(event, Finish)] == ["content_filter"]
    assert [event.usage.input_tokens for event in events if isinstance(event, UsageEvent)] == [3]


@pytest.mark.anyio
async def test_listed_are_the_deployments_that_the_configuration_names() -> None:
    transport = RecordingTransport(b'{"data":[{"id":"gpt-6-astra"}]}')
    assert await recorded(plugin, Config(base_url=URL, api_key=KEY), transport).list_models() == ["gpt-6-astra"]
    named = Config(base_url=URL, api_key=KEY, models=["mine"])
    assert list(await recorded(plugin, named, transport).list_models()) == ["mine"]
    assert transport.sent[-1].endpoint.url == URL + "/openai/v1/models"


class Credential:
    """azure-identity 1.27's `DefaultAzureCredential`, as far as it is used."""

    asked: list[str] = []
    fails = False

    def get_token(self, *scopes: str) -> Any:
        self.asked.extend(scopes)
        if self.fails:
            raise RuntimeError("DefaultAzureCredential failed to retrieve a token.\nAttempted credentials: …")
        return SimpleNamespace(token="entra-token", expires_on=int(time.time()) + 3600)


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> type[Credential]:
    monkeypatch.setattr(Credential, "asked", [])
    monkeypatch.setitem(sys.modules, "azure.identity", SimpleNamespace(DefaultAzureCredential=Credential))  # type: ignore[arg-type]
    return Credential


@pytest.mark.anyio
async def test_azure_identity_is_asked_once_for_many_requests(identity: type[Credential]) -> None:
    transport = RecordingTransport(b'{"data":[]}')
    provider = recorded(plugin, Config(base_url=URL, entra=True), transport)
    await provider.list_models()
    await provider.list_models()
    assert [sent.headers[b"authorization"] for sent in transport.sent] == [b"Bearer entra-token"] * 2
    assert identity.asked == ["https://cognitiveservices.azure.com/.default"]
    assert b"api-key" not in transport.sent[0].headers


@pytest.mark.anyio
async def test_a_credential_that_fails_is_told_in_a_line(identity: type[Credential], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "fails", True)
    with pytest.raises(UpstreamError, match=r"azure-identity gave no token: RuntimeError: .* a token\.$") as caught:
        await recorded(plugin, Config(base_url=URL, entra=True)).list_models()
    assert caught.value.kind == "auth"


def test_without_azure_identity_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="pip install azure-identity"):
        recorded(plugin, Config(base_url=URL, entra=True))


def test_its_models_are_those_that_catalogues_list_under_azure() -> None:
    assert recorded(plugin, Config(base_url=URL)).vendor == "azure"

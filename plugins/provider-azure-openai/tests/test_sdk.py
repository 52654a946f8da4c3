"""OpenAI's own client for Azure says where requests go and how the key is sent."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from lynkr_core import Secret
from lynkr_core.testing.recording import sent
from lynkr_provider_azure_openai import Config, plugin

openai: Any = pytest.importorskip("openai")
URL = "https://res.openai.azure.com"
ASKS = {
    "openai.chat": lambda client: client.chat.completions.create(model="my-gpt", messages=[]),
    "openai.embeddings": lambda client: client.embeddings.create(model="my-gpt", input="hi"),
    "openai.responses": lambda client: client.responses.create(model="my-gpt", input="hi"),
}


def seen(client: Any, dialect: str) -> tuple[str, str | None]:
    """URL and key of the request that this client sends."""
    requests: list[Any] = []

    def answer(request: Any) -> Any:
        requests.append(request)
        return httpx2.Response(400, json={"error": {"message": "enough"}})

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    with client.with_options(http_client=http, max_retries=0) as asking, pytest.raises(openai.BadRequestError):
        ASKS[dialect](asking)
    return str(requests[0].url), requests[0].headers.get("api-key")


def ours(config: Config, dialect: str) -> tuple[str, str | None]:
    endpoint, headers, _ = sent(plugin, config, dialect, model="my-gpt")
    return endpoint.url, headers[b"api-key"].decode()


@pytest.mark.parametrize("dialect", ASKS)
def test_the_classic_api_is_addressed_as_the_sdk_does(dialect: str) -> None:
    sdk = openai.AzureOpenAI(azure_endpoint=URL, api_key="k1", api_version="2024-10-21")
    config = Config(base_url=URL, api_key=Secret("k1"), api="classic", api_version="2024-10-21")
    assert ours(config, dialect) == seen(sdk, dialect)


@pytest.mark.parametrize("dialect", ASKS)
def test_the_v1_api_is_addressed_as_the_sdk_does(dialect: str) -> None:
    """The documented way to it is the plain client with Azure's base URL, whose key Azure takes as a bearer token too."""
    sdk = openai.OpenAI(base_url=URL + "/openai/v1/", api_key="k1")
    assert ours(Config(base_url=URL, api_key=Secret("k1")), dialect)[0] == seen(sdk, dialect)[0]

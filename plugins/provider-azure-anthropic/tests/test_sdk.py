"""Anthropic's own client for Foundry says where requests go and how the key is sent."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from lynkr_core import Secret
from lynkr_core.testing.recording import sent
from lynkr_provider_azure_anthropic import Config, plugin

anthropic: Any = pytest.importorskip("anthropic")
URL = "https://res.services.ai.azure.com/anthropic"
ASKS = {
    "anthropic.messages": lambda client: client.messages.create(model="m", max_tokens=5, messages=[]),
    "anthropic.count_tokens": lambda client: client.messages.count_tokens(model="m", messages=[]),
}


@pytest.mark.parametrize("dialect", ASKS)
def test_foundry_is_addressed_as_the_sdk_does(dialect: str) -> None:
    requests: list[Any] = []

    def answer(request: Any) -> Any:
        requests.append(request)
        return httpx2.Response(400, json={"error": {"message": "enough"}})

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = anthropic.AnthropicFoundry(api_key="k1", resource="res", http_client=http, max_retries=0)
    with client, pytest.raises(anthropic.BadRequestError):
        ASKS[dialect](client)
    endpoint, headers, _ = sent(plugin, Config(base_url=URL, api_key=Secret("k1")), dialect)
    assert endpoint.url == str(requests[0].url)
    keys = {name: value for name, value in requests[0].headers.items() if value == "k1"}
    assert {name.decode(): value.decode() for name, value in headers.items() if value == b"k1"} == keys

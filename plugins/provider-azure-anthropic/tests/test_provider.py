from __future__ import annotations

import pytest

from lynkr_core import Secret
from lynkr_core.testing.recording import recorded, sent
from lynkr_provider_azure_anthropic import Config, plugin

CONFIG = Config(base_url="https://res.services.ai.azure.com/anthropic/", api_key=Secret("k1"), models=["claude-sonnet-5-5"])


def test_the_version_is_the_callers_else_the_one_that_all_clients_know() -> None:
    endpoint, headers, _ = sent(plugin, CONFIG, "anthropic.messages")
    assert endpoint.url == "https://res.services.ai.azure.com/anthropic/v1/messages"
    assert headers[b"anthropic-version"] == b"2023-06-01"
    _, headers, _ = sent(plugin, CONFIG, "anthropic.messages", {b"anthropic-version": b"2026-10-21"}, (b"anthropic-version",))
    assert headers[b"anthropic-version"] == b"2026-10-21"


@pytest.mark.anyio
async def test_models_are_those_of_the_configuration_as_foundry_lists_none() -> None:
    assert list(await recorded(plugin, CONFIG).list_models()) == ["claude-sonnet-5-5"]


def test_its_models_are_those_that_catalogues_list_under_azure_ai() -> None:
    assert recorded(plugin, CONFIG).vendor == "azure_ai"

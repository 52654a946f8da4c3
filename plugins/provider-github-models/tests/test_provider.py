from __future__ import annotations

import pytest

from lynkr_core import Secret
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_github_models import Config, plugin


def test_it_is_asked_at_its_own_address() -> None:
    endpoint, headers, _ = sent(plugin, Config(api_key=Secret("ghp_1")), "openai.chat")
    assert endpoint.url == "https://models.github.ai/inference/chat/completions"
    assert headers[b"authorization"] == b"Bearer ghp_1"
    assert recorded(plugin, Config()).vendor == "github"


@pytest.mark.anyio
async def test_the_catalogue_is_a_bare_list_elsewhere() -> None:
    transport = RecordingTransport(b'[{"id":"openai/gpt-5-mini"},{"id":"meta/llama-5"}]')
    assert await recorded(plugin, Config(organization="o"), transport).list_models() == ["openai/gpt-5-mini", "meta/llama-5"]
    assert transport.sent[0].endpoint.url == "https://models.github.ai/catalog/models"

"""The whole gateway before a provider of one API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.canned import CANNED, Script, encoded
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider

SETTINGS = """
[server]
max_body = 67108864
list_models = false

[provider.up]
base_url = "{url}{path}"
{more}
"""
OURS = 'use = "openai-compatible"\ndialects = ["{back}"]'
PROVIDERS = {
    "gemini": ("", 'use = "google"'),
    "bedrock.converse": ("", 'use = "bedrock"\naccess_key_id = "AKIAMOCK"\nsecret_access_key = "bedrock-secret"'),
    "cohere": ("", 'use = "cohere"'),
    "ollama": ("", 'use = "ollama"\nlayers = []'),
}

# hand-made from the documentation of each API
GEMINI = {"candidates": [{"content": {"role": "model", "parts": [{"text": "ok"}]}, "finishReason": "STOP"}], "usageMetadata": {}}
BEDROCK = {
    "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
}
COHERE = {
    "id": "1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "ok"}]},
    "usage": {"tokens": {"input_tokens": 1, "output_tokens": 1}},
}
OLLAMA = {"model": "m", "message": {"role": "assistant", "content": "ok"}, "done": True, "done_reason": "stop"}
MADE = {"gemini": GEMINI, "bedrock.converse": BEDROCK, "cohere": COHERE, "ollama": OLLAMA}
BACKS = ("openai.chat", "openai.responses", "anthropic.messages", *MADE)
ANSWERS: dict[str, Script] = {back: CANNED.get(back) or Script(body=encoded(MADE[back])) for back in BACKS}


@asynccontextmanager
async def gateway(back: str) -> AsyncIterator[tuple[ScriptedProvider, Client]]:
    path, more = PROVIDERS.get(back, ("/v1", OURS.replace("{back}", back)))
    async with ScriptedProvider() as upstream:
        settings = SETTINGS.replace("{path}", path).replace("{more}", more).replace("{url}", upstream.url)
        upstream.always(ANSWERS[back])
        async with Client(Application(Kernel.from_config(parse(settings, {}), {}))) as client:
            yield upstream, client

"""Through a whole gateway: callers of three APIs before a scripted OpenRouter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from lynkr_core import sse
from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.canned import Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.anyio
ASK = {"model": "openrouter/a/b", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
FRONTS = ["/v1/chat/completions", "/v1/messages"]
HEAD = {"id": "gen-1", "object": "chat.completion.chunk", "created": 1, "model": "a/b", "provider": "Some"}
WAIT = b": OPENROUTER PROCESSING\n\n"
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "cost": 0.0042}
ERROR = {"code": 502, "message": "Provider disconnected", "metadata": {"error_type": "provider_unavailable"}}


def chunk(content: str | None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return sse.event(msgspec.json.encode({**HEAD, "choices": [choice], **more}))


@pytest.fixture
async def client(scripted_provider: ScriptedProvider) -> AsyncIterator[Client]:
    config = parse(f'[provider.openrouter]\nbase_url = "{scripted_provider.url}"\napi_key = "k"\n', {})
    async with Client(Application(Kernel.from_config(config, {}))) as talking:
        yield talking


@pytest.mark.parametrize("path", FRONTS)
async def test_a_stream_with_comments_arrives(client: Client, scripted_provider: ScriptedProvider, path: str) -> None:
    done = sse.event(b"[DONE]")
    scripted_provider.then(Script(events=(WAIT, WAIT, chunk("Grü"), WAIT, chunk("ße", "stop"), chunk(None, usage=USAGE), done)))
    answer = await client.post(path, json={**ASK, "stream": True})
    assert answer.status == 200
    pieces = [msgspec.json.decode(event.data) for event in answer.events() if event.data != b"[DONE]"]
    deltas = [
        (piece.get("choices") or [{}])[0].get("delta", {}).get("content") or piece.get("delta", {}).get("text")
        for piece in pieces
    ]
    assert [delta for delta in deltas if delta] == ["Grü", "ße"]


@pytest.mark.parametrize("path", FRONTS)
async def test_an_error_before_any_word_is_an_error_answer(
    client: Client, scripted_provider: ScriptedProvider, path: str
) -> None:
    scripted_provider.always(Script(events=(WAIT, chunk("", "error", error=ERROR))))
    answer = await client.post(path, json={**ASK, "stream": True})
    assert answer.status == 502
    assert "Provider disconnected" in answer.json()["error"]["message"]
    assert len(scripted_provider.requests) > 1  # a server's error is tried again


@pytest.mark.parametrize("path", FRONTS)
async def test_an_error_after_the_first_word_ends_the_stream_as_one(
    client: Client, scripted_provider: ScriptedProvider, path: str
) -> None:
    scripted_provider.then(Script(events=(chunk("Grü"), chunk("", "error", error=ERROR))))
    answer = await client.post(path, json={**ASK, "stream": True})
    assert answer.status == 200
    assert b"Provider disconnected" in answer.body
    assert b"message_stop" not in answer.body
    assert b"[DONE]" not in answer.body


@pytest.mark.parametrize("path", FRONTS)
async def test_the_cost_is_what_openrouter_bills(client: Client, scripted_provider: ScriptedProvider, path: str) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    scripted_provider.then(Script(body=msgspec.json.encode({**HEAD, "choices": [choice], "usage": USAGE})))
    answer = await client.post(path, json=ASK)
    assert float(answer.headers["x-lynkr-cost-usd"]) == pytest.approx(0.0042)

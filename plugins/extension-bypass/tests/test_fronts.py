"""Through the whole gateway, with the vendors' own SDKs as clients: dialects, streams, headers, journal, and who is asked before."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.client import Client

pytestmark = pytest.mark.anyio
CLAUDE = {"user-agent": "claude-cli/2.1.330 (external, cli)"}
TITLE = "You are a title generator. You output ONLY a thread title. Nothing else.\n\nA brief title."
SAID: list[Any] = [
    {"role": "user", "content": "Generate a title for this conversation:\n"},
    {"role": "user", "content": "why is the build red?"},
]
TOML = """
[provider.echo]
[tiers]
simple = ["echo/echo"]
[sink.journal]
[extension.bypass]
on = ["opencode-title"]
"""


@pytest.fixture
def app() -> Application:
    return Application(Kernel.from_config(parse(TOML, {}), {}))


@pytest.fixture
async def through(app: Application, client: Client) -> AsyncGenerator[httpx2.AsyncClient]:
    """Reaches the app without a socket; the fixture `client` keeps its lifespan running."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://lynkr.test/v1") as made:  # pyright: ignore[reportArgumentType]
        yield made


async def test_chat_as_openais_sdk_reads_it(through: Any) -> None:
    sdk = openai.AsyncOpenAI(api_key="none", base_url="http://lynkr.test/v1", http_client=through)
    asked: Any = {"model": "auto", "messages": [{"role": "system", "content": TITLE}, *SAID]}
    whole = await sdk.chat.completions.create(**asked)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("Why is the build red", "stop")
    assert whole.usage is not None
    assert whole.usage.total_tokens == 0
    chunks = [
        chunk async for chunk in await sdk.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    ]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Why is the build red"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert [c.usage.total_tokens for c in chunks if c.usage] == [0]


async def test_responses_as_openais_sdk_reads_it(through: Any) -> None:
    sdk = openai.AsyncOpenAI(api_key="none", base_url="http://lynkr.test/v1", http_client=through)
    asked: Any = {"model": "auto", "store": False, "input": [{"role": "developer", "content": TITLE}, *SAID]}
    whole = await sdk.responses.create(**asked)
    assert (whole.output_text, whole.status) == ("Why is the build red", "completed")
    async with sdk.responses.stream(**asked) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert final.output_text == "Why is the build red"
    assert final.usage is not None
    assert final.usage.total_tokens == 0
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


async def test_messages_as_anthropics_sdk_reads_them(through: Any) -> None:
    sdk = anthropic.AsyncAnthropic(api_key="none", base_url="http://lynkr.test", http_client=through, default_headers=CLAUDE)
    asked: Any = {"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]}
    whole = await sdk.messages.create(**asked)
    assert whole.stop_reason == "max_tokens"
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (0, 0)
    async with sdk.messages.stream(**asked) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()
    assert (text, final.stop_reason) == ("quota", "max_tokens")
    assert (final.usage.input_tokens, final.usage.output_tokens) == (0, 0)


async def test_headers_and_journal_say_so_and_nobody_was_asked(client: Client) -> None:
    body = {"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]}
    answer = await client.post("/v1/messages?beta=true", json=body, headers=CLAUDE)
    assert (answer.status, answer.headers["x-lynkr-attempts"]) == (200, "0")
    assert answer.headers["x-lynkr-reason"].startswith("bypass claude-code-quota: asks what is left")
    assert int(answer.headers["x-lynkr-saved-tokens"]) > 0
    told = (await client.get(f"/v1/decisions/{answer.headers['x-lynkr-request-id']}")).json()
    assert told["reason"].startswith("bypass claude-code-quota")
    assert told["savings"][0]["plugin"] == "extension.bypass"
    assert told["savings"][0]["tokens"] == int(answer.headers["x-lynkr-saved-tokens"])
    assert not told["cost"]


async def test_who_is_refused_is_refused(anyio_backend: str) -> None:
    kernel = Kernel.from_config(parse(TOML + "[auth.keys]\n", {}), {})
    async with Client(Application(kernel)) as client:
        body = {"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]}
        answer = await client.post("/v1/messages", json=body, headers={**CLAUDE, "x-api-key": "wrong"})
        assert answer.status == 401

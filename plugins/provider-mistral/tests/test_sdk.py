"""Mistral's own SDK against the gateway's chat completions: what works, and what does not.

It sends `random_seed` and `tool_choice: "any"`, which other providers do not know: they reach a provider of Mistral's as they came.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from mistralai.client import Mistral, errors, models

from lynkr_core import sse
from lynkr_core.testing.canned import Script, encoded
from lynkr_core.testing.process import Gateway, gateway
from lynkr_core.testing.scripted import ScriptedProvider

CONFIG = """
[routing]
retries = 0

[server]
list_models = false
[provider.echo]
prefix = ""

[provider.mistral]
base_url = "{url}"
api_key = "m-key"
"""
WEATHER: Any = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
CALL = 'Now [[echo: tool get_weather {"city":"Zürich"}]]'


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def upstream(anyio_backend: str) -> AsyncGenerator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def served(upstream: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Gateway]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "lynkr.toml").write_text(CONFIG.format(url=upstream.url))
    with gateway(cwd=folder) as running:
        yield running


@pytest.fixture
def client(served: Gateway) -> Generator[Mistral]:
    with Mistral(api_key="none", server_url=served.url) as client:
        yield client


def test_a_chat(client: Mistral) -> None:
    answer = client.chat.complete(model="echo/echo", messages=says("Grüße"))
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Grüße", "stop")
    assert answer.usage.total_tokens == 2


def test_a_streamed_chat(client: Mistral) -> None:
    chunks = [event.data for event in client.chat.stream(model="echo/echo", messages=says("one two three"))]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "one two three"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_a_stream_has_no_usage_from_others() -> None:
    """Mistral's API tells it unasked, OpenAI's when asked with `stream_options`, for which the SDK has no word."""
    assert "stream_options" not in models.ChatCompletionStreamRequest.model_fields


def test_tools_are_called_and_answered(client: Mistral) -> None:
    asked = says(CALL)
    first = client.chat.complete(model="echo/echo", messages=asked, tools=[WEATHER], tool_choice="any")
    message = first.choices[0].message
    call = message.tool_calls[0]
    assert (first.choices[0].finish_reason, call.function.name, call.function.arguments) == (
        "tool_calls",
        "get_weather",
        '{"city":"Zürich"}',
    )
    result: Any = {"role": "tool", "tool_call_id": call.id, "name": "get_weather", "content": "21°"}
    second = client.chat.complete(model="echo/echo", messages=[*asked, message, result], tools=[WEATHER])
    assert "21°" in second.choices[0].message.content


def test_tool_calls_in_pieces_are_more_than_it_reads(client: Mistral) -> None:
    """Mistral streams a call in one piece; the SDK wants a name in each, which OpenAI's API gives in the first alone."""
    with pytest.raises(errors.ResponseValidationError, match=r"function\.name"):
        list(client.chat.stream(model="echo/echo", messages=says(CALL), tools=[WEATHER]))


def test_embeddings_without_an_id_are_more_than_it_reads(client: Mistral) -> None:
    """OpenAI's API gives embeddings no id."""
    with pytest.raises(errors.ResponseValidationError, match=r"body\.id"):
        client.embeddings.create(model="echo/echo", inputs=["a", "b"])


@pytest.mark.parametrize(("fault", "status"), [("status 400", 400), ("status 429", 429), ("status 500", 500)])
def test_errors_have_their_status(client: Mistral, fault: str, status: int) -> None:
    with pytest.raises(errors.SDKError) as raised:
        client.chat.complete(model="echo/echo", messages=says(f"[[echo: {fault}]]"))
    assert raised.value.status_code == status


def test_models_are_listed(client: Mistral) -> None:
    """The list is OpenAI's, which has fewer keys than Mistral's."""
    assert client.models.list().data is not None


@pytest.mark.anyio
async def test_what_the_sdk_sends_reaches_mistral_whole(served: Gateway, upstream: ScriptedProvider) -> None:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Hallo"}]
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": thinking}}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "magistral", "choices": [choice], "usage": usage}
    upstream.reset().then(Script(body=encoded(whole)))
    async with Mistral(api_key="none", server_url=served.url) as client:
        answer = await client.chat.complete_async(
            model="mistral/magistral", messages=says("hi"), random_seed=7, safe_prompt=True, tools=[WEATHER], tool_choice="any",
            prompt_mode="reasoning",
        )  # fmt: skip
    assert [piece.type for piece in answer.choices[0].message.content] == ["thinking", "text"]
    sent = upstream.last.json()
    assert (sent["random_seed"], sent["safe_prompt"], sent["tool_choice"], sent["prompt_mode"]) == (7, True, "any", "reasoning")
    assert upstream.last.headers["authorization"] == "Bearer m-key"


@pytest.mark.anyio
async def test_streamed_calls_and_embeddings_of_mistrals_own(served: Gateway, upstream: ScriptedProvider) -> None:
    call = {"id": "abcDEF123", "function": {"name": "f", "arguments": "{}"}, "index": 0}
    choice = {"index": 0, "delta": {"role": "assistant", "content": "", "tool_calls": [call]}, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    vectors = {
        "id": "2",
        "object": "list",
        "model": "e",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": usage,
    }
    upstream.reset().then(Script(events=(sse.event(encoded(chunk)), sse.event(b"[DONE]"))), Script(body=encoded(vectors)))
    async with Mistral(api_key="none", server_url=served.url) as client:
        chunks = [
            event.data async for event in await client.chat.stream_async(model="mistral/m", messages=says("hi"), tools=[WEATHER])
        ]
        assert chunks[0].choices[0].delta.tool_calls[0].id == "abcDEF123"
        assert chunks[0].usage.total_tokens == 3
        assert "stream_options" not in upstream.last.json()
        found = await client.embeddings.create_async(model="mistral/e", inputs=["a"], output_dimension=1)
    assert found.data[0].embedding == [0.5]
    assert upstream.last.json() == {"model": "e", "input": ["a"], "output_dimension": 1}

"""Cohere's own SDK against the gateway: translated for an echo that speaks chat, and untouched for an upstream of Cohere's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import cohere
import httpx
import openai
import pytest

from lynkr_core.testing.canned import TEXT, Script, encoded, named
from lynkr_core.testing.process import Gateway, gateway
from lynkr_core.testing.scripted import ScriptedProvider

CONFIG = """
[server]
keep_alive = 0.3
[routing]
retries = 0

[provider.echo]
prefix = ""

[provider.cohere]
base_url = "{url}"
api_key = "co-key"
input_type = "search_query"
"""
ONCE: Any = {"max_retries": 0}
ECHO: Any = {"model": "echo/echo", "request_options": ONCE}
WEATHER: Any = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
TWO_CALLS = 'Now [[echo: tool get_weather {"city":"Zürich"}]] [[echo: tool get_weather {"city":"Paris"}]]'


def says(text: str, role: str = "user") -> Any:
    return [{"role": role, "content": text}]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def upstream(anyio_backend: str) -> AsyncGenerator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def served(upstream: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("served")
    (folder / "lynkr.toml").write_text(CONFIG.format(url=upstream.url))
    with gateway(cwd=folder) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Gateway) -> Generator[cohere.ClientV2]:
    with cohere.ClientV2(api_key="none", base_url=served.url) as client:
        yield client


@pytest.fixture(scope="module")
async def patient(served: Gateway) -> AsyncGenerator[cohere.AsyncClientV2]:
    async with cohere.AsyncClientV2(api_key="none", base_url=served.url) as client:
        yield client


def test_a_chat(client: cohere.ClientV2) -> None:
    answer = client.chat(messages=[*says("Be brief", "system"), *says(TEXT)], **ECHO)
    assert (answer.message.role, answer.message.content[0].text, answer.finish_reason) == ("assistant", TEXT, "COMPLETE")
    assert answer.usage.billed_units.input_tokens == len(TEXT.split()) + 2
    assert answer.id


def test_a_streamed_chat(client: cohere.ClientV2) -> None:
    events = list(client.chat_stream(messages=says(TEXT + " [[echo: reasoning I think so]]"), **ECHO))
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[-1]) == ("message-start", "message-end")
    deltas = [event.delta.message.content for event in events if event.type == "content-delta"]
    assert "".join([delta.text or "" for delta in deltas]).strip() == TEXT
    assert "".join([delta.thinking or "" for delta in deltas]) == "I think so"
    assert [event.index for event in events if event.type == "content-start"] == [0, 1]
    assert kinds.count("content-start") == kinds.count("content-end") == 2
    assert events[-1].delta.finish_reason == "COMPLETE"
    assert events[-1].delta.usage.billed_units.output_tokens > 0


def test_silence_is_broken_by_what_the_sdk_passes_over(client: cohere.ClientV2) -> None:
    events = list(client.chat_stream(messages=says("one two three [[echo: delay 1.5]] [[echo: chunks 3 every 0.5]]"), **ECHO))
    said = [event.delta.message.content.text for event in events if event.type == "content-delta"]
    assert "".join(said).strip() == "one two three"


def test_tools_are_called_and_answered(client: cohere.ClientV2) -> None:
    asked = says(TWO_CALLS)
    first = client.chat(messages=asked, tools=[WEATHER], **ECHO)
    assert first.finish_reason == "TOOL_CALL"
    calls = first.message.tool_calls
    assert [call.function.arguments for call in calls] == ['{"city":"Zürich"}', '{"city":"Paris"}']
    documents: Any = [[{"type": "document", "document": {"data": {"celsius": n}}}] for n in (21, 15)]
    results: Any = [
        {"role": "tool", "tool_call_id": call.id, "content": content} for call, content in zip(calls, documents, strict=True)
    ]
    second = client.chat(messages=[*asked, first.message, *results], tools=[WEATHER], **ECHO)
    assert '{"celsius":21}' in second.message.content[0].text
    assert '{"celsius":15}' in second.message.content[0].text


def test_streamed_tool_calls(client: cohere.ClientV2) -> None:
    events = list(client.chat_stream(messages=says(TWO_CALLS), tools=[WEATHER], **ECHO))
    begun = [event.delta.message.tool_calls for event in events if event.type == "tool-call-start"]
    assert [(call.function.name, call.function.arguments) for call in begun] == [("get_weather", "")] * 2
    pieces: dict[int, str] = {}
    for event in events:
        if event.type == "tool-call-delta":
            pieces[event.index] = pieces.get(event.index, "") + event.delta.message.tool_calls.function.arguments
    assert pieces == {0: '{"city":"Zürich"}', 1: '{"city":"Paris"}'}
    assert events[-1].delta.finish_reason == "TOOL_CALL"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("status 400", cohere.BadRequestError), ("status 404", cohere.NotFoundError), ("status 429", cohere.TooManyRequestsError),
        ("status 500", cohere.InternalServerError), ("status 503", cohere.ServiceUnavailableError), ("error context", cohere.BadRequestError),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_errors_have_their_classes(client: cohere.ClientV2, fault: str, expected: type[Exception], stream: bool) -> None:
    messages = says(f"[[echo: {fault}]]")
    with pytest.raises(expected) as raised:
        list(client.chat_stream(messages=messages, **ECHO)) if stream else client.chat(messages=messages, **ECHO)
    body: Any = raised.value.body  # type: ignore[attr-defined]
    assert set(body) == {"message", "id"}
    assert body["message"]


def test_an_unknown_model_and_a_bad_body(client: cohere.ClientV2) -> None:
    with pytest.raises(cohere.NotFoundError):
        client.chat(model="nobody/has-it", messages=says("hi"), request_options=ONCE)
    with pytest.raises(cohere.BadRequestError) as raised:
        client.chat(model="echo/echo", messages=says("hi"), temperature="hot", request_options=ONCE)  # type: ignore[arg-type]
    assert "temperature" in str(raised.value.body)


@pytest.mark.parametrize("fault", ["cut 4", "end 4", "fail 4"])
def test_a_stream_that_fails_ends_in_an_error(client: cohere.ClientV2, fault: str) -> None:
    last: Any = None
    broken = False
    try:
        for event in client.chat_stream(messages=says(f"one two three four five six [[echo: {fault}]]"), **ECHO):
            last = event
    except httpx.RemoteProtocolError:
        broken = True  # as good as an error event
    assert broken or (last.type, last.delta.finish_reason, bool(last.delta.error)) == ("message-end", "ERROR", True)


BEGIN = {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}}
USAGE = {"billed_units": {"input_tokens": 3.0, "output_tokens": 2.0}, "tokens": {"input_tokens": 70.0, "output_tokens": 2.0}}
STREAM = [
    BEGIN,
    {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hal"}}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "lo"}}}},
    {"type": "content-end", "index": 0},
    {"type": "message-end", "id": "c1", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}},
]
WHOLE = {
    "id": "c1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hallo"}]},
    "usage": USAGE,
}
GOOD = Script(body=encoded(WHOLE), events=named(STREAM))
OWN: Any = {"model": "cohere/command-a-03-2025", "request_options": ONCE}


@pytest.mark.anyio
async def test_an_upstream_of_coheres_gets_what_the_sdk_sent(patient: cohere.AsyncClientV2, upstream: ScriptedProvider) -> None:
    upstream.reset().then(GOOD)
    more: Any = {
        "documents": ["a", {"id": "d", "data": {"t": "b"}}],
        "safety_mode": "STRICT",
        "citation_options": {"mode": "FAST"},
    }
    answer = await patient.chat(messages=says("hi"), k=5, p=0.5, thinking={"type": "disabled"}, **more, **OWN)  # type: ignore[arg-type]
    assert answer.message.content[0].text == "Hallo"
    sent = upstream.last.json()
    assert {key: sent[key] for key in more} == more
    assert (sent["model"], sent["k"], sent["p"], sent["thinking"]) == ("command-a-03-2025", 5, 0.5, {"type": "disabled"})
    assert (upstream.last.path, upstream.last.headers["authorization"]) == ("/v2/chat", "Bearer co-key")


@pytest.mark.anyio
async def test_a_stream_of_coheres_passes_untouched(patient: cohere.AsyncClientV2, upstream: ScriptedProvider) -> None:
    upstream.reset().then(GOOD)
    events = [event async for event in patient.chat_stream(messages=says("hi"), **OWN)]
    assert [event.type for event in events] == [event["type"] for event in STREAM]
    assert events[-1].delta.usage.tokens.input_tokens == 70


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_openais_sdk_is_served_by_cohere(served: Gateway, upstream: ScriptedProvider, stream: bool) -> None:
    upstream.reset().then(GOOD)
    asked: Any = {"model": "cohere/command-a-03-2025", "messages": says("hi"), "top_p": 0.5, "stop": "END", "user": "u"}
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as other:
        if stream:
            chunks = [
                chunk
                async for chunk in await other.chat.completions.create(
                    stream=True, stream_options={"include_usage": True}, **asked
                )
            ]
            text, usage = "".join([c.choices[0].delta.content or "" for c in chunks if c.choices]), chunks[-1].usage
        else:
            whole = await other.chat.completions.with_raw_response.create(**asked)
            assert "user: Cohere has no such parameter" in whole.headers["x-lynkr-losses"]
            answer = whole.parse()
            text, usage = answer.choices[0].message.content, answer.usage
    assert (text, usage.prompt_tokens, usage.completion_tokens) == ("Hallo", 3, 2)
    sent = upstream.last.json()
    assert (sent["p"], sent["stop_sequences"], sent.get("stream", False)) == (0.5, ["END"], stream)
    assert sent["messages"] == says("hi")


@pytest.mark.anyio
async def test_openais_sdk_embeds_with_cohere(served: Gateway, upstream: ScriptedProvider) -> None:
    floats = {"id": "e", "embeddings": {"float": [[0.25, -0.5], [1.0, 0.0]]}, "meta": {"billed_units": {"input_tokens": 4.0}}}
    coded = {"id": "e", "embeddings": {"base64": ["AACAPgAAAL8="]}, "meta": {"billed_units": {"input_tokens": 2.0}}}
    upstream.reset().then(Script(body=encoded(floats)), Script(body=encoded(coded)))
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as other:
        found = await other.embeddings.create(model="cohere/embed-v4.0", input=["a", "b"], dimensions=2, encoding_format="float")
        assert [item.embedding for item in found.data] == [[0.25, -0.5], [1.0, 0.0]]
        assert found.usage.prompt_tokens == 4
        sent = upstream.last.json()
        assert sent == {
            "model": "embed-v4.0", "texts": ["a", "b"], "embedding_types": ["float"], "output_dimension": 2, "input_type": "search_query",
        }  # fmt: skip
        found = await other.embeddings.create(
            model="cohere/embed-v4.0", input="a", encoding_format="base64", extra_body={"input_type": "clustering"}
        )
        assert found.data[0].embedding == "AACAPgAAAL8="
        assert (upstream.last.json()["embedding_types"], upstream.last.json()["input_type"]) == (["base64"], "clustering")

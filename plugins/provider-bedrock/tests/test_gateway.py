"""lynkr with Bedrock behind it, from each front to the wire and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.dialects.fold import fold
from lynkr_core.kernel import Kernel
from lynkr_core.request import Response, Text, ToolCall
from lynkr_core.testing.canned import Script, encoded
from lynkr_core.testing.client import Client
from lynkr_core.testing.eventstream import event, exception
from lynkr_core.testing.factories import find_dialect
from lynkr_core.testing.scripted import ScriptedProvider

FRONTS = CHAT, MESSAGES, RESPONSES = ("openai.chat", "anthropic.messages", "openai.responses")
ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    MESSAGES: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9000},
    RESPONSES: {"input": "hi", "include": ["reasoning.encrypted_content"]},
}
# hand-made from botocore 1.44.5's service model of bedrock-runtime
USAGE = {"inputTokens": 40, "outputTokens": 20, "totalTokens": 120, "cacheReadInputTokens": 60}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}}
HIDDEN = {"reasoningContent": {"redactedContent": "cmVkYWN0ZWQ="}}
USE = {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"x": 1}}}
STOP = {"stopReason": "tool_use"}
COHERE = {"texts": ["hi"], "output_dimension": 256, "input_type": "search_document"}


def piece(index: int, **delta: Any) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def end(index: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": index})


BEGUN = event("messageStart", {"role": "assistant"})
RICH = Script(
    body=encoded({
        "output": {"message": {"role": "assistant", "content": [THOUGHT, HIDDEN, {"text": "So ü."}, USE]}}, "usage": USAGE, **STOP
    }),
    events=(
        BEGUN, piece(0, reasoningContent={"text": "Hm."}), piece(0, reasoningContent={"signature": "c2ln"}), end(0),
        piece(1, reasoningContent={"redactedContent": "cmVkYWN0ZWQ="}), end(1), piece(2, text="So "), piece(2, text="ü."), end(2),
        event("contentBlockStart", {"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "t1", "name": "f"}}}),
        piece(3, toolUse={"input": '{"x"'}), piece(3, toolUse={"input": ":1}"}), end(3), event("messageStop", STOP),
        event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
    ),
)  # fmt: skip


@asynccontextmanager
async def gateway(upstream: ScriptedProvider, **more: Any) -> AsyncIterator[Client]:
    table = f'[provider.aws]\nuse = "bedrock"\nbase_url = "{upstream.url}"\napi_key = "k"\n[routing]\nretries = 0\n'
    async with Client(Application(Kernel.from_config(parse(table, {}), {}))) as client:
        yield client


def heard(front: str, body: bytes, stream: bool) -> Response:
    dialect = find_dialect(front)
    if not stream:
        return dialect.decode_response(body)
    decoder = dialect.decoder()
    return fold([*decoder.feed(body), *decoder.close()])


async def ask(client: Client, front: str, model: str = "anthropic.claude-opus-4-8", **more: Any) -> Any:
    if front == CHAT and more.get("stream"):
        more["stream_options"] = {"include_usage": True}
    return await client.post(find_dialect(front).routes[0], json={"model": f"aws/{model}", **ASKED[front], **more})


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("front", FRONTS)
async def test_an_answer_reaches_every_front(front: str, stream: bool) -> None:
    async with ScriptedProvider() as upstream, gateway(upstream.then(RICH)) as client:
        answer = await ask(client, front, stream=stream)
    assert answer.status == 200, answer.text
    assert upstream.last.path == f"/model/anthropic.claude-opus-4-8/converse{'-stream' if stream else ''}"
    response = heard(front, answer.body, stream)
    assert response.model == "anthropic.claude-opus-4-8"
    parts, usage = response.choices[0].parts, response.usage
    assert "".join([part.text for part in parts if isinstance(part, Text)]) == "So ü."
    assert [(p.id, p.name, msgspec.json.decode(p.arguments)) for p in parts if isinstance(p, ToolCall)] == [("t1", "f", {"x": 1})]
    assert response.choices[0].finish_reason == "tool_calls"
    assert usage is not None
    assert (usage.input_tokens, usage.cache_read, usage.output_tokens) == (100, 60, 20)


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("front", [MESSAGES, RESPONSES])
async def test_signed_and_hidden_reasoning_comes_back_as_it_went(front: str, stream: bool, lint: Any) -> None:
    """As a client does it: what it was told goes back into the next request."""
    async with ScriptedProvider() as upstream, gateway(upstream.then(RICH, RICH)) as client:
        answer = await ask(client, front, stream=stream)
        again = await ask(client, front, **next_turn(front, answer, stream))
    assert again.status == 200, again.text
    content = lint(upstream.last.json())["messages"][1]["content"]
    assert content == [THOUGHT, HIDDEN, {"text": "So ü."}, USE]
    assert "reasoning" not in again.headers.get("x-lynkr-losses", "")


def next_turn(front: str, answer: Any, stream: bool) -> dict[str, Any]:
    if front == RESPONSES:
        done = [msgspec.json.decode(one.data) for one in answer.events()][-1]["response"] if stream else answer.json()
        result = {"type": "function_call_output", "call_id": "t1", "output": "3"}
        return {"input": [{"role": "user", "content": "hi"}, *done["output"], result]}
    content = blocks_of(answer) if stream else answer.json()["content"]
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "3"}
    said = [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    return {"messages": [*ASKED[MESSAGES]["messages"], *said], "thinking": {"type": "enabled", "budget_tokens": 2000}}


def blocks_of(answer: Any) -> list[dict[str, Any]]:
    """The content blocks as Anthropic's SDK gathers them from a stream."""
    blocks: list[dict[str, Any]] = []
    for one in [msgspec.json.decode(found.data) for found in answer.events()]:
        if one["type"] == "content_block_start":
            blocks.append({**one["content_block"]})
        elif one["type"] == "content_block_delta":
            key = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}.get(
                one["delta"]["type"], "json"
            )
            blocks[-1][key] = blocks[-1].get(key, "") + one["delta"].get("partial_json", one["delta"].get(key, ""))
    return [{**block, "input": msgspec.json.decode(block.pop("json"))} if "json" in block else block for block in blocks]


@pytest.mark.anyio
@pytest.mark.parametrize("front", FRONTS)
async def test_an_exception_before_the_answer_is_an_error_with_a_status(front: str) -> None:
    script = Script(events=(BEGUN, exception("throttlingException", {"message": "Too many tokens"})))
    async with ScriptedProvider() as upstream, gateway(upstream.then(script)) as client:
        answer = await ask(client, front, stream=True)
    assert answer.status == 429
    assert find_dialect(front).decode_error(429, {}, answer.body).kind == "rate_limited"


@pytest.mark.anyio
@pytest.mark.parametrize("front", FRONTS)
async def test_an_exception_amid_the_answer_is_told_and_ends_it(front: str) -> None:
    broken = exception("modelStreamErrorException", {"message": "broke", "originalStatusCode": 500})
    async with (
        ScriptedProvider() as upstream,
        gateway(upstream.then(Script(events=(BEGUN, piece(0, text="So"), broken)))) as client,
    ):
        answer = await ask(client, front, stream=True)
    assert b"broke" in answer.body
    assert b"[DONE]" not in answer.body
    assert b"message_stop" not in answer.body


@pytest.mark.anyio
async def test_what_is_lost_is_told_to_the_caller() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    async with ScriptedProvider() as upstream, gateway(upstream.then(RICH)) as client:
        answer = await ask(client, CHAT, "meta.llama4-v1:0", messages=[{"role": "user", "content": [picture]}], seed=7)
    told = answer.headers["x-lynkr-losses"]
    assert "image" in told
    assert "seed" in told


@pytest.mark.anyio
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("model", "body", "sent"),
    [
        ("amazon.titan-embed-text-v2:0", {"embedding": [0.25, -0.5], "inputTextTokenCount": 3}, {"inputText": "hi", "dimensions": 256}),
        ("cohere.embed-v4:0", {"embeddings": {"float": [[0.25, -0.5]]}}, COHERE),
        ("cohere.embed-english-v3", {"embeddings": [[0.25, -0.5]]}, COHERE),
    ],
)  # fmt: skip
async def test_embeddings_of_each_maker(model: str, body: Any, sent: Any, packed: bool) -> None:
    asked = {"model": f"aws/{model}", "input": ["hi"], "dimensions": 256, "encoding_format": "base64" if packed else "float"}
    async with ScriptedProvider() as upstream, gateway(upstream.then(Script(body=encoded(body)))) as client:
        answer = await client.post("/v1/embeddings", json=asked)
    assert answer.status == 200, answer.text
    assert upstream.last.json() == sent
    assert upstream.last.path.endswith("/invoke")
    assert answer.json()["data"] == [{"object": "embedding", "index": 0, "embedding": "AACAPgAAAL8=" if packed else [0.25, -0.5]}]
    assert answer.json()["usage"]["prompt_tokens"] == body.get("inputTextTokenCount", 0)


@pytest.mark.anyio
@pytest.mark.parametrize("input", [["a", "b"], [], [1, 2], [[1]], None])
async def test_what_titan_cannot_embed_at_once_is_refused(input: Any) -> None:
    async with ScriptedProvider() as upstream, gateway(upstream) as client:
        answer = await client.post("/v1/embeddings", json={"model": "aws/amazon.titan-embed-text-v2:0", "input": input})
    assert (answer.status, answer.json()["error"]["param"]) == (400, "input")
    assert upstream.requests == []

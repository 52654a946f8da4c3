from __future__ import annotations

import base64
import json
import math
import struct
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from lynkr_core import Context, Dialect, Envelope, GatewayError, PluginError, Stores, UpstreamError
from lynkr_core.dialect import Fields, Headers, read_fields
from lynkr_core.errors import AllFailed
from lynkr_core.events import Delta, End, Finish, Grammar, PartStart, Start, UsageEvent
from lynkr_core.request import Message, Reasoning, Request, Response, Text, ToolCall, ToolCallResponse, Usage
from lynkr_core.testing.waiting import SOON
from lynkr_provider_echo import Config, plugin


class Double(Dialect):
    """A dialect whose wire is Python's own words for the model: enough to see what the echo says."""

    name = "openai.chat"
    content_type = b"text/plain"

    def peek(self, body: bytes, path: str = "") -> Envelope:
        fields = read_fields(body)
        return Envelope(fields=fields, model="echo", stream=b"true" in bytes(fields.get("stream", b"")))

    def decode_request(self, envelope: Envelope) -> Request:
        said = json.loads(bytes(envelope.fields["said"]))
        messages = [Message(role=role, parts=(Text(text=text),)) for role, text in said if role != "tool"]
        results = [ToolCallResponse(id="1", content=(Text(text=text),)) for role, text in said if role == "tool"]
        if results:
            messages.append(Message(role="tool", parts=tuple(results)))
        limit = json.loads(bytes(envelope.fields.get("limit", b"null")))
        return Request(dialect=self.name, model="echo", messages=tuple(messages), max_tokens=limit)

    def encode_response(self, response: Response, request: Request) -> bytes:
        self.response = response
        return repr(response).encode()

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> Any:
        self.events, self.grammar = [], Grammar()

        def encode(event: Any) -> bytes:
            self.events.append(self.grammar.check(event))
            return b"" if isinstance(event, UsageEvent) else type(event).__name__.encode()

        return SimpleNamespace(encode=encode)

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        kind = f" {error.last.kind}" if isinstance(error, AllFailed) else ""
        return f"{type(error).__name__}{kind}: {error.message}".encode()

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        return b"error in the stream"

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        raise NotImplementedError

    def decode_response(self, body: bytes) -> Response:
        raise NotImplementedError

    def decoder(self) -> Any:
        raise NotImplementedError

    def usage(self, body: bytes) -> Usage | None:
        raise NotImplementedError

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        raise NotImplementedError


class Embeddings(Double):
    name = "openai.embeddings"
    operation = "embeddings"


class Count(Double):
    name = "anthropic.count_tokens"


def create(config: Config) -> Any:
    return plugin.create(config, Context(name="echo", kind="provider", transport=None, tiers=None, stores=Stores(), environ={}))


def send(dialect: Dialect, body: dict[str, Any], model: str = "echo", config: Config | None = None) -> Any:
    exchange = SimpleNamespace(id="req_1", created=1_700_000_000.5, dialect=dialect)
    return create(config or Config()).send(exchange, SimpleNamespace(model=model), dialect, json.dumps(body).encode())


def user(*said: str, **fields: Any) -> dict[str, Any]:
    return {"said": [["user", text] for text in said], **fields}


async def whole(body: dict[str, Any], model: str = "echo", config: Config | None = None) -> Response:
    dialect = Double()
    answer = await send(dialect, body, model, config).response()
    assert (answer.status, await answer.read()) == (200, repr(dialect.response).encode())
    return dialect.response


async def pieces(answer: Any) -> AsyncIterator[bytes]:
    while piece := await answer.next():
        yield piece


@pytest.mark.anyio
async def test_it_says_what_it_was_told() -> None:
    response = await whole(user("first", "hello  there\nfriend"))
    assert response.choices[0].parts == (Text(text="You said: hello  there\nfriend"),)
    assert response.choices[0].finish_reason == "stop"
    assert response.usage == Usage(input_tokens=4, output_tokens=5)
    assert response.created == 1_700_000_000
    assert response == await whole(user("first", "hello  there\nfriend"))


@pytest.mark.anyio
async def test_a_stream_has_a_piece_for_each_word() -> None:
    dialect = Double()
    answer = await send(dialect, user("a bc  d", stream=True)).response()
    assert [piece async for piece in pieces(answer)] == [b"Start", b"PartStart", *[b"Delta"] * 5, b"PartEnd", b"Finish", b"End"]
    assert "".join(event.value for event in dialect.events if isinstance(event, Delta)) == "You said: a bc  d"
    assert answer.headers == {b"content-type": b"text/plain"}
    assert dialect.events[-2] == UsageEvent(Usage(input_tokens=3, output_tokens=5))


@pytest.mark.anyio
async def test_it_calls_a_tool_and_tells_its_result() -> None:
    text = '[[echo: tool get_weather {"city":"Paris", "at": [[1, 2]]}]] please [[echo: tool now]]'
    response = await whole(user(text))
    calls = response.choices[0].parts
    assert [(call.name, call.arguments) for call in calls if isinstance(call, ToolCall)] == [
        ("get_weather", '{"city":"Paris", "at": [[1, 2]]}'),
        ("now", "{}"),
    ]
    assert response.choices[0].finish_reason == "tool_calls"
    assert len({call.id for call in calls if isinstance(call, ToolCall)}) == 2
    after = await whole({"said": [["user", text], ["tool", "18 degrees"], ["tool", "noon"]]})
    assert after.choices[0].parts == (Text(text="Tool said: 18 degrees\nnoon"),)


@pytest.mark.anyio
async def test_streamed_arguments_and_reasoning_are_whole_again() -> None:
    dialect = Double()
    answer = await send(dialect, user('[[echo: tool f {"city":"Paris"}]] [[echo: reasoning I think so]]', stream=True)).response()
    await answer.read()
    opened = [event.part for event in dialect.events if isinstance(event, PartStart)]
    assert [type(part) for part in opened] == [Reasoning, ToolCall]
    by_field: dict[str, str] = {}
    for event in dialect.events:
        if isinstance(event, Delta):
            by_field[event.field] = by_field.get(event.field, "") + event.value
    assert by_field == {"text": "I think so", "signature": "ZWNobw==", "arguments": '{"city":"Paris"}'}
    assert isinstance(dialect.events[-1], End)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "InvalidRequest"), (429, "RateLimited"), (503, "Unavailable"), (529, "AllFailed"), (418, "AllFailed")],
)
async def test_it_fails_with_the_status_asked_for(status: int, name: str) -> None:
    answer = await send(Double(), user(f"[[echo: status {status} after 2]]", stream=True)).response()
    assert (answer.status, answer.headers[b"retry-after"]) == (status, b"2")
    assert (await answer.read()).startswith(name.encode())


@pytest.mark.anyio
async def test_it_fails_with_the_kind_of_error_asked_for() -> None:
    answer = await send(Double(), user("[[echo: error context]]")).response()
    assert (answer.status, await answer.read()) == (400, b"AllFailed context: the echo was told to fail")
    assert (await send(Double(), user("[[echo: error auth]]")).response()).status == 401


@pytest.mark.anyio
async def test_directives_in_the_models_name_and_the_configuration() -> None:
    assert (await send(Double(), user("hi"), "echo:status=503,delay=0").response()).status == 503
    assert (await send(Double(), user("hi"), config=Config(directives=["status 500"])).response()).status == 500
    assert (await send(Double(), user("hi"), "llama3.2:latest").response()).status == 200
    response = await whole(user("hi"), config=Config(prefix="", directives=["usage 100 20"]))
    assert response.choices[0].parts == (Text(text="hi"),)
    assert response.usage == Usage(input_tokens=100, output_tokens=20)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "directive", ["dance", "status 200", "status x", "delay -1", "delay nan", "chunks 1000000", "tool", "error odd"]
)
async def test_a_directive_that_cannot_be_read_is_refused(directive: str) -> None:
    answer = await send(Double(), user(f"hi [[echo: {directive}]]")).response()
    assert answer.status == 400
    assert directive.encode() in await answer.read()
    with pytest.raises(PluginError, match=r"\$.directives"):
        create(Config(directives=[directive]))


@pytest.mark.anyio
async def test_a_body_that_is_no_json_is_refused() -> None:
    exchange: Any = SimpleNamespace(id="req_1", created=0.0)
    answer = await create(Config()).send(exchange, SimpleNamespace(model="echo"), Double(), b"{").response()
    assert answer.status == 400


@pytest.mark.anyio
async def test_a_cut_breaks_the_connection_after_some_pieces() -> None:
    answer = await send(Double(), user("hi [[echo: cut 3]]", stream=True)).response()
    assert [await answer.next() for _ in range(3)] == [b"Start", b"PartStart", b"Delta"]
    with pytest.raises(UpstreamError) as caught:
        await answer.next()
    assert caught.value.kind == "cut"
    with pytest.raises(UpstreamError):
        await (await send(Double(), user("hi [[echo: cut 3]]")).response()).read()


@pytest.mark.anyio
async def test_an_end_or_a_failure_comes_too_early() -> None:
    ended = await send(Double(), user("hi [[echo: end 2]]", stream=True)).response()
    assert [piece async for piece in pieces(ended)] == [b"Start", b"PartStart"]
    failed = await send(Double(), user("hi [[echo: fail 1]]", stream=True)).response()
    assert [piece async for piece in pieces(failed)] == [b"Start", b"error in the stream"]


@pytest.mark.anyio
async def test_chunks_come_at_their_pace() -> None:
    dialect = Double()
    answer = await send(dialect, user("hi [[echo: chunks 7 every 0.005]]", stream=True)).response()
    started = time.monotonic()
    await answer.read()
    assert time.monotonic() - started > 7 * 0.005
    assert [event.value for event in dialect.events if isinstance(event, Delta)] == [
        "You ",
        "said: ",
        "hi ",
        "You ",
        "said: ",
        "hi ",
        "You",
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("directive", ["delay 30", "chunks 9 every 30"])
async def test_abort_ends_a_wait_at_once(directive: str) -> None:
    call = send(Double(), user(f"[[echo: {directive}]]", stream=True))

    async def read() -> None:
        with pytest.raises(UpstreamError):
            await (await call.response()).read()

    with anyio.fail_after(SOON):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.sleep(0.01)
            call.abort()
    with pytest.raises(UpstreamError):
        await call.next()


@pytest.mark.anyio
async def test_a_limit_shortens_the_answer() -> None:
    dialect = Double()
    await (await send(dialect, user("one two three", limit=3, stream=True)).response()).read()
    assert isinstance(dialect.events[0], Start)
    assert "".join(event.value for event in dialect.events if isinstance(event, Delta)) == "You said: one"
    assert Finish("length") in dialect.events


@pytest.mark.anyio
async def test_read_keeps_to_its_limit() -> None:
    answer = await send(Double(), user("word " * 100)).response()
    with pytest.raises(UpstreamError, match="over 50 bytes"):
        await answer.read(50)


@pytest.mark.anyio
async def test_embeddings_are_unit_vectors_and_always_the_same() -> None:
    body = {"model": "echo", "input": ["hello world", "bye", [1, 2]]}
    answer = json.loads(await (await send(Embeddings(), body).response()).read())
    vectors = [row["embedding"] for row in answer["data"]]
    assert [row["index"] for row in answer["data"]] == [0, 1, 2]
    assert [len(vector) for vector in vectors] == [8, 8, 8]
    assert all(math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-6) for vector in vectors)
    assert vectors[0] != vectors[1]
    assert answer["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    again = json.loads(await (await send(Embeddings(), {**body, "input": "hello world"}).response()).read())
    assert again["data"][0]["embedding"] == vectors[0]


@pytest.mark.anyio
async def test_base64_embeddings_are_the_same_numbers() -> None:
    body = {"model": "echo", "input": "hello", "dimensions": 5}
    floats = json.loads(await (await send(Embeddings(), body).response()).read())["data"][0]["embedding"]
    packed = json.loads(await (await send(Embeddings(), {**body, "encoding_format": "base64"}).response()).read())
    assert list(struct.unpack("<5f", base64.b64decode(packed["data"][0]["embedding"]))) == floats


@pytest.mark.anyio
@pytest.mark.parametrize("change", [{"dimensions": 0}, {"dimensions": 99_999}, {"input": 5}])
async def test_wrong_embeddings_requests_are_refused(change: dict[str, Any]) -> None:
    answer = await send(Embeddings(), {"model": "echo", "input": "hello", **change}).response()
    assert (answer.status, (await answer.read())[:14]) == (400, b"InvalidRequest")


@pytest.mark.anyio
async def test_tokens_are_words() -> None:
    answer = await send(Count(), user("one two", "three")).response()
    assert await answer.read() == b'{"input_tokens":3}'

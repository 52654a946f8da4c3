"""Bare sockets against the served gateway: leaving, pipelining, large and chunked bodies, and stopping."""

import asyncio
import json
import signal
import socket
import time
from contextlib import asynccontextmanager

import pytest

from lynkr_core.testing.canned import CANNED, TEXT, Script
from lynkr_core.testing.waiting import SOON, least

pytestmark = pytest.mark.anyio
FRONTS = {"/v1/chat/completions": "openai.chat", "/v1/responses": "openai.responses", "/v1/messages": "anthropic.messages"}
ENDS = {"/v1/chat/completions": b"[DONE]", "/v1/responses": b"response.completed", "/v1/messages": b"message_stop"}
fronts = pytest.mark.parametrize("front", FRONTS)
upstreams = pytest.mark.parametrize("upstream", ["chat", "messages"])
ECHO = '[provider.echo]\nprefix = ""\n'
MIB = 1024 * 1024


def question(front, model="echo/echo", text="Hello", **more):
    asked = {"input": text} if front.endswith("responses") else {"messages": [{"role": "user", "content": text}]}
    limit = {"max_tokens": 100} if front.endswith("messages") else {}
    return json.dumps({"model": model, **asked, **limit, **more}).encode()


def post(front, body, *headers):
    lines = [f"POST {front} HTTP/1.1", "host: x", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Wire:
    """One connection to the gateway."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def answer(self):
        """Status, headers and body of the next answer."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join([piece async for piece in self.chunks()])
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, body

    async def chunks(self):
        while size := int(await self.reader.readline(), 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)


@asynccontextmanager
async def wire(served):
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass  # the gateway closed first


async def gone(received, since):
    """Seconds until the provider saw its client leave."""
    await asyncio.wait_for(received.gone.wait(), SOON)
    return received.gone_at - since


# leaving
@fronts
@upstreams
@pytest.mark.parametrize("stream", [False, True])
async def test_the_upstream_is_closed_when_the_caller_leaves_while_waiting(scripted_gateway, provider, front, upstream, stream):
    provider.always(Script(delay=60))

    async def took():
        before = len(provider.requests)
        async with wire(scripted_gateway) as caller:
            caller.writer.write(post(front, question(front, f"{upstream}/m", stream=stream)))
            received = await provider.arrived(before + 1)
            left = time.monotonic()
        seconds = await gone(received, left)
        assert len(provider.requests) == before + 1
        return seconds

    assert await least(took, 0.1) < 0.1


@fronts
@upstreams
async def test_the_upstream_is_closed_when_the_caller_leaves_in_a_stream(scripted_gateway, provider, front, upstream):
    provider.always(CANNED[{"chat": "openai.chat", "messages": "anthropic.messages"}[upstream]].but(pause=0.3))

    async def took():
        async with wire(scripted_gateway) as caller:
            caller.writer.write(post(front, question(front, f"{upstream}/m", stream=True)))
            await caller.reader.readuntil(b"\r\n\r\n")
            await caller.reader.readuntil(b"\r\n")
            left = time.monotonic()
        return await gone(provider.last, left)

    assert await least(took, 0.1) < 0.1


async def test_the_upstream_is_closed_when_the_caller_resets(scripted_gateway, provider):
    provider.always(Script(delay=60))

    async def took():
        async with wire(scripted_gateway) as caller:
            caller.writer.write(post("/v1/messages", question("/v1/messages", "messages/m", text="x" * MIB)))
            received = await provider.arrived(len(provider.requests) + 1)
            linger = (1).to_bytes(4, "little") + bytes(4)
            caller.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            left = time.monotonic()
            caller.writer.transport.abort()
            return await gone(received, left)

    assert await least(took, 0.1) < 0.1


async def test_a_caller_that_leaves_half_way_through_its_body_reaches_nobody(scripted_gateway, provider):
    async with wire(scripted_gateway) as caller:
        caller.writer.write(post("/v1/messages", question("/v1/messages", "messages/m"))[:-10])
        await caller.writer.drain()
    async with wire(scripted_gateway) as caller:
        caller.writer.write(post("/v1/messages", question("/v1/messages", "messages/m")))
        assert (await caller.answer())[0] == 200
    assert len(provider.requests) == 1


# connections
async def test_two_connections_are_served_at_once(scripted_gateway, provider):
    provider.always(CANNED["openai.chat"].but(delay=2))
    asked = post("/v1/chat/completions", question("/v1/chat/completions", "chat/m"))
    async with wire(scripted_gateway) as one, wire(scripted_gateway) as two:
        for count in (2, 4):
            one.writer.write(asked)
            two.writer.write(asked)
            await provider.arrived(count)  # both, before either is answered
            answers = await asyncio.gather(one.answer(), two.answer())
            assert [json.loads(body)["choices"][0]["message"]["content"] for _, _, body in answers] == [TEXT, TEXT]
            assert provider.requests[count - 1].arrived < provider.requests[count - 2].arrived + 2
    assert len(provider.requests) == 4


@fronts
async def test_pipelined_requests_are_answered_in_order(gateway, front):
    texts = ["[[echo: delay 0.1]] slow", "[[echo: delay 0.05]] slowish", "fast"]
    async with wire(gateway) as caller:
        caller.writer.write(b"".join([post(front, question(front, text=text)) for text in texts]))
        answers = [await caller.answer() for _ in texts]
    assert [status for status, _, _ in answers] == [200] * 3
    assert [text.split()[-1].encode() in body for text, (_, _, body) in zip(texts, answers, strict=True)] == [True] * 3


async def test_pipelined_streams_are_answered_in_order(gateway):
    front = "/v1/messages"
    async with wire(gateway) as caller:
        caller.writer.write(b"".join([post(front, question(front, text=text, stream=True)) for text in ("first", "second")]))
        (_, _, first), (_, _, second) = await caller.answer(), await caller.answer()
    assert (b"first" in first, b"second" in second) == (True, True)
    assert (first.count(ENDS[front]), second.count(ENDS[front])) == (2, 2)  # the event's name and its type


async def test_an_error_leaves_the_connection_usable(gateway):
    async with wire(gateway) as caller:
        for body, status in ((b"{", 400), (question("/v1/messages", "nobody/none"), 404), (question("/v1/messages"), 200)):
            caller.writer.write(post("/v1/messages", body))
            assert (await caller.answer())[0] == status


# bodies
@fronts
async def test_a_body_of_10_mib(gateway, front):
    text = "0123456789abcdef" * (10 * MIB // 16)
    async with wire(gateway) as caller:
        caller.writer.write(post(front, question(front, "chat/echo", text=text)))
        status, _, body = await caller.answer()
    assert status == 200
    assert text.encode() in body


@pytest.fixture(scope="module")
def narrow(serve_all, session_provider):
    return serve_all(
        f'[server]\nmax_body = 1000\nlist_models = false\n[provider.up]\nuse = "openai-compatible"\nbase_url = "{session_provider.url}"\n'
    )


@fronts
async def test_a_body_over_the_limit_reaches_nobody(narrow, provider, front):
    async with wire(narrow) as caller:
        caller.writer.write(post(front, question(front, "up/m", text="x" * 2000)))
        status, _, body = await caller.answer()
    assert status == 413
    assert "1000 bytes" in json.loads(body)["error"]["message"]
    assert provider.requests == []


async def test_a_body_over_the_limit_is_refused_before_it_has_come(narrow, provider):
    async with wire(narrow) as caller:
        caller.writer.write(post("/v1/messages", b"").replace(b"content-length: 0", b"content-length: 1000000") + b"x" * 2000)
        assert (await caller.answer())[0] == 413
    async with wire(narrow) as caller:
        chunk = b"%x\r\n%b\r\n" % (600, b"x" * 600)
        caller.writer.write(post("/v1/messages", b"").replace(b"content-length: 0", b"transfer-encoding: chunked") + chunk * 2)
        assert (await caller.answer())[0] == 413
    assert provider.requests == []


async def test_a_chunked_body(gateway):
    body = question("/v1/messages", text="Grüße")
    chunks = b"".join([b"%x\r\n%b\r\n" % (1, bytes([byte])) for byte in body]) + b"0\r\n\r\n"
    async with wire(gateway) as caller:
        caller.writer.write(post("/v1/messages", b"").replace(b"content-length: 0", b"transfer-encoding: chunked") + chunks)
        status, _, body = await caller.answer()
    assert (status, json.loads(body)["content"][0]["text"]) == (200, "Grüße")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_that_waits_for_100_continue(gateway, stream):
    body = question("/v1/messages", stream=stream)
    head = post("/v1/messages", body, "expect: 100-continue")[: -len(body)]
    async with wire(gateway) as caller:
        caller.writer.write(head)
        assert (await asyncio.wait_for(caller.reader.readuntil(b"\r\n\r\n"), SOON)).startswith(b"HTTP/1.1 100 ")
        caller.writer.write(body)
        status, _, answer = await caller.answer()
    assert (status, b"Hello" in answer) == (200, True)


async def test_head_of_the_root(gateway):
    async with wire(gateway) as caller:
        caller.writer.write(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
        head = await caller.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        caller.writer.write(b"GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await caller.answer())[0] == 200


# stopping
async def test_sigterm_lets_streams_end(serve):
    served = serve(ECHO)
    async with wire(served) as one, wire(served) as two, wire(served) as three:
        callers = dict(zip(FRONTS, (one, two, three), strict=True))
        for front, caller in callers.items():
            caller.writer.write(post(front, question(front, text="word [[echo: chunks 10 every 0.05]]", stream=True)))
            assert (await caller.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        served.process.send_signal(signal.SIGTERM)
        for front, caller in callers.items():
            body = b"".join([piece async for piece in caller.chunks()])
            assert body.count(b"word") >= 10
            assert ENDS[front] in body
    assert served.ended(10) == 0


async def test_sigint_ends_an_idle_gateway(serve):
    served = serve(ECHO)
    async with wire(served) as caller:  # kept alive and idle, which must not hold it up
        caller.writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await caller.answer()
        served.process.send_signal(signal.SIGINT)
        assert served.ended(10) in (0, 130)
    assert "Traceback" not in served.text


async def test_a_drain_that_takes_too_long_ends_the_stream_and_the_process(serve):
    served = serve("[server]\ndrain = 1\n" + ECHO)
    async with wire(served) as caller:
        caller.writer.write(post("/v1/messages", question("/v1/messages", text="a b c [[echo: chunks 99 every 1]]", stream=True)))
        await caller.reader.readuntil(b"\r\n\r\n")
        began = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - began < 1 + 2 * SOON  # the stream would take 99 s
        rest = await caller.reader.read()
    assert b"event: error" in rest
    assert b"lynkr was stopped" in rest
    assert ENDS["/v1/messages"] not in rest
    assert "Traceback" not in served.text

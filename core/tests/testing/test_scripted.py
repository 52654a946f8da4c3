"""The scripted provider answers, fails and remembers as told; asked with a bare socket, so that nothing hides what it sends."""

import asyncio
import time

import msgspec
import pytest

from lynkr_core import sse
from lynkr_core.testing import canned
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def ask(provider, path, body=b"{}", method="POST"):
    """Head and body of one answer, as bytes, however it ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    head = await reader.readuntil(b"\r\n\r\n")
    got = b""
    async with asyncio.timeout(PATIENCE):
        while not (got.endswith(b"0\r\n\r\n") or b"content-length: %d\r\n" % len(got) in head):
            piece = await reader.read(65536)
            if not piece:
                break
            got += piece
    writer.close()
    await writer.wait_closed()
    return head, got


@pytest.mark.parametrize(("path", "dialect"), canned.PATHS.items())
async def test_each_path_gets_its_dialects_answer(path, dialect):
    async with ScriptedProvider() as provider:
        head, body = await ask(provider, f"/v1{path}?beta=true")
        assert head.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/json")
        assert body == CANNED[dialect].body
        assert (provider.last.path, provider.last.headers["host"]) == (f"/v1{path}?beta=true", "x")


async def test_a_request_for_a_stream_gets_events():
    async with ScriptedProvider() as provider:
        head, body = await ask(provider, "/v1/messages", b'{"stream":true}')
        assert b"text/event-stream" in head
        assert body.count(b"event: ") == len(CANNED["anthropic.messages"].events)
        assert provider.last.json() == {"stream": True}


async def test_scripts_are_used_up_in_order():
    async with ScriptedProvider() as provider:
        provider.then(Script(status=429, headers={"retry-after": "2"}), canned.HTML).always(canned.IN_200)
        first, _ = await ask(provider, "/v1/messages")
        assert b" 429 " in first
        assert b"retry-after: 2\r\n" in first
        assert (await ask(provider, "/v1/messages"))[1] == canned.HTML.body
        assert (await ask(provider, "/v1/messages"))[1] == canned.IN_200.body
        assert (await ask(provider, "/v1/messages"))[1] == canned.IN_200.body


async def test_a_stream_is_cut_after_events_and_after_bytes():
    script = CANNED["openai.chat"]
    async with ScriptedProvider() as provider:
        provider.then(script.but(cut_events=2), script.but(cut_bytes=10))
        _, body = await ask(provider, "/chat/completions", b'{"stream":true}')
        assert (body.count(b"data: "), body.endswith(b"0\r\n\r\n")) == (2, False)
        _, body = await ask(provider, "/chat/completions", b'{"stream":true}')
        assert body == b"a\r\n" + script.events[0][:10] + b"\r\n"


async def test_a_whole_answer_is_cut():
    async with ScriptedProvider() as provider:
        provider.then(Script(body=b"0123456789", cut_bytes=4))
        head, body = await ask(provider, "/")
        assert (b"content-length: 10\r\n" in head, body) == (True, b"0123")


async def test_delays_are_kept():
    async with ScriptedProvider() as provider:
        provider.then(CANNED["openai.chat"].but(delay=0.05, pause=0.01))
        began = time.monotonic()
        await ask(provider, "/chat/completions", b'{"stream":true}')
        assert time.monotonic() - began >= 0.1


async def test_it_forgets_what_it_was_told():
    async with ScriptedProvider() as provider:
        provider.then(canned.HTML).always(canned.IN_200)
        await ask(provider, "/v1/messages")
        provider.reset()
        assert provider.requests == []
        assert (await ask(provider, "/v1/messages"))[1] == CANNED["anthropic.messages"].body


async def test_it_notes_when_the_client_hangs_up():
    async with ScriptedProvider() as provider:
        provider.then(Script(delay=30.0))
        _, writer = await asyncio.open_connection("127.0.0.1", provider.port)
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{")
        writer.write(b"}")
        received = await provider.arrived()
        assert (received.body, received.gone.is_set()) == (b"{}", False)
        writer.close()
        async with asyncio.timeout(PATIENCE):
            await received.gone.wait()


def test_the_canned_answers_say_the_same_whole_and_streamed():
    for name in ("openai.chat", "openai.responses", "anthropic.messages"):
        script = CANNED[name]
        assert canned.TEXT in str(msgspec.json.decode(script.body)), name
        data = [event.data for event in sse.Reader().feed(b"".join(script.events))]
        streamed = "".join(pieces_of(msgspec.json.decode(item)) for item in data if item != b"[DONE]")
        assert streamed == canned.TEXT, name


def pieces_of(event):
    delta = event.get("delta") or (event.get("choices") or [{}])[0].get("delta") or ""
    return delta if isinstance(delta, str) else delta.get("text") or delta.get("content") or ""

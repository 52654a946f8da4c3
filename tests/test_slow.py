"""Callers that do not read while the model goes on: what each may cost, however long its answer and however many there are."""

import asyncio
import json
import re
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from lynkr_core.testing.waiting import until
from tests.test_end_to_end import post

pytestmark = pytest.mark.anyio
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
CHUNK = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
EVENTS = CHUNK % (b"word " * 20) * 200
STREAMS = 20
PATIENCE = 60.0
PER_STREAM = 512 * 1024
"""Bytes: 64 KiB that wait to be written, and what one read of at most 256 KiB becomes. Measured: 200 KiB, translated 330."""


class Endless:
    """A model that never stops; `taken` counts what the gateway has taken of each answer, in bytes."""

    def __init__(self):
        self.taken = {}
        self.open = 0
        self.left = asyncio.Event()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error):
        self.server.close()

    async def answer(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        writer.transport.set_write_buffer_limits(high=16 * 1024)
        self.open += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD)
            while True:
                self.taken[writer] = self.taken.get(writer, 0) + len(EVENTS)
                writer.write(EVENTS)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            self.open -= 1
            if not self.open:
                self.left.set()


def memory(pid):
    """Resident bytes that nobody shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kb) for kb in re.findall(r"Private_(?:Clean|Dirty): +(\d+) kB", text)) * 1024


async def until_still(model, streams):
    """Waits until something of so many streams was taken, and for two seconds nothing more."""
    await until(lambda: len(model.taken) == streams, PATIENCE)
    values, end = [], time.monotonic() + PATIENCE
    while len(values) < 3 or len(set(values[-3:])) > 1:
        assert time.monotonic() < end, "it goes on and on"
        await asyncio.sleep(1.0)
        values.append(sum(model.taken.values()))


async def opened(port, front):
    """A caller that asks, and reads nothing."""
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
    caller.setblocking(False)
    await asyncio.get_running_loop().sock_connect(caller, ("127.0.0.1", port))
    asked = {"model": "up/m", "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    await asyncio.get_running_loop().sock_sendall(caller, post(front, json.dumps(asked).encode()))
    return caller


@pytest.mark.parametrize("front", ["/v1/chat/completions", "/v1/messages", "/v1/up/chat/completions"])
async def test_a_caller_that_does_not_read_costs_so_much_and_no_more(serve, front):
    with ExitStack() as callers:
        async with Endless() as model:
            table = f'[provider.up]\nuse = "openai-compatible"\nbase_url = "{model.url}"\ndialects = ["openai.chat"]\n'
            served = serve(f"[server]\nlist_models = false\n{table}")
            for _ in range(3):
                callers.enter_context(closing(await opened(served.port, front)))
            await until_still(model, 3)
            before = memory(served.process.pid)
            for _ in range(STREAMS):
                callers.enter_context(closing(await opened(served.port, front)))
            await until_still(model, STREAMS + 3)
            each = (memory(served.process.pid) - before) / STREAMS
            assert each < PER_STREAM, f"{each / 1024:.0f} KiB for each stream"
            callers.close()
            await asyncio.wait_for(model.left.wait(), PATIENCE)

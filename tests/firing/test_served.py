"""The same over real sockets: the server brings a caller of its own, and notices by itself that somebody leaves."""

import asyncio
from contextlib import asynccontextmanager, nullcontext

import pytest

from lynkr_core.app import Application
from lynkr_core.cli.server import Server, listener
from lynkr_core.process import Process
from lynkr_core.settings import Server as Settings
from lynkr_core.testing.firing import FRONT, PASSED_ON
from lynkr_core.testing.waiting import SOON, until

from .asking import CONFIG, Gateway, answer, body, dialects, kernel_of, spoken_to
from .probes import Probe, Waiting
from .test_fronts import DOWN, GATE, REFUSED, SILENT, compare

pytestmark = pytest.mark.anyio
SCRIPTS = {"failed": [REFUSED], "fallback": [DOWN], "left": [SILENT]}
BEGUN = b"\r\n\r\n"


@asynccontextmanager
async def served(provider, spoken):
    """The gateway behind our own server, and its port."""
    probes = Probe(), Waiting()
    kernel = kernel_of(provider, spoken, CONFIG, probes)
    server = Server(Application(kernel), Settings(drain=1), Process(), lambda address: None)
    server.capture_signals = nullcontext
    async with kernel:
        bound = listener("127.0.0.1", 0)
        port = bound.getsockname()[1]
        task = asyncio.ensure_future(server.serve(bound))
        await until(lambda: server.started)
        try:
            yield Gateway(kernel, None, provider, probes), port
        finally:
            server.should_exit = True
            await task


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/up1/any"])
async def test_every_hook_behind_the_server(scripted_provider, path, stream):
    passed_on = path.endswith("any")
    dialect = dialects()["openai.chat"] if passed_on else next(one for one in dialects().values() if path in one.routes)
    table = PASSED_ON if passed_on else FRONT
    for spoken in [dialect.name] if passed_on else spoken_to(dialect):
        async with served(scripted_provider, spoken) as (made, port):
            for situation in table.columns:
                if table.has(situation, stream):
                    made.reset(tale(situation, spoken))
                    made.provider.then(*SCRIPTS.get(situation, []))
                    content = body(dialect, stream, "none/such" if situation == "no such model" else "chain")
                    await ask(made, port, path, b"{]" if situation == "unreadable" else content, situation)
                    await until(lambda made=made: made.probes[0].fired["post_response"])
                    await made.over()
                    compare(made, table, situation, stream)


def tale(situation, spoken):
    changes = {"left midway": {"hold": 60.0}, "cut": {"cut_events": 1}}
    return answer(spoken).but(**changes.get(situation, {}))


async def ask(made, port, path, content, situation):
    """Over a connection of its own: hangs up where the situation says so, else reads the answer to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    gate = f"x-gate: {GATE.get(situation, 'none')}\r\n"
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{gate}content-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    async with asyncio.timeout(SOON * 4):
        if situation == "left":
            received = await made.provider.arrived()
            writer.transport.abort()
            await received.gone.wait()
        elif situation == "left midway":
            told = b""
            while not told.partition(BEGUN)[2]:
                told += await reader.read(65536)
            writer.transport.abort()
            await made.provider.last.gone.wait()
        else:
            assert (await reader.read()).startswith(b"HTTP/1.1 ")
    writer.close()

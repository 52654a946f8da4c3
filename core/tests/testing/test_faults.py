"""The fault proxy does to bytes what it is told to."""

import asyncio
import time

import pytest

from lynkr_core.testing.faults import Fault, FaultProxy
from lynkr_core.testing.waiting import PATIENCE, SOON, least, until
from lynkr_core.testing.wire import CLOSE, Pause, ScriptedServer

pytestmark = pytest.mark.anyio
ASK = b"GET / HTTP/1.1\r\n\r\n"
SAID = b"0123456789" * 10


async def read(proxy, patience=PATIENCE):
    """What a client gets, and how its connection ends: `open` when nothing comes for so many seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(ASK)
    got = b""
    try:
        while data := await asyncio.wait_for(reader.read(1000), patience):
            got += data
        return got, "closed"
    except TimeoutError:
        return got, "open"
    except ConnectionResetError:
        return got, "reset"
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("fault", "got", "how"),
    [
        (Fault(), SAID, "closed"),
        (Fault(split=1), SAID, "closed"),
        (Fault(ends="close"), b"", "closed"),
        (Fault(ends="reset"), b"", "reset"),
        (Fault(ends="silence"), b"", "open"),
        (Fault(after=25, ends="close"), SAID[:25], "closed"),
        (Fault(after=25, ends="silence"), SAID[:25], "open"),
        (Fault(after=b"3456", ends="close"), SAID[:7], "closed"),
        (Fault(after=b"8901", split=3, ends="silence"), SAID[:12], "open"),
        (Fault(after=b"never", ends="reset"), SAID, "closed"),
    ],
)
async def test_what_passes_and_how_it_ends(fault, got, how):
    steps = [SAID[start : start + 9] for start in range(0, 100, 9)]  # marks are found across reads too
    async with (
        ScriptedServer([*[x for step in steps for x in (step, Pause(0.001))], CLOSE]) as server,
        FaultProxy(server.port) as proxy,
    ):
        proxy.always(fault)
        assert await read(proxy, 1.0 if how == "open" else PATIENCE) == (got, how)


async def test_faults_are_taken_in_turn():
    async with ScriptedServer([SAID, CLOSE]) as server, FaultProxy(server.port) as proxy:
        proxy.then(Fault(ends="close"), Fault(after=5, ends="close"))
        assert [(await read(proxy))[0] for _ in range(3)] == [b"", SAID[:5], SAID]


@pytest.mark.parametrize(("fault", "seconds"), [(Fault(delay=0.1), 0.1), (Fault(rate=1000, split=10), 0.1)])
async def test_delay_and_rate_take_their_time(fault, seconds):
    async with ScriptedServer([SAID, CLOSE]) as server, FaultProxy(server.port) as proxy:

        async def took():
            began = time.monotonic()
            assert (await read(proxy.always(fault)))[0] == SAID
            return time.monotonic() - began

        assert seconds <= await least(took, seconds + 0.15) < seconds + 0.15


async def test_a_client_that_leaves_is_noted_and_passed_on():
    async with ScriptedServer([Pause(60)]) as server, FaultProxy(server.port) as proxy:
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(ASK)
        await until(lambda: server.requests)
        left = time.monotonic()
        writer.transport.abort()
        await asyncio.wait_for(server.peers[0].gone.wait(), SOON)
        assert left <= proxy.links[0].left <= server.peers[0].left < left + SOON


async def test_a_server_that_is_not_there_is_a_connection_that_closes():
    async with ScriptedServer() as server:
        port = server.port
    async with FaultProxy(port) as proxy:
        assert (await read(proxy))[0] == b""

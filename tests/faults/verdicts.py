"""What has to come of a fault: each is a function that asks the gateway and asserts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from lynkr_core.testing.canned import Script
from lynkr_core.testing.faults import Fault, FaultProxy
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import PATIENCE, SOON, least

from .routes import Route
from .wire import Answer, Caller, ask, call, gateway

AT_ONCE = 0.1
"""Seconds within which a provider is to see that the caller has left."""
CONFIG = """
[routing]
retries = 0
[models]
chain = ["first/m", "second/m"]
"""


class Bench:
    """A gateway before two providers. The way to the first one is faulty; `chain` tries it and then the second."""

    def __init__(self, route: Route, port: int, first: ScriptedProvider, second: ScriptedProvider, proxy: FaultProxy) -> None:
        self.route, self.port, self.first, self.second, self.proxy = route, port, first, second, proxy
        self.script = route.good

    def breaks(self, script: Script, fault: Fault) -> None:
        """The first provider answers so, over such a connection."""
        self.script = script
        self.first.always(script)
        self.proxy.always(fault)

    async def ask(self, model: str = "chain", **more: Any) -> Answer:
        return await ask(self.port, self.route.path, self.route.question(model, **more))

    @property
    def asked(self) -> tuple[int, int]:
        return len(self.first.requests), len(self.second.requests)


@asynccontextmanager
async def bench(route: Route, config: str = CONFIG, patience: float = 60.0) -> AsyncGenerator[Bench]:
    """`patience`: seconds of silence after which the first provider is given up. It is long, but for who is silent for longer."""
    async with ScriptedProvider() as first, ScriptedProvider() as second, FaultProxy(first.port) as proxy:
        first.always(route.good)
        second.always(route.good)
        text = config + route.provider("first", proxy.url, patience) + route.provider("second", second.url)
        async with gateway(text) as port:
            yield Bench(route, port, first, second, proxy)


def ended(route: Route, answer: Answer) -> bool:
    """Whether a stream says that it is complete."""
    typed = b'"type":"%b"' % route.end
    return any(route.end in (event.event, event.data) or typed in event.data for event in answer.events())


def sound(route: Route, answer: Answer, said: bytes = b"") -> None:
    """It is complete, in the caller's dialect, and says so."""
    assert (answer.status, answer.whole) == (200, True), answer.body
    assert (said or route.said) in answer.body
    if route.stream:
        assert ended(route, answer)
        assert b'"error":{' not in answer.body
    else:
        answer.json()


def refusal(route: Route, answer: Answer) -> None:
    """An error that the caller's SDK understands, and will not retry."""
    assert answer.whole
    told = answer.json()
    assert told["error"]["message"]
    assert told.get("type", "error") == "error" or "messages" not in route.path
    assert answer.headers["x-should-retry"] == "false"


async def whole(bench: Bench) -> None:
    """the caller notices nothing"""
    answer = await bench.ask()
    sound(bench.route, answer)
    assert (answer.headers["x-lynkr-attempts"], bench.asked) == ("1", (1, 0))


async def moved(bench: Bench) -> None:
    """the next candidate answers"""
    answer = await bench.ask()
    sound(bench.route, answer)
    assert answer.headers["x-lynkr-attempts"] == "2"
    assert bench.asked[1] == 1
    assert bench.asked[0] <= 1


async def told(bench: Bench) -> None:
    """an error event ends the stream, never its terminator"""
    answer = await bench.ask()
    assert (answer.status, answer.whole) == (200, True)
    assert bench.route.said in answer.body
    assert not ended(bench.route, answer)
    assert b'"error"' in answer.events()[-1].data
    assert bench.asked == (1, 0)


async def passed(bench: Bench) -> None:
    """the caller's own mistake: told at once, nobody else is asked"""
    answer = await bench.ask()
    assert answer.status in (400, 422)
    refusal(bench.route, answer)
    assert bench.asked == (1, 0)


async def visible(bench: Bench) -> None:
    """passed on as it came, for the caller to see"""
    answer = await bench.ask()
    assert (answer.status, answer.whole) == (200, True)
    assert b"{broken" in answer.body


async def failed(bench: Bench) -> None:
    """an error, not to be retried, within 3 s"""
    began = time.monotonic()
    answer = await bench.ask("first/m")
    assert (
        time.monotonic() - began < 3 + SOON
    )  # whether it is within 3 s is for test_times.py, where the best of several tries counts
    assert answer.status >= 400
    refusal(bench.route, answer)
    assert bench.asked[0] <= 1


async def untouched(bench: Bench) -> None:
    """status and bytes as they came"""
    answer = await bench.ask()
    assert (answer.status, answer.whole) == (bench.script.status, True)
    streamed = bench.script.events and (bench.route.stream or not bench.script.body)
    assert answer.body == (b"".join(bench.script.events) if streamed else bench.script.body)
    assert bench.asked == (1, 0)


async def undone(bench: Bench) -> None:
    """an error, and nothing is tried again"""
    answer = await bench.ask()
    assert answer.status in (502, 504)
    refusal(bench.route, answer)
    assert bench.asked[0] <= 1


async def torn(bench: Bench) -> None:
    """the connection breaks off, as the provider's did"""
    answer = await bench.ask()
    assert (answer.status, answer.whole) == (200, False)
    assert bench.asked == (1, 0)


async def counted(bench: Bench) -> None:
    """lynkr counts by itself"""
    sound(bench.route, await bench.ask("first/m"))
    assert bench.asked[1] == 0


async def left_waiting(bench: Bench) -> None:
    """the upstream is closed within 100 ms"""
    await closed(bench)


async def left_reading(bench: Bench) -> None:
    """the upstream is closed within 100 ms"""
    await closed(bench, reading=True)


async def closed(bench: Bench, reading: bool = False) -> None:
    async def took() -> float:
        asked = len(bench.first.requests)
        async with await call(bench.port) as caller:
            caller.post(bench.route.path, bench.route.question("first/m"))
            await bench.first.arrived(asked + 1)
            if reading:
                await begun(bench, caller)
        left = time.monotonic()
        link = bench.proxy.links[-1]
        await asyncio.wait_for(link.gone.wait(), SOON)
        assert link.left is not None
        assert bench.asked == (asked + 1, 0)
        return link.left - left

    assert await least(took, AT_ONCE) < AT_ONCE


async def begun(bench: Bench, caller: Caller) -> None:
    """Returns when some of the answer has come: to the caller, or to lynkr when it is not streamed."""
    if bench.route.stream:
        await asyncio.wait_for(caller.reader.readuntil(bench.route.said), PATIENCE)
    else:
        await asyncio.sleep(0.05)

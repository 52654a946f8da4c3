"""The server: accepts connections, looks after them, and ends in peace.

uvicorn did the same once. Importing it, with a command line and a supervisor that are not used here, took a fifth of the time until lynkr
listened.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import Any

from lynkr_core.cli.cycle import TICKS
from lynkr_core.cli.protocol import Protocol, ServerState, dated
from lynkr_core.errors import LynkrError
from lynkr_core.process import Process
from lynkr_core.settings import Server as Settings

log = logging.getLogger("lynkr.server")

TICKS_A_SECOND = 10
"""How often the server looks around."""
CLOSE_SECONDS = 2.0
"""How long exchanges that were stopped may take to tell their callers."""
FLUSH_SECONDS = 0.02
BACKLOG = 2048
COLLECT_AFTER = (10_000, 50, 100)
"""Allocations between garbage collections: a request leaves no cycles behind, so looking for them 14 times as often is wasted."""

LARGE = 8 * 1024 * 1024
"""Bytes. glibc keeps what is freed, up to twice the largest block that it has seen freed; less than the bodies of a busy moment it gives
back, and asks for it again at once, which took a sixth of the time of 60 KB requests. So it is shown a block; see M_MMAP_THRESHOLD in
mallopt(3). It costs no memory until it is used; other allocators do not care.
"""


class Server:
    """Tells its address once it listens. Log lines of requests are the sinks' work, so there is no access log.

    At a stop the process says that it is no longer ready, goes on for `notice` seconds, accepts no more, gives those under way
    `drain` seconds, and then has each of them tell its caller.
    """

    def __init__(self, app: Any, settings: Settings, process: Process, ready: Callable[[str], None]) -> None:
        self.server_state = ServerState()
        self.started = self.should_exit = self.force_exit = False
        self._app = app
        self._ready = ready
        self._process = process
        self._accepts_until = 0.0
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Those that may change while it serves."""
        self._every = max(1, round(settings.keep_alive / TICKS * TICKS_A_SECOND)) if settings.keep_alive else 0
        self._notice = settings.notice
        self._drain = max(1, round(settings.drain))

    async def serve(self, bound: socket.socket) -> None:
        """Returns when it was told to stop, by a signal or `should_exit`, and every exchange has had its end."""
        with self.capture_signals():
            counter = 0
            self._tick(counter)
            accepting = await self._listen(bound)
            while not self._over():
                await asyncio.sleep(1 / TICKS_A_SECOND)
                counter += 1
                self._tick(counter)
            accepting.close()
            bound.close()
            await self._end()

    async def _listen(self, bound: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        accepting = await loop.create_server(lambda: Protocol(self._app, self.server_state, loop), sock=bound, backlog=BACKLOG)
        self.started = True
        gc.collect()
        gc.freeze()  # what is there now stays: it need not be looked at again
        gc.set_threshold(*COLLECT_AFTER)
        bytes(LARGE)
        host, port = bound.getsockname()[:2]
        self._ready(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        return accepting

    def _tick(self, counter: int) -> None:
        """One timer for all connections: none of them costs one of its own."""
        if counter % TICKS_A_SECOND == 0:
            self.server_state.date = dated()
        pulse = self._every and counter % self._every == 0
        if pulse or counter % TICKS_A_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for protocol in list(self.server_state.connections):
                if pulse and protocol.current is not None:
                    protocol.current.tick()
                protocol.look(now)

    def _over(self) -> bool:
        return self.should_exit and self._noticed()

    def _noticed(self) -> bool:
        """Whether those who ask for the process's health have had their time to see that it stops."""
        now = asyncio.get_running_loop().time()
        if not self._process.stopping:
            self._process.stopping = True
            self._accepts_until = now + self._notice
        return self.force_exit or now >= self._accepts_until

    async def _end(self) -> None:
        """Returns when every exchange has had its end: plugins are there to see it."""
        for protocol in list(self.server_state.connections):
            protocol.shutdown()
        connections, tasks = self.server_state.connections, self.server_state.tasks
        for _ in range(self._drain * TICKS_A_SECOND):
            if self.force_exit or not (connections or tasks):
                break
            await asyncio.sleep(1 / TICKS_A_SECOND)
        if tasks:
            log.error("%d requests under way are stopped", len(tasks))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        for _ in range(round(CLOSE_SECONDS / FLUSH_SECONDS)):
            if not connections:
                break
            await asyncio.sleep(FLUSH_SECONDS)  # what was written last is on its way

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        before = {number: signal.signal(number, self._told) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action)

    def _told(self, number: int, frame: object) -> None:
        """The second time from the keyboard nobody is waited for."""
        if self.should_exit and number == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def listener(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises `LynkrError` when it cannot be had."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except (OSError, OverflowError) as error:
        made.close()
        reason = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
        raise LynkrError(f"cannot listen on {host} port {port}: {reason}; --port 0 takes a free one") from None
    return made


def run(
    app: Any, bound: socket.socket, settings: Settings, *, ready: Callable[[str], None], process: Process | None = None,
    around: AbstractAsyncContextManager[Any] = nullcontext(), beside: Callable[[Server], Awaitable[None]] | None = None,
) -> None:  # fmt: skip
    """Serves until SIGINT or SIGTERM, inside `around`, while `beside` runs. `ready` gets `host:port` as bound.

    Raises whatever `around` raises.
    """
    server = Server(app, settings, process or Process(), ready)

    async def serve() -> None:
        async with around:
            task = asyncio.ensure_future(beside(server)) if beside else None
            try:
                await server.serve(bound)
            finally:
                if task is not None:
                    await ended(task)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve())


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where there is one."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


async def ended(task: asyncio.Future[None]) -> None:
    """Stops a task; what it had failed with is told."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception:
        log.exception("what runs beside the server has failed")

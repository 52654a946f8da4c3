"""The server: uvicorn, with a protocol of our own."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import Any, cast

import uvicorn

from lynkr_core.cli.cycle import TICKS
from lynkr_core.cli.protocol import Protocol
from lynkr_core.errors import LynkrError
from lynkr_core.process import Process
from lynkr_core.settings import Server as Settings

log = logging.getLogger("lynkr.server")

TICKS_A_SECOND = 10
"""How often uvicorn's server looks around."""
CLOSE_SECONDS = 2.0
"""How long exchanges that were stopped may take to tell their callers."""
FLUSH_SECONDS = 0.02
BACKLOG = 2048
COLLECT_AFTER = (10_000, 50, 100)
"""Allocations between garbage collections: a request leaves no cycles behind, so looking for them 14 times as often is wasted."""


def configure(app: Any, host: str = "127.0.0.1", port: int = 8081, *, drain: float = 30.0) -> uvicorn.Config:
    """The server's settings. `drain` in seconds is how long requests under way may take to end when it stops.

    Log lines of requests are the sinks' work, so there is no access log.
    """
    loop = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    return uvicorn.Config(
        app,
        host,
        port,
        loop=loop,
        http=cast("Any", Protocol),
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(drain)),
        backlog=BACKLOG,
        log_config=None,  # its lines are written as all others are
        log_level="warning",
    )


class Server(uvicorn.Server):
    """Tells its address once it listens, and ends in peace: uvicorn's raises the signal that stopped it once more at the end.

    At a stop the process says that it is no longer ready, goes on for `notice` seconds, accepts no more, gives those under way
    `drain` seconds, and then has each of them tell its caller.
    """

    def __init__(self, app: Any, settings: Settings, process: Process, ready: Callable[[str], None]) -> None:
        super().__init__(configure(app))
        self._ready = ready
        self._process = process
        self._accepts_until = 0.0
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Those that may change while it serves."""
        self._every = max(1, round(settings.keep_alive / TICKS * TICKS_A_SECOND)) if settings.keep_alive else 0
        self._notice = settings.notice
        self.config.timeout_graceful_shutdown = max(1, round(settings.drain))

    async def on_tick(self, counter: int) -> bool:
        """One timer for all connections: none of them costs one of its own."""
        pulse = self._every and counter % self._every == 0
        if pulse or counter % TICKS_A_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for protocol in cast("list[Protocol]", list(self.server_state.connections)):
                if pulse and protocol.current is not None:
                    protocol.current.tick()
                protocol.look(now)
        return await super().on_tick(counter) and self._noticed()

    def _noticed(self) -> bool:
        """Whether those who ask for the process's health have had their time to see that it stops."""
        now = asyncio.get_running_loop().time()
        if not self._process.stopping:
            self._process.stopping = True
            self._accepts_until = now + self._notice
        return self.force_exit or now >= self._accepts_until

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Returns when every exchange has had its end: plugins are there to see it."""
        await super().shutdown(sockets)
        tasks = self.server_state.tasks
        if self.force_exit:
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        for _ in range(round(CLOSE_SECONDS / FLUSH_SECONDS)):
            if self.server_state.connections:
                await asyncio.sleep(FLUSH_SECONDS)  # what was written last is on its way

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # what is there now stays: it need not be looked at again
            gc.set_threshold(*COLLECT_AFTER)
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action)


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

    Raises whatever `around` raises; there is no lifespan, whose errors uvicorn tells by a traceback in the log.
    """
    server = Server(app, settings, process or Process(), ready)

    async def serve() -> None:
        async with around:
            task = asyncio.ensure_future(beside(server)) if beside else None
            try:
                await server.serve([bound])
            finally:
                if task is not None:
                    await ended(task)

    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(serve())


async def ended(task: asyncio.Future[None]) -> None:
    """Stops a task; what it had failed with is told."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception:
        log.exception("what runs beside the server has failed")

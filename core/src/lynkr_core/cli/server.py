"""The HTTP server: uvicorn, with a `Caller` of its own in each scope.

It calls back when the caller leaves, which ASGI tells only to a task that waits for it, and writes head and body in one go, which ASGI
sends as two messages.
"""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from lynkr_core.caller import EXTENSION, HeaderItems

JOIN_UNDER = 16 * 1024
"""Bodies under this many bytes are copied behind their head; above, the copy costs more than a second buffer."""


class DirectCaller:
    """A caller whose connection is at hand. Implements `lynkr_core.caller.Caller` on one of uvicorn's cycles.

    Headers come from the kernel: lower case, without line ends, content-length and transfer-encoding left to us.
    """

    __slots__ = ("_callback", "_head", "cycle", "status")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self.cycle = cycle
        self.status: int | None = None
        self._callback: Callable[[], object] | None = None
        self._head = b""

    def watch(self, callback: Callable[[], object]) -> None:
        if self.cycle.disconnected:
            callback()
        else:
            self._callback = callback

    def stop(self) -> None:
        self._callback = None

    def lost(self) -> None:
        """The connection is gone."""
        if not self.cycle.response_complete:
            self.cycle.disconnected = True  # uvicorn tells only the last of several pipelined requests
            self.cycle.message_event.set()
            callback, self._callback = self._callback, None
            if callback is not None:
                callback()

    async def whole(self, status: int, headers: HeaderItems, body: bytes) -> None:
        self.status = status
        if self.cycle.disconnected:
            return
        head = b"%bcontent-length: %d\r\n\r\n" % (self._lines(status, headers), len(body))
        self.cycle.response_started = True
        if len(body) < JOIN_UNDER:
            self.cycle.transport.write(head + body)
        else:
            self.cycle.transport.writelines((head, body))
        self._complete()

    async def begin(self, status: int, headers: HeaderItems) -> None:
        """The head waits for the first piece, which follows at once."""
        self.status = status
        self._head = self._lines(status, headers) + b"transfer-encoding: chunked\r\n\r\n"
        self.cycle.response_started = True

    async def piece(self, data: bytes) -> None:
        cycle = self.cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if not cycle.disconnected and data:
            cycle.transport.write(b"%b%x\r\n%b\r\n" % (self._head, len(data), data))
            self._head = b""

    async def end(self) -> None:
        if not self.cycle.disconnected:
            self.cycle.transport.write(self._head + b"0\r\n\r\n")
            self._complete()

    def _lines(self, status: int, headers: HeaderItems) -> bytes:
        cycle = self.cycle
        cycle.waiting_for_100_continue = False
        lines = [STATUS_LINE[status]]
        lines += [b"%b: %b\r\n" % pair for pair in cycle.default_headers]
        lines += [b"%b: %b\r\n" % pair for pair in headers]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        return b"".join(lines)

    def _complete(self) -> None:
        """What uvicorn does at the end of an answer."""
        cycle = self.cycle
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with a `DirectCaller` for each request. With pipelining each request has its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._callers: list[DirectCaller] = []

    def on_headers_complete(self) -> None:
        super().on_headers_complete()  # the application starts in the loop's next round
        caller = DirectCaller(self.cycle)
        cast("dict[str, Any]", self.scope)["extensions"] = {EXTENSION: caller}
        if self._callers and self._callers[0].cycle.response_complete:
            self._callers = [caller for caller in self._callers if not caller.cycle.response_complete]
        self._callers.append(caller)

    def on_message_complete(self) -> None:
        """The body is here, so nothing more can pile up. uvicorn may have stopped reading, and would not see the caller leave."""
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        callers, self._callers = self._callers, []
        for caller in callers:
            caller.lost()


def configure(app: Any, host: str = "127.0.0.1", port: int = 8081, *, drain: float = 30.0) -> uvicorn.Config:
    """The server's settings. `drain` in seconds is how long requests under way may take to end when it stops.

    Log lines of requests are the sinks' work, so there is no access log.
    """
    return uvicorn.Config(
        app, host, port, loop="uvloop" if importlib.util.find_spec("uvloop") else "asyncio", http=Protocol, ws="none", lifespan="on",
        access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(drain)), backlog=2048, log_level="warning",
    )  # fmt: skip


class Server(uvicorn.Server):
    """Tells its address once it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """As uvicorn's, but a stop by SIGTERM is a normal end: status 0, where uvicorn dies of the signal in the end."""
        with super().capture_signals():
            yield
            self._captured_signals = [number for number in self._captured_signals if number != signal.SIGTERM]

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def run(app: Any, host: str, port: int, *, drain: float, ready: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM. `ready` gets `host:port` as bound. Raises `SystemExit` when the start fails."""
    Server(configure(app, host, port, drain=drain), ready).run()

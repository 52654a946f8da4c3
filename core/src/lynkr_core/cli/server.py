"""The HTTP server: uvicorn, and what ASGI tells only to a task that waits for it, that the caller has left."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

EXTENSION = "lynkr.closed"
"""Key in `scope["extensions"]`; the value is a `Watch`."""


class Watch:
    """Called with a callback, which runs once if the caller leaves before the answer is complete, at once if it has left already.

    A second callback takes the first one's place; None takes it away.
    """

    __slots__ = ("_callback", "cycle")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self.cycle = cycle
        self._callback: Callable[[], object] | None = None

    def __call__(self, callback: Callable[[], object] | None) -> None:
        if callback is not None and self.cycle.disconnected:
            callback()
        else:
            self._callback = callback

    def lost(self) -> None:
        """The connection is gone."""
        if not self.cycle.response_complete:
            self.cycle.disconnected = True  # uvicorn tells only the last of several pipelined requests
            self.cycle.message_event.set()
            callback, self._callback = self._callback, None
            if callback is not None:
                callback()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with a `Watch` for each request. With pipelining each request has its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watches: list[Watch] = []

    def on_headers_complete(self) -> None:
        super().on_headers_complete()  # the application starts in the loop's next round
        watch = Watch(self.cycle)
        cast("dict[str, Any]", self.scope)["extensions"] = {EXTENSION: watch}
        if self._watches and self._watches[0].cycle.response_complete:
            self._watches = [watch for watch in self._watches if not watch.cycle.response_complete]
        self._watches.append(watch)

    def on_message_complete(self) -> None:
        """The body is here, so nothing more can pile up. uvicorn may have stopped reading, and would not see the caller leave."""
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        watches, self._watches = self._watches, []
        for watch in watches:
            watch.lost()


def configure(
    app: Any,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    shutdown_timeout: int = 30,
    certificate: str | None = None,
    key: str | None = None,
) -> uvicorn.Config:
    """The server's settings. `shutdown_timeout` in seconds is how long requests under way may take to end when it stops.

    `certificate` and `key` are PEM files. Log lines of requests are the sinks' work, so there is no access log.
    """
    return uvicorn.Config(
        app,
        host,
        port,
        loop="uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=shutdown_timeout,
        backlog=2048,
        log_level="warning",
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


def run(
    app: Any,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    shutdown_timeout: int = 30,
    certificate: str | None = None,
    key: str | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; see `configure`. Raises `SystemExit` when the port is taken or the start fails."""
    uvicorn.Server(configure(app, host, port, shutdown_timeout=shutdown_timeout, certificate=certificate, key=key)).run()

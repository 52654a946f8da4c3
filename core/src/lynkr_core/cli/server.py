"""The server: uvicorn, with a protocol of our own."""

from __future__ import annotations

import gc
import importlib.util
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn

from lynkr_core.cli.protocol import Protocol

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
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(drain)),
        backlog=2048,
        log_level="warning",
    )


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
            gc.collect()
            gc.freeze()  # what is there now stays: it need not be looked at again
            gc.set_threshold(*COLLECT_AFTER)
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def run(app: Any, host: str, port: int, *, drain: float, ready: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM. `ready` gets `host:port` as bound. Raises `SystemExit` when the start fails."""
    Server(configure(app, host, port, drain=drain), ready).run()

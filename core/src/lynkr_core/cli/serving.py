"""`lynkr up` and `lynkr serve`."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from lynkr_core.app import Application
from lynkr_core.cli.server import configure
from lynkr_core.config import Config, load
from lynkr_core.errors import LynkrError
from lynkr_core.kernel import Kernel

DEFAULT = Path("lynkr.toml")


def up(*, config: Path = DEFAULT, host: str | None = None, port: int | None = None) -> None:
    """Find models and keys, write lynkr.toml if there is none, and serve.

    Parameters
    ----------
    config: The file to read, or to write first.
    host: Address to listen on, instead of the file's.
    port: Port to listen on, instead of the file's; 0 takes a free one.
    """
    if not config.exists():
        from lynkr_core.cli.setup import found, write

        write(config, found(os.environ))
    serve(config=config, host=host, port=port)


def serve(*, config: Path = DEFAULT, host: str | None = None, port: int | None = None) -> None:
    """Serve the gateway that lynkr.toml describes.

    Parameters
    ----------
    config: The file to read.
    host: Address to listen on, instead of the file's.
    port: Port to listen on, instead of the file's; 0 takes a free one.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = load(config, os.environ)
    settings.server.host = host or settings.server.host
    settings.server.port = settings.server.port if port is None else port
    kernel = Kernel.from_config(settings, os.environ)
    with listener(settings.server.host, settings.server.port) as bound:
        server = Server(server_config(settings, kernel), ready=lambda: greet(settings, kernel, address(bound)))
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(gateway(kernel, server, bound))


async def gateway(kernel: Kernel, server: uvicorn.Server, bound: socket.socket) -> None:
    """Serves until a signal. The kernel starts and stops here and not in the lifespan, whose errors uvicorn shows as tracebacks."""
    async with kernel:
        await server.serve([bound])


class Server(uvicorn.Server):
    """Says when it listens, and ends in peace: uvicorn's own raises the signal that stopped it once more, at the very end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action)


def server_config(settings: Config, kernel: Kernel) -> uvicorn.Config:
    made = configure(Application(kernel), settings.server.host, shutdown_timeout=math.ceil(settings.server.drain))
    made.lifespan = "off"
    return made


def listener(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises `LynkrError` for one that cannot be had."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise LynkrError(f"cannot listen on {host} port {port}: {error.strerror}; --port 0 takes a free one") from None
    return made


def address(bound: socket.socket) -> str:
    """`host:port` as bound."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def greet(config: Config, kernel: Kernel, address: str) -> None:
    """Tells where to point tools. `address` is `host:port` as bound."""
    providers = ", ".join(sorted(kernel.catalog.providers))
    sys.stdout.write(
        f"lynkr serves {providers} at http://{address} ({config.file})\n"
        f"  OpenAI SDKs and tools     base URL http://{address}/v1\n"
        f"  Claude Code and Anthropic base URL http://{address}\n"
    )
    if set(kernel.catalog.providers) == {"echo"}:
        sys.stdout.write(
            "  Only the offline echo provider is enabled: set an API key or start Ollama, then `lynkr init --force`.\n"
        )
    sys.stdout.flush()

"""`lynkr up` and `lynkr serve`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from lynkr_core.app import Application
from lynkr_core.cli.server import run
from lynkr_core.config import Config, load
from lynkr_core.kernel import Kernel
from lynkr_core.models import Live

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
    if settings.server.list_models:
        kernel.services.append(Live(kernel.catalog))
    run(
        Application(kernel).dispatch, settings.server.host, settings.server.port, drain=settings.server.drain,
        keep_alive=settings.server.keep_alive,
        around=kernel, ready=lambda address: greet(settings, kernel, address),
    )  # fmt: skip


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

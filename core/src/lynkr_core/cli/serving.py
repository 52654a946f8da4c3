"""`lynkr up` and `lynkr serve`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from lynkr_core.cli.reloading import Generations, Source
from lynkr_core.cli.server import listener, run
from lynkr_core.config import Config, read

DEFAULT = Path("lynkr.toml")


def up(*, config: Path = DEFAULT, host: str | None = None, port: int | None = None, workers: int | None = None) -> None:
    """Find models and keys, write lynkr.toml if there is none, and serve.

    Parameters
    ----------
    config: The file to read, or to write first.
    host: Address to listen on, instead of the file's.
    port: Port to listen on, instead of the file's; 0 takes a free one.
    workers: Processes that serve, instead of the file's.
    """
    if not config.exists():
        from lynkr_core.cli.setup import write
        from lynkr_core.cli.setup.sources import found

        write(config, found(os.environ))
    serve(config=config, host=host, port=port, workers=workers)


def serve(*, config: Path = DEFAULT, host: str | None = None, port: int | None = None, workers: int | None = None) -> None:
    """Serve the gateway that lynkr.toml describes, and take the file up again when it changes.

    Parameters
    ----------
    config: The file to read.
    host: Address to listen on, instead of the file's.
    port: Port to listen on, instead of the file's; 0 takes a free one.
    workers: Processes that serve, instead of the file's.
    """
    log_lines()
    source = Source(file=str(config), host=host, port=port, workers=workers)
    text = read(config)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    settings = source.parse(text)
    if settings.server.workers > 1:
        from lynkr_core.cli.workers import supervise

        supervise(source, text, settings)
        return
    generations = Generations(source, text)

    def ready(address: str) -> None:
        greet(settings, generations.current.kernel.catalog.providers, address)

    with listener(settings.server.host, settings.server.port) as bound:
        run(
            generations.dispatch, bound, settings.server, ready=ready, process=generations.process, around=generations,
            beside=generations.follow,
        )  # fmt: skip


def log_lines() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of each change in the folder, such as the journal's


def greet(config: Config, providers: Iterable[str], address: str) -> None:
    """Tells where to point tools. `address` is `host:port` as bound."""
    names = sorted(providers)
    workers = f", {config.server.workers} workers" if config.server.workers > 1 else ""
    sys.stdout.write(
        f"lynkr serves {', '.join(names)} at http://{address} ({config.file}{workers})\n"
        f"  OpenAI SDKs and tools     base URL http://{address}/v1\n"
        f"  Claude Code and Anthropic base URL http://{address}\n"
    )
    if any(table.kind == "extension" and table.use == "dashboard" for table in config.plugins):
        sys.stdout.write(f"  What happens, in a browser http://{address}/dashboard\n")
    if names == ["echo"]:
        sys.stdout.write(
            "  Only the offline echo provider is enabled: set an API key or start Ollama, then `lynkr init --force`.\n"
        )
    sys.stdout.flush()

"""`lynkr up` and `lynkr serve`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lynkr_core.cli.logs import log_lines
from lynkr_core.cli.reloading import Generations, Source
from lynkr_core.cli.server import listener, run
from lynkr_core.config import Config, read
from lynkr_core.errors import LynkrError
from lynkr_core.kernel import Kernel

if TYPE_CHECKING:
    from lynkr_core.cli.canary import Plan

DEFAULT = Path("lynkr.toml")


def up(
    *, config: Path = DEFAULT, host: str | None = None, port: int | None = None, workers: int | None = None, canary: Path | None = None,
    canary_requests: int = 100, canary_errors: float = 0.05,
) -> None:  # fmt: skip
    """Find models and keys, write lynkr.toml if there is none, and serve.

    Args:
        config: The file to read, or to write first.
        host: Address to listen on, instead of the file's.
        port: Port to listen on, instead of the file's; 0 takes a free one.
        workers: Processes that serve, instead of the file's.
        canary: Another configuration: it decides beside this one, takes its place when it would refuse nobody, and gives it back when more
            goes wrong. With one worker only.
        canary_requests: How many it decides, and then has to serve.
        canary_errors: The share of failures, beyond that of this configuration, with which it is given up.
    """
    if not config.exists():
        from lynkr_core.cli.setup import write
        from lynkr_core.cli.setup.sources import found

        write(config, found(os.environ))
    serve(
        config=config, host=host, port=port, workers=workers, canary=canary, canary_requests=canary_requests,
        canary_errors=canary_errors,
    )  # fmt: skip


def serve(
    *, config: Path = DEFAULT, host: str | None = None, port: int | None = None, workers: int | None = None, canary: Path | None = None,
    canary_requests: int = 100, canary_errors: float = 0.05,
) -> None:  # fmt: skip
    """Serve the gateway that lynkr.toml describes, and take the file up again when it changes.

    Args:
        config: The file to read.
        host: Address to listen on, instead of the file's.
        port: Port to listen on, instead of the file's; 0 takes a free one.
        workers: Processes that serve, instead of the file's.
        canary: Another configuration: it decides beside this one, takes its place when it would refuse nobody, and gives it back when more
            goes wrong. With one worker only.
        canary_requests: How many it decides, and then has to serve.
        canary_errors: The share of failures, beyond that of this configuration, with which it is given up.
    """
    source = Source(file=str(config), host=host, port=port, workers=workers)
    text = read(config)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    settings = source.parse(text)
    if settings.mistakes:
        Kernel.from_config(settings, os.environ)  # which tells them with those of the plugins
    log_lines(settings.server.log)
    plan = planned(canary, canary_requests, canary_errors, settings.server.workers)
    if settings.server.workers > 1:
        from lynkr_core.cli.workers import supervise

        supervise(source, text, settings)
        return
    generations = Generations(source, text, plan)

    def ready(address: str) -> None:
        greet(settings, generations.current.kernel.catalog.providers, address)

    with listener(settings.server.host, settings.server.port) as bound:
        run(
            generations.dispatch, bound, settings.server, ready=ready, process=generations.process, around=generations,
            beside=generations.follow,
        )  # fmt: skip


def planned(canary: Path | None, requests: int, errors: float, workers: int) -> Plan | None:
    """Raises `LynkrError` for what cannot be done."""
    if canary is None:
        return None
    if workers > 1:
        raise LynkrError("--canary works with one worker: the requests that several of them see would have to be put together")
    if requests < 1 or not 0 <= errors <= 1:
        raise LynkrError("--canary-requests is at least 1, and --canary-errors a share from 0 to 1")
    from lynkr_core.cli.canary import Plan  # few start with one

    read(canary)  # a wrong name is told at once; what is wrong inside is told once it serves
    return Plan(file=canary, requests=requests, errors=errors)


def greet(config: Config, providers: Iterable[str], address: str) -> None:
    """Tells where to point tools. `address` is `host:port` as bound."""
    names = sorted(providers)
    workers = f", {config.server.workers} workers" if config.server.workers > 1 else ""
    sys.stdout.write(
        f"lynkr serves {', '.join(names)} at http://{address} ({config.file}{workers})\n"
        f"  OpenAI SDKs and tools     base URL http://{address}/v1\n"
        f"  Claude Code and Anthropic base URL http://{address}\n"
        "  Codex, aider, Cline, …    lynkr wrap codex\n"
    )
    if any(table.kind == "extension" and table.use == "dashboard" for table in config.plugins):
        sys.stdout.write(f"  What happens, in a browser http://{address}/dashboard\n")
    if names == ["echo"]:
        sys.stdout.write(
            "  Only the offline echo provider is enabled: set an API key or start Ollama, then `lynkr init --force`.\n"
        )
    sys.stdout.flush()

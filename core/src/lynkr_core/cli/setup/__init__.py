"""`lynkr init`: what is on this machine, as a `lynkr.toml`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lynkr_core.cli.setup.sources import Source, found
from lynkr_core.cli.setup.writing import render
from lynkr_core.errors import ConfigError

PORT = 8081


def init(*, config: Path = Path("lynkr.toml"), force: bool = False, yes: bool = False) -> None:
    """Write a lynkr.toml from what is found on this machine, after a few questions when a terminal is there to ask them.

    Args:
        config: The file to write.
        force: Overwrite it when it is there.
        yes: Ask nothing.
    """
    import os

    if config.exists() and not force:
        raise ConfigError([f"{config} is already there; --force overwrites it"])
    sources, port = found(os.environ), PORT
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        from lynkr_core.cli.setup.asking import ask

        sources, port = ask(sources, port)
    write(config, sources, port)


def write(path: Path, sources: Sequence[Source], port: int = PORT) -> None:
    """Writes the file and says so. Raises `ConfigError` where that cannot be done."""
    try:
        path.write_text(render(sources, port), encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from None
    names = ", ".join(dict.fromkeys(source.plugin for source in sources))
    sys.stdout.write(f"wrote {path} for {names}\n")

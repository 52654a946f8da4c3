"""Notices that a file has changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

log = logging.getLogger("lynkr.watch")
LOOK_SECONDS = 1.0


async def changes(path: Path) -> AsyncIterator[None]:
    """Gives something after each change of the file's text; it is left alone while it is gone or cannot be read.

    `watchfiles`, where it is installed, tells of a change at once. Where it is not, and where the system tells nothing (links that
    are turned to another folder, network and container file systems), a look each second does: size and times, 2 µs.
    """
    last, text = signature(path), content(path)
    folder = path.absolute().parent  # noqa: ASYNC240  # once, and before anything waits
    async for _ in looks(folder):
        now = signature(path)
        if now == last:
            continue
        last, found = now, content(path)
        if found is not None and found != text:
            text = found
            yield


async def looks(folder: Path) -> AsyncIterator[None]:
    """Gives something whenever it is worth looking, once a second at least.

    Editors put a new file in the place of the old one, so the file itself cannot be watched.
    """
    try:
        from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]  # an event class of a library that is not here
    except ImportError:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            yield
    wait = round(LOOK_SECONDS * 1000)
    async for _ in awatch(folder, watch_filter=None, debounce=200, rust_timeout=wait, yield_on_timeout=True, recursive=False):
        yield


def signature(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None

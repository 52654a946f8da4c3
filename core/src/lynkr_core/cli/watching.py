"""Notices that a file has changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path

log = logging.getLogger("lynkr.watch")
LOOK_SECONDS = 1.0


async def changes(path: Path) -> AsyncIterator[None]:
    """Gives something after each change of the file's text; it is left alone while it is gone or cannot be read.

    `watchfiles`, where it is installed, tells of a change at once. Where it is not, where the system tells nothing (links that are
    turned to another folder, network and container file systems), and where others write beside it, a look each second does: size and
    times, 2 µs.
    """
    last, text = signature(path), content(path)
    async for _ in looks(path.absolute()):  # noqa: ASYNC240  # once, and before anything waits
        now = signature(path)
        if now == last:
            continue
        last, found = now, content(path)
        if found is not None and found != text:
            text = found
            yield


async def looks(path: Path) -> AsyncIterator[None]:
    """Gives something whenever it is worth looking, once a second at least.

    Editors put a new file in the place of the old one, so it is the folder that is watched. A journal in the same folder, of whose
    every write a thread would be told, costs a request far more than the looks.
    """
    with suppress(ImportError):
        from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]  # an event class of a library that is not here

        wait = round(LOOK_SECONDS * 1000)
        told = awatch(path.parent, watch_filter=None, debounce=200, rust_timeout=wait, yield_on_timeout=True, recursive=False)
        async with aclosing(told):
            async for changed in told:
                yield
                if changed and path.name not in [Path(name).name for _, name in changed]:
                    break
    while True:
        await asyncio.sleep(LOOK_SECONDS)
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

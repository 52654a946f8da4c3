"""`lynkr store`: bring stores up to date, and move what one holds to another."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

from lynkr_core.cli.reloading import Source
from lynkr_core.cli.stored import opened
from lynkr_core.config import read
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel
from lynkr_core.stores import Hold, Journal, KeyValue, Ledger

DEFAULT = Path("lynkr.toml")
PAGE = 500
BOUNDLESS = 2**62


def store(action: Literal["migrate", "move"], /, *names: str, config: Path = DEFAULT) -> None:
    """Bring stores up to date, or move keys, budgets and the journal from one to another.

    `lynkr store migrate` brings every store of lynkr.toml to the form that this version writes, or those that are named.
    `lynkr store move FROM TO` copies. Stop the servers first; running it twice changes nothing.

    Args:
        action: What to do.
        names: Instances of stores, as `sqlite` for `[store.sqlite]`.
        config: The file that enables them.
    """
    kernel = Kernel.from_config(Source(file=str(config)).parse(read(config)), os.environ)
    found = {plugin.name: plugin.instance for plugin in kernel.plugins if plugin.kind == "store"}
    unknown = [name for name in names if name not in found]
    if unknown:
        raise ConfigError([f"{config}: no store is named {name!r}; there is {', '.join(found) or 'none'}" for name in unknown])
    if action == "move" and len(set(names)) != 2:
        raise ConfigError(["lynkr store move needs two stores: FROM TO"])
    asyncio.run(move(found, *names) if action == "move" else migrate(found, names))


async def migrate(stores: dict[str, Any], names: tuple[str, ...]) -> None:
    """A store brings itself up to date when it is opened."""
    for name in names or stores:
        async with AsyncExitStack() as stack:
            await opened(stack, stores[name])
            sys.stdout.write(f"store.{name}: up to date\n")


async def move(stores: dict[str, Any], source: str, target: str) -> None:
    """Raises `ConfigError` when one cannot be opened, `OSError` when one cannot be read or written."""
    async with AsyncExitStack() as stack:
        old, new = await opened(stack, stores[source]), await opened(stack, stores[target])
        for kind, protocol, copy in COPIES:
            if isinstance(old, protocol) and isinstance(new, protocol):
                count, changed = await copy(old, new)
                sys.stdout.write(f"{kind}: {count} read from {source}, {changed} written to {target}\n")
            else:
                sys.stdout.write(f"{kind}: left out, as not both stores keep them\n")


async def copy_keys(old: KeyValue, new: KeyValue) -> tuple[int, int]:
    """Values that are kept for good; the others are a cache."""
    count = changed = 0
    after = ""
    while page := await old.scan("", PAGE, after=after, lasting=True):
        for key, value in page.items():
            after, count = key, count + 1
            if await new.get(key) != value:
                await new.set(key, value, math.inf)
                changed += 1
    return count, changed


async def copy_counters(old: Ledger, new: Ledger) -> tuple[int, int]:
    """What is used; a counter that stands higher in the new one stays. What is held ends by itself in the old one."""
    count = changed = 0
    after = ""
    while page := await old.balances("", PAGE, after=after):
        windows = await old.windows("", PAGE, after=after)
        for name, balance in page.items():
            after, count = name, count + 1
            there = (await new.balances(name, 1)).get(name)
            more = balance.used - (there.used if there else 0)
            if more > 0:
                id = uuid.uuid4().hex
                await new.hold(id, [Hold(name, 0, BOUNDLESS, windows.get(name, math.inf))], 60.0)
                await new.book(id, {name: more})
                changed += 1
    return count, changed


async def copy_records(old: Journal, new: Journal) -> tuple[int, int]:
    """From the newest to the oldest. A page begins with the last time of the one before, as others may have been at that time."""
    seen: set[str] = set()
    count = changed = 0
    until, size = math.inf, PAGE
    while page := await old.query(until=until, limit=size):
        fresh = [record for record in page if record["id"] not in seen]
        for record in fresh:
            if await new.find(record["id"]) != record:
                new.append(record)
                changed += 1
        await new.flush()
        count += len(fresh)
        if len(page) < size:
            break
        size = PAGE if page[-1]["created"] < until else size * 2  # more than a page at one moment
        until = page[-1]["created"]
        seen = {record["id"] for record in page if record["created"] == until}
    return count, changed


COPIES: tuple[tuple[str, type, Callable[[Any, Any], Awaitable[tuple[int, int]]]], ...] = (
    ("keys", KeyValue, copy_keys),
    ("counters", Ledger, copy_counters),
    ("records", Journal, copy_records),
)

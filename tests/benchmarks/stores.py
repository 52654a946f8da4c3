"""How many attempts a second each ledger lets hold and book, and what one costs: `python -m tests.benchmarks.stores`.

64 attempts at a time hold four counters each (or the same four: one hot key) and book two of them; for `--seconds` in each process.
The CPU is that of all threads of the process, divided by the attempts: that of a server is not in it. Runs of several processes share one
file or server. `--redis URL` and `--postgres URL` measure those too; each run there has counters of its own, which stay.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import AsyncExitStack

from lynkr_core.stores import Hold, MemoryStore, NotNow, Shares
from lynkr_core.testing import factories
from lynkr_store_postgres import plugin as postgres
from lynkr_store_redis import plugin as redis
from lynkr_store_sqlite import plugin as sqlite

AT_ONCE = 64
LIMIT = 10**15
SHARED = " shares"
"""Ends the kind of a store that stands behind the ledger which gateways put before it."""


def opened(kind: str, where: str):
    if kind == "memory":
        return MemoryStore()
    plugin, key = {"sqlite": (sqlite, "path"), "redis": (redis, "url"), "postgres": (postgres, "url")}[kind]
    slow = {} if key == "path" else {"deadline": 10.0}  # so many at once wait for each other
    return factories.build(plugin, {key: where, **slow}, factories.context("bench", "store"))


async def run(kind: str, where: str, prefix: str, keys: int, seconds: float) -> dict[str, float]:
    """Attempts, their seconds of wall time and of CPU."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(factories.running(opened(kind.removesuffix(SHARED), where)))
        if kind.endswith(SHARED):
            ledger = await stack.enter_async_context(Shares(ledger))
        await asyncio.gather(*[attempts(ledger, prefix, keys, time.monotonic() + 0.3) for _ in range(AT_ONCE)])
        began, cpu = time.monotonic(), time.process_time()
        counts = await asyncio.gather(*[attempts(ledger, prefix, keys, began + seconds) for _ in range(AT_ONCE)])
        return {"attempts": sum(counts), "seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}


async def attempts(ledger, prefix: str, keys: int, until: float) -> int:
    made = 0
    while time.monotonic() < until:
        id = uuid.uuid4().hex
        subject = f"budget/{prefix}/key:{hash(id) % keys}"
        holds = [Hold(f"{subject}/{window}", 1000, LIMIT, math.inf) for window in ("day", "month", "run", "all")]
        amounts = {holds[0].counter: 700, holds[1].counter: 700}
        if not isinstance(ledger, Shares):
            await ledger.hold(id, holds, 60)
            await ledger.book(id, amounts)
        else:
            if isinstance(ledger.try_hold(id, holds, 60), NotNow):
                await ledger.hold(id, holds, 60)
            ledger.try_book(id, amounts)
        made += 1
        if isinstance(ledger, (Shares, MemoryStore)):
            await asyncio.sleep(0)
    return made


def measure(kind: str, where: str, processes: int, keys: int, seconds: float) -> str:
    with tempfile.TemporaryDirectory() as directory:
        words = [sys.executable, "-m", "tests.benchmarks.stores", "--one"]
        words += [kind, where or f"{directory}/bench.db", uuid.uuid4().hex, str(keys), str(seconds)]
        started = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(processes)]
        told = [json.loads(process.communicate()[0]) for process in started]
    made = sum(one["attempts"] for one in told)
    rate = sum(one["attempts"] / one["seconds"] for one in told)
    cpu = sum(one["cpu"] for one in told) / made * 1e6
    return f"{kind:15} {processes:>3} {'one hot' if keys == 1 else keys:>8} {rate:>10,.0f} {cpu:>8.1f}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--redis", metavar="URL", help="of a server that may be written to")
    options.add_argument("--postgres", metavar="URL", help="of a database that may be written to")
    options.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        kind, where, prefix, keys, seconds = given.one
        sys.stdout.write(json.dumps(asyncio.run(run(kind, where, prefix, int(keys), float(seconds)))))
        return
    sys.stdout.write(f"{'ledger':15} {'#':>3} {'keys':>8} {'attempts/s':>10} {'CPU µs':>8}\n")
    places = {"sqlite": "", "redis": given.redis, "postgres": given.postgres}
    rows = [("memory", "", 1)]
    rows += [
        (kind + more, where, count)
        for kind, where in places.items()
        if where is not None
        for more in ("", SHARED)
        for count in (1, 4)
    ]
    for kind, where, processes in rows:
        for keys in (1, 1000):
            sys.stdout.write(measure(kind, where, processes, keys, given.seconds) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

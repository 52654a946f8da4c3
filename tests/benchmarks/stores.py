"""How many attempts a second each ledger lets hold and book, and what one costs: `python -m tests.benchmarks.stores`.

64 attempts at a time hold four counters each (or the same four: one hot key) and book two of them; for `--seconds` in each process.
The CPU is that of all threads of the process, divided by the attempts; a server's is not in it. Runs of several processes share one file,
or one server: `--redis URL` and `--postgres URL` name servers that may be written to.
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
SERVERS = {"redis": redis, "postgres": postgres}


def opened(kind: str, place: str):
    """`place`: a file, or a server's URL; a larger deadline than usual, as so many at once wait for each other."""
    if kind == "memory":
        return MemoryStore()
    name = kind.partition("+")[0]
    table = {"url": place, "deadline": 10.0} if name in SERVERS else {"path": place}
    return factories.build(SERVERS.get(name, sqlite), table, factories.context("bench", "store"))


async def run(kind: str, place: str, keys: int, seconds: float) -> dict[str, float]:
    """Attempts, their seconds of wall time and of CPU."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(factories.running(opened(kind, place)))
        if kind.endswith("shares"):
            ledger = await stack.enter_async_context(Shares(ledger))
        await asyncio.gather(*[attempts(ledger, keys, time.monotonic() + 0.3) for _ in range(AT_ONCE)])
        began, cpu = time.monotonic(), time.process_time()
        counts = await asyncio.gather(*[attempts(ledger, keys, began + seconds) for _ in range(AT_ONCE)])
        return {"attempts": sum(counts), "seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}


async def attempts(ledger, keys: int, until: float) -> int:
    made = 0
    while time.monotonic() < until:
        id = uuid.uuid4().hex
        holds = [
            Hold(f"budget/key:{hash(id) % keys}/{window}", 1000, LIMIT, math.inf) for window in ("day", "month", "run", "all")
        ]
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


def measure(kind: str, processes: int, keys: int, seconds: float, server: str = "") -> str:
    with tempfile.TemporaryDirectory() as directory:
        place = server or f"{directory}/bench.db"
        words = [sys.executable, "-m", "tests.benchmarks.stores", "--one", kind, place, str(keys), str(seconds)]
        started = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(processes)]
        told = [json.loads(process.communicate()[0]) for process in started]
    made = sum(one["attempts"] for one in told)
    rate = sum(one["attempts"] / one["seconds"] for one in told)
    cpu = sum(one["cpu"] for one in told) / made * 1e6
    return f"{kind:15} {processes:>3} {'one hot' if keys == 1 else keys:>8} {rate:>10,.0f} {cpu:>8.1f}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    for name in SERVERS:
        options.add_argument(f"--{name}", metavar="URL", default="")
    given = options.parse_args()
    if given.one:
        kind, place, keys, seconds = given.one
        sys.stdout.write(json.dumps(asyncio.run(run(kind, place, int(keys), float(seconds)))))
        return
    sys.stdout.write(f"{'ledger':15} {'#':>3} {'keys':>8} {'attempts/s':>10} {'CPU µs':>8}\n")
    courses = [("memory", 1, ""), *[(kind, number, "") for kind in ("sqlite", "sqlite+shares") for number in (1, 4)]]
    for name in SERVERS:
        if server := getattr(given, name):
            courses += [(kind, number, server) for kind in (name, f"{name}+shares") for number in (1, 4)]
    for kind, processes, server in courses:
        for keys in (1, 1000):
            sys.stdout.write(measure(kind, processes, keys, given.seconds, server) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

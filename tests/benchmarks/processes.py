"""Child processes: start, pin to a core, wait until they listen, CPU and memory of the whole tree, stop. Linux only (/proc)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

HOST = "127.0.0.1"
LIBRARY = ctypes.CDLL(None)
CORES = tuple(sorted(os.sched_getaffinity(0)))
GATEWAY_CORES = CORES[:1]
OTHER_CORES = CORES[1:2] or CORES
MEMORY = re.compile(r"^(Rss|Pss):\s+(\d+) kB", re.MULTILINE)


class NotStartedError(Exception):
    """A process that ended, or never listened. The message ends with the last lines of its log."""


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of a tree in MB: `pss` counts shared pages by share, `rss` in full for each process."""

    rss: float
    pss: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def pinned(cores: Iterable[int]) -> Iterator[None]:
    """Children started inside run on these cores: affinity is inherited."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def parents() -> dict[int, list[int]]:
    """Children by parent, of every process."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(entry.name))
    return children


def tree(root: int) -> list[int]:
    """The process and all its descendants."""
    children, found = parents(), [root]
    for pid in found:
        found += children.get(pid, ())
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU seconds of these processes so far, to the nanosecond, with those of threads that have ended.

    The kernel's clock of a process, clock_getcpuclockid(3), not the sum of `/proc/PID/task/*/schedstat`: the two agree until a
    thread ends, and then the sum loses all that the thread ever used. Pools end idle threads, so it can even fall during a run.
    """
    return sum(cpu_clock(pid) for pid in pids)


def cpu_clock(pid: int) -> float:
    """Zero for a process that is gone."""
    clock = ctypes.c_int()
    if LIBRARY.clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
        return 0.0
    try:
        return time.clock_gettime(clock.value)
    except OSError:
        return 0.0


def memory(pids: Iterable[int]) -> Memory:
    totals = {"Rss": 0, "Pss": 0}
    for pid in pids:
        with contextlib.suppress(OSError):
            for name, size in MEMORY.findall(Path(f"/proc/{pid}/smaps_rollup").read_text()):
                totals[name] += int(size)
    return Memory(rss=totals["Rss"] / 1024, pss=totals["Pss"] / 1024)


class Process:
    """A child with its own session and a log file."""

    def __init__(
        self, command: Sequence[str], log: Path, *, cores: Iterable[int], environment: Mapping[str, str] | None = None,
        cwd: Path | None = None, piped: bool = False,
    ) -> None:  # fmt: skip
        self.log = log
        self.started = time.perf_counter()
        pipe = subprocess.PIPE if piped else subprocess.DEVNULL
        with log.open("wb") as output, pinned(cores):
            try:
                self.child = subprocess.Popen(
                    command, stdin=pipe, stdout=pipe if piped else output, stderr=output if piped else subprocess.STDOUT,
                    env={**os.environ, **(environment or {})}, start_new_session=True, cwd=cwd,
                )  # fmt: skip
            except OSError as error:
                raise NotStartedError(f"{command[0]}: {error.strerror or error}") from error

    def wait_listening(self, port: int, limit: float = 60.0) -> float:
        """Seconds from exec until the port accepts a connection. Raises `NotStartedError`."""
        while time.perf_counter() - self.started < limit:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, port)) == 0:
                    return time.perf_counter() - self.started
            if self.child.poll() is not None:
                raise NotStartedError(f"ended with status {self.child.returncode}: {self.last_lines()}")
            time.sleep(0.002)
        raise NotStartedError(f"not listening after {limit:.0f} s: {self.last_lines()}")

    def last_lines(self, count: int = 4) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(line.strip() for line in lines[-count:])

    def pids(self) -> list[int]:
        return tree(self.child.pid)

    def cpu(self) -> float:
        return cpu_seconds(self.pids())

    def memory(self) -> Memory:
        return memory(self.pids())

    def stop(self) -> None:
        """Asks the whole group to end, then makes it."""
        for sign, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(patience)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)  # what outlived its parent
        for stream in (self.child.stdin, self.child.stdout):
            if stream is not None:
                stream.close()

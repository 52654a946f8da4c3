"""The load generator, a process of its own: `python -m tests.benchmarks.load` turns each line, a `Spec`, into a `Sample`.

Between the two it writes `ready` when its connections stand and waits for a line, so that the CPU of connecting can be left out.
Closed loop: every connection always has one request under way. Open loop: a constant schedule; latency counts from the schedule.
Hold: streams are opened and kept; `ready` comes when each has given its first chunk, and the next line cuts them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import math
import os
import re
import sys
import time
from collections import deque
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from .samples import Sample, Spec, failed, spread

MARK = re.compile(rb"~T(\d{19})~")
MARK_LENGTH = 22
LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
RAMP = 250
"""Streams opened a second while holding."""
DRAIN = 30.0
"""Seconds that a run may last beyond its time; what is unfinished then counts as failed."""


CONVERSATIONS = 64
"""Those that go on, turn by turn, where a long body is to vary."""


def variants(body: bytes, count: int) -> list[bytes]:
    """The body, or so many of them that ask something else each; of a long one conversations that grow to what it is."""
    asked = b"interpreter lock"
    if count and asked not in body:
        return turns(msgspec.json.decode(body), count // CONVERSATIONS)
    return [body.replace(asked, asked + b" %d" % number, 1) for number in range(count)] or [body]


def turns(whole: dict[str, Any], count: int) -> list[bytes]:
    """A turn of every conversation, then the next one of all; each says something else from its second message on."""
    system, *said = whole["messages"]
    talks = [[{**one, "content": f"{number} {one['content']}"} for one in said] for number in range(CONVERSATIONS)]
    ends = [len(said) - 2 * (count - 1 - turn) for turn in range(count)]
    return [msgspec.json.encode({**whole, "messages": [system, *talk[:end]]}) for end in ends for talk in talks]


class Run:
    """One run: its connections, what is scheduled and what was measured."""

    def __init__(self, spec: Spec, loop: asyncio.AbstractEventLoop) -> None:
        body = Path(spec.body).read_bytes()
        given = "".join(f"{name}: {value}\r\n" for name, value in spec.headers.items())
        head = f"POST {spec.path} HTTP/1.1\r\nhost: 127.0.0.1:{spec.port}\r\ncontent-type: application/json\r\n{given}"
        self.requests = cycle(
            [f"{head}content-length: {len(text)}\r\n\r\n".encode() + text for text in variants(body, spec.variants)]
        )
        self.spec = spec
        self.loop = loop
        self.done = self.failed = self.chunks = self.begun = 0
        self.latency: list[float] = []
        self.first: list[float] = []
        self.delays: list[float] = []
        self.trouble = ""
        self.end = math.inf
        self.scheduling = spec.rate is not None
        self.connections: list[Connection] = []
        self.under_way: set[Connection] = set()
        self.idle: list[Connection] = []
        self.due: deque[float] = deque()
        self.streaming = 0
        self.finished = asyncio.Event()
        self.held = asyncio.Event()

    async def connect(self) -> Connection:
        _, connection = await self.loop.create_connection(lambda: Connection(self), "127.0.0.1", self.spec.port)
        self.connections.append(connection)
        return connection

    def free(self, connection: Connection) -> None:
        """The connection has nothing to do: more work, or rest."""
        if self.spec.rate is not None:
            if self.due:
                connection.begin(self.due.popleft())
                return
            self.idle.append(connection)
        elif self.wanted():
            connection.begin(time.perf_counter())
            return
        self.settle()

    def wanted(self) -> bool:
        if self.spec.hold:
            return False
        return self.begun < self.spec.count if self.spec.count is not None else time.perf_counter() < self.end

    def settle(self) -> None:
        if not (self.under_way or self.due or self.scheduling):
            self.finished.set()

    def arrive(self, scheduled: float) -> None:
        if self.idle:
            self.idle.pop().begin(scheduled)
        else:
            self.due.append(scheduled)

    def fail(self, why: str) -> None:
        self.failed += 1
        self.trouble = self.trouble or why[:300]

    def first_mark(self) -> None:
        self.streaming += 1
        if self.streaming == self.spec.connections:
            self.held.set()

    def sample(self, seconds: float, cpu: float) -> Sample:
        return Sample(
            done=self.done, failed=self.failed, seconds=seconds, chunks=self.chunks, busy=cpu / max(seconds, 1e-9),
            trouble=self.trouble, latency=spread(self.latency), first=spread(self.first), chunk_delay=spread(self.delays),
        )  # fmt: skip


class Connection(asyncio.Protocol):
    """Sends the run's request and reads the answer to its end: by length, by last chunk, or until it is closed."""

    transport: asyncio.Transport

    def __init__(self, run: Run) -> None:
        self.run = run
        self.busy = False
        self.lost = False
        self.reset()

    def reset(self) -> None:
        self.head: bytes | None = b""
        self.status = 0
        self.left: float = 0
        self.chunked = False
        self.tail = b""
        self.unread = b""
        self.marks = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def begin(self, scheduled: float) -> None:
        self.reset()
        self.run.begun += 1
        self.busy = True
        self.started = scheduled
        self.run.under_way.add(self)
        if self.lost:
            self.over("connection was closed")
        else:
            self.transport.write(next(self.run.requests))

    def data_received(self, data: bytes) -> None:
        if self.head is not None:
            data = self.head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.head = data
                return
            self.read_head(data[: end + 2])
            data = data[end + 4 :]
        if self.chunked:
            self.read_marks(data)
            self.tail = (self.tail + data)[-5:]
            if self.tail == b"0\r\n\r\n":
                self.over()
            return
        self.left -= len(data)
        if self.status != 200:
            self.unread += data
        if self.left <= 0:
            self.over()

    def read_head(self, head: bytes) -> None:
        self.head = None
        self.status = int(head[9:12])
        length = LENGTH.search(head)
        self.left = int(length[1]) if length else math.inf
        self.chunked = length is None and b"chunked" in head
        self.run.first.append(time.perf_counter() - self.started)

    def read_marks(self, data: bytes) -> None:
        run, data = self.run, self.unread + data
        end = 0
        for mark in MARK.finditer(data):
            run.delays.append((time.monotonic_ns() - int(mark[1])) / 1e9)
            end = mark.end()
            run.chunks += 1
            self.marks += 1
            if self.marks == 1:
                run.first_mark()
        self.unread = data[max(end, len(data) - MARK_LENGTH + 1) :] if self.status == 200 else data

    def over(self, trouble: str = "") -> None:
        """The answer is complete, or never will be."""
        run = self.run
        self.busy = False
        run.under_way.discard(self)
        if trouble or self.status != 200:
            run.fail(trouble or f"{self.status} {self.unread.decode(errors='replace')}")
        else:
            run.done += 1
            run.latency.append(time.perf_counter() - self.started)
        if not self.lost:
            run.free(self)
        else:
            run.settle()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        with contextlib.suppress(ValueError):
            self.run.idle.remove(self)
        if self.busy:
            complete = self.head is None and self.left == math.inf and not self.chunked and exc is None
            self.over("" if complete else f"connection closed early: {exc or 'end of stream'}")
        if self.run.wanted():
            self.run.loop.create_task(self.reconnect())

    async def reconnect(self) -> None:
        with contextlib.suppress(OSError):
            self.run.free(await self.run.connect())


class Ticker:
    """Calls back on a constant schedule through a timerfd: the loop's own timers only know whole milliseconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rate: float, seconds: float, run: Run) -> None:
        self.loop, self.interval, self.run = loop, 1 / rate, run
        self.left = round(rate * seconds)
        library = ctypes.CDLL(None, use_errno=True)
        self.file = int(library.timerfd_create(1, os.O_NONBLOCK | os.O_CLOEXEC))
        whole, part = divmod(round(1e9 / rate), 1_000_000_000)
        library.timerfd_settime(self.file, 0, ctypes.byref((ctypes.c_long * 4)(whole, part, whole, part)), None)
        self.next = time.perf_counter() + self.interval
        loop.add_reader(self.file, self.tick)

    def tick(self) -> None:
        due = min(int.from_bytes(os.read(self.file, 8), sys.byteorder), self.left)
        self.left -= due
        for _ in range(due):
            self.run.arrive(self.next)
            self.next += self.interval
        if not self.left:
            self.loop.remove_reader(self.file)
            os.close(self.file)
            self.run.scheduling = False
            self.run.settle()


async def hold(run: Run) -> None:
    for number, connection in enumerate(run.connections):
        connection.begin(time.perf_counter())
        if number % 25 == 24:
            await asyncio.sleep(25 / RAMP)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(run.held.wait(), DRAIN)
    await asyncio.sleep(0.5)


async def measure(run: Run) -> None:
    run.end = time.perf_counter() + run.spec.seconds
    if run.spec.rate is not None:
        run.idle = run.connections[:]
        Ticker(run.loop, run.spec.rate, run.spec.seconds, run)
    else:
        for connection in tuple(run.connections):
            run.free(connection)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(run.finished.wait(), run.spec.seconds + DRAIN)
    run.end = -math.inf
    for _ in run.under_way:
        run.fail("unfinished")
    run.failed += len(run.due)


def await_line() -> None:
    """Blocks: nothing is under way but held streams, whose bytes may wait in the kernel."""
    print("ready", flush=True)
    sys.stdin.readline()


async def perform(spec: Spec) -> Sample:
    run = Run(spec, asyncio.get_running_loop())
    for _ in range(spec.connections):
        await run.connect()
    if spec.hold:
        await hold(run)
    await_line()
    started, cpu = time.perf_counter(), time.process_time()
    if spec.hold:
        run.done = run.streaming
    else:
        await measure(run)
    sample = run.sample(time.perf_counter() - started, time.process_time() - cpu)
    for connection in run.connections:
        connection.transport.abort()
    await asyncio.sleep(0)
    return sample


def main() -> None:
    for line in iter(sys.stdin.readline, ""):
        try:
            sample = uvloop.run(perform(msgspec.json.decode(line, type=Spec)))
        except OSError as error:
            sample = failed(str(error))
        print(msgspec.json.encode(sample).decode(), flush=True)


if __name__ == "__main__":
    main()

"""`python -m tests.benchmarks.soak`: a hundred thousand requests, every front, plain and streamed, faults on, callers that leave.

Afterwards: memory that no longer grew, no task or socket that was not there before, and a record of each request in the journal.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from .processes import HOST, OTHER_CORES, Process, free_port

ROOT = Path(__file__).parent.parent.parent
CONFIG = """
[tiers]
simple = ["chat/m", "messages/m"]
[models]
one = ["chat/m", "messages/m"]
two = ["messages/m", "responses/m"]
three = ["responses/m", "chat/m"]
[scorer.heuristic]
[selector.tiers]
[store.sqlite]
path = "{folder}/journal.db"
[sink.journal]
"""
PROVIDER = '[provider.{name}]\nuse = "openai-compatible"\nbase_url = "{url}/v1"\ndialects = {dialects}\n'
DIALECTS = {"chat": ["openai.chat", "openai.embeddings"], "messages": ["anthropic.messages"], "responses": ["openai.responses"]}
FRONTS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings")
WEIGHTS = (30, 25, 30, 5, 10)
CALLERS = 32
LEAVING = 0.03
"""Share of the requests whose caller does not stay for the answer."""
SAMPLES = 40
WARM = 0.3
"""Share of the samples that are not looked at: pools, caches and the allocator fill up."""


class Report(msgspec.Struct, kw_only=True):
    """`rss` in MB, a sample for each 40th of the requests; `slope` in KB for a thousand requests, after the warm-up."""

    sent: int
    seconds: float
    statuses: dict[str, int]
    rss: list[float]
    slope: float
    growth: float
    noise: float
    recorded: dict[str, int]
    unrecorded: int
    tasks: tuple[int, int]
    sockets: tuple[int, int]
    objects: tuple[int, int]

    @property
    def troubles(self) -> list[str]:
        """What must not be."""
        bound = max(3 * self.noise, 0.02 * self.rss[-1])
        checks = {
            f"memory grew by {self.growth:.1f} MB after the warm-up, noise is {self.noise:.2f}": self.growth > bound,
            f"{self.unrecorded} answers have no record": self.unrecorded != 0,
            f"{self.sent} requests, {sum(self.recorded.values())} records": self.sent != sum(self.recorded.values()),
            f"tasks: {self.tasks[0]} before, {self.tasks[1]} after": self.tasks[1] > self.tasks[0],
            f"sockets: {self.sockets[0]} before, {self.sockets[1]} after": self.sockets[1] > self.sockets[0],
            "internal errors": self.statuses.get("internal", 0) > 0,
        }
        return [text for text, bad in checks.items() if bad]


class Load:
    """What the callers share."""

    def __init__(self, port: int, requests: int) -> None:
        self.port, self.left = port, requests
        self.sent = 0
        self.ids: list[str] = []
        self.statuses: Counter[str] = Counter()
        self.random = random.Random(2026)

    def question(self) -> tuple[str, bytes]:
        chance = self.random
        path = chance.choices(FRONTS, WEIGHTS)[0]
        text = " ".join(
            chance.choices(("why", "how", "explain", "the", "proof", "of", "a", "theorem", "code"), k=chance.randint(3, 60))
        )
        asked: dict[str, Any] = (
            {"input": text} if path.endswith(("responses", "embeddings")) else {"messages": [{"role": "user", "content": text}]}
        )
        if path.endswith("messages"):
            asked["max_tokens"] = 100
        if not path.endswith(("count_tokens", "embeddings")):
            asked["stream"] = chance.random() < 0.5
        model = "chat/m" if path.endswith("embeddings") else chance.choice(("auto", "one", "two", "three"))
        return path, msgspec.json.encode({"model": model, **asked})

    async def caller(self) -> None:
        """One connection after the other, one request after the other."""
        while self.left > 0:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                try:
                    while self.left > 0 and await self.exchange(reader, writer):
                        pass
                finally:
                    writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """False when the connection is of no more use."""
        self.left -= 1
        path, body = self.question()
        leaves = self.random.random() < LEAVING
        writer.write(
            f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        self.sent += 1
        if leaves and self.random.random() < 0.5:
            await asyncio.sleep(self.random.random() * 0.01)  # it is read by then, but not answered
            self.statuses["left"] += 1
            return False
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode("latin-1").lower()
        self.ids.append(head.partition("x-lynkr-request-id: ")[2].partition("\r\n")[0])
        if leaves:
            self.statuses["left"] += 1
            return False
        body = await asyncio.wait_for(read_body(reader, head), 60)
        self.statuses["internal" if b"lynkr failed" in body else head[9:12]] += 1
        return True


async def read_body(reader: asyncio.StreamReader, head: str) -> bytes:
    if "transfer-encoding: chunked" not in head:
        return await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body


class Gateway:
    """The gateway in a process of its own."""

    def __init__(self, folder: Path, upstream: int) -> None:
        self.file = folder / "lynkr.toml"
        url = f"http://{HOST}:{upstream}"
        providers = [PROVIDER.format(name=name, url=url, dialects=json.dumps(spoken)) for name, spoken in DIALECTS.items()]
        self.file.write_text(CONFIG.format(folder=folder) + "".join(providers))
        self.port = free_port()
        command = [sys.executable, "-m", "tests.benchmarks.soaked", str(self.file), str(self.port)]
        self.process = Process(command, folder / "log", cores=OTHER_CORES, cwd=ROOT)
        self.process.wait_listening(self.port)

    def rss(self) -> float:
        """MB, garbage collected first: what is only waiting to be collected is no leak."""
        self.told()
        return self.process.memory().rss

    def sockets(self) -> int:
        """Open ones."""
        found = 0
        for file in Path(f"/proc/{self.process.child.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found += str(file.readlink()).startswith("socket:")
        return found

    def told(self) -> dict[str, int]:
        """Tasks and objects."""
        file = Path(f"{self.file}.told")
        before = file.read_text() if file.exists() else ""
        os.kill(self.process.child.pid, signal.SIGUSR1)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            text = file.read_text() if file.exists() else ""
            if len(text) > len(before) and text.endswith("\n"):
                return json.loads(text.splitlines()[-1])
            time.sleep(0.02)
        raise AssertionError(f"the gateway does not answer: {self.process.last_lines()}")

    def stop(self) -> None:
        self.process.child.send_signal(signal.SIGTERM)
        self.process.child.wait(30)


@contextlib.contextmanager
def faulty(share: float) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    command = [sys.executable, "-m", "tests.benchmarks.faulty", str(share), "7"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


async def load(gateway: Gateway, requests: int) -> tuple[Load, list[float]]:
    """Runs all of it. Gives what was seen, and samples of the memory."""
    run, rss = Load(gateway.port, requests), [gateway.rss()]
    callers = [asyncio.ensure_future(run.caller()) for _ in range(CALLERS)]
    while not all(caller.done() for caller in callers):
        await asyncio.sleep(0.02)
        if run.sent >= requests * len(rss) / SAMPLES:
            rss.append(gateway.rss())
    await asyncio.gather(*callers)
    return run, [*rss, gateway.rss()]


def trend(rss: list[float], requests: int) -> tuple[float, float, float]:
    """KB for a thousand requests, MB in all, and the deviation in MB from the straight line; after the warm-up."""
    kept = rss[round(len(rss) * WARM) :]
    places = list(range(len(kept)))
    slope, start = statistics.linear_regression(places, kept)
    noise = statistics.pstdev([value - start - slope * place for place, value in zip(places, kept, strict=True)])
    return slope * len(rss) / requests * 1024 * 1000, slope * len(kept), noise


def settled(gateway: Gateway, before: int) -> int:
    """The sockets that are left when everybody has gone; their ends need a moment to arrive."""
    until = time.monotonic() + 30
    while gateway.sockets() > before and time.monotonic() < until:
        time.sleep(0.05)
    return gateway.sockets()


def records(folder: Path) -> dict[str, str]:
    """Status by id."""
    with contextlib.closing(sqlite3.connect(folder / "journal.db")) as store:
        rows = store.execute("SELECT id, record FROM journal")
        return {id: json.loads(record)["status"] for id, record in rows}


def soak(folder: Path, requests: int, share: float = 12.0) -> Report:
    with faulty(share) as (port, upstream):
        gateway = Gateway(folder, port)
        try:
            return measured(gateway, upstream, folder, requests)
        finally:
            gateway.process.stop()


def measured(gateway: Gateway, upstream: subprocess.Popen[bytes], folder: Path, requests: int) -> Report:
    before, sockets = gateway.told(), gateway.sockets()
    began = time.perf_counter()
    run, rss = asyncio.run(load(gateway, requests))
    seconds = time.perf_counter() - began
    upstream.kill()  # so that the pool's idle connections are no sockets any more
    left = settled(gateway, sockets)
    after = gateway.told()
    gateway.stop()
    kept = records(folder)
    slope, growth, noise = trend(rss, requests)
    return Report(
        sent=run.sent, seconds=seconds, statuses=dict(run.statuses), rss=rss, slope=slope, growth=growth, noise=noise,
        recorded=dict(Counter(kept.values())), unrecorded=len(set(run.ids) - set(kept)),
        tasks=(before["tasks"], after["tasks"]), sockets=(sockets, left), objects=(before["objects"], after["objects"]),
    )  # fmt: skip


def text(report: Report) -> str:
    lines = [
        f"{report.sent} requests in {report.seconds:.0f} s ({report.sent / report.seconds:.0f} a second): {report.statuses}",
        f"RSS {report.rss[0]:.1f} MB at first, {report.rss[round(len(report.rss) * WARM)]:.1f} warm, {report.rss[-1]:.1f} at the end",
        f"after the warm-up {report.slope:+.1f} KB for a thousand requests, {report.growth:+.2f} MB in all, noise {report.noise:.2f} MB",
        f"records: {report.recorded}; without one: {report.unrecorded}",
        "RSS: " + " ".join([f"{value:.1f}" for value in report.rss]),
        f"tasks {report.tasks}, sockets {report.sockets}, objects {report.objects} (before, after)",
        *[f"TROUBLE: {trouble}" for trouble in report.troubles],
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description="Many requests, many faults.")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument(
        "--faults", type=float, default=12.0, metavar="PERCENT", help="share of the provider's answers that are bad"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lynkr-soak-") as folder:
        report = soak(Path(folder), options.requests, options.faults)
    print(text(report))
    sys.exit(bool(report.troubles))


if __name__ == "__main__":
    main()

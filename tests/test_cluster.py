"""The shipped cluster: nginx, three gateways, Redis and PostgreSQL, all real. What one of them may do, all of them together may do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lynkr_core.config import parse
from lynkr_core.testing.waiting import PATIENCE
from lynkr_core.testing.waiting import until as soon
from tests.benchmarks.cluster import example
from tests.benchmarks.processes import cpu_seconds

pytestmark = pytest.mark.anyio
EXAMPLE = Path(__file__).parent.parent / "examples/cluster"
CHAT = "/v1/chat/completions"
LONG = 4 * PATIENCE
COST = 100 * 3_000 + 20 * 15_000
"""Nano-dollars of each request of these tests."""
LIMIT = 50_000_000
WORST = 1_000_000
"""More than is set aside for one."""


PATIENT = ('url = "${LYNKR_REDIS_URL}"', "[auth.keys]", "[policy.budget]", "[policy.ratelimit]")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """As it is shipped, but that no store is thought to be down because this machine is busy."""
    config = (
        (EXAMPLE / "lynkr.toml")
        .read_text()
        .replace("[[policy.ratelimit.limit]]", "[policy.ratelimit]\n\n[[policy.ratelimit.limit]]")
    )
    for line in PATIENT:
        assert config.count(line) == 1
        config = config.replace(line, f"{line}\ndeadline = 4")
    with tempfile.TemporaryDirectory(prefix="lynkr-") as folder, example().Cluster(Path(folder), 3, config, fast=True) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=300, max_keepalive_connections=300)
    async with httpx2.AsyncClient(timeout=LONG, limits=limits, trust_env=False) as client:
        yield client


@pytest.fixture
def ask(client):
    """`await ask(url, key, text)` is one request of `COST`."""

    async def ask(url: str, key: str, text: str, **more: Any) -> httpx2.Response:
        body = {
            "model": "echo/echo",
            "max_tokens": 20,
            "messages": [{"role": "user", "content": f"{text} [[echo: usage 100 20]]"}],
        }
        return await client.post(url + CHAT, json=body | more, headers={"authorization": f"Bearer {key}"})

    return ask


@pytest.fixture
def told(client, cluster):
    """`await told(url, path)` is what the operator is told there."""

    async def told(url: str, path: str) -> Any:
        return (await client.get(url + path, headers={"x-api-key": cluster.admin_key})).json()

    return told


async def until(holds: Any, within: float = LONG) -> None:
    """Until the coroutine function gives something that is true."""
    async with asyncio.timeout(within):
        while not await holds():
            await asyncio.sleep(0.05)


def addresses(cluster: Any) -> list[str]:
    return [cluster.url, *[node.url for node in cluster.nodes]]


# what is counted is counted once
async def test_one_budget_over_three_nodes_is_exact(cluster, ask, told):
    """Not a request more than it pays for, however many come at once; and in the end nothing of it is left lying at a node."""
    key, urls, texts = cluster.key(name="shared", team="trial"), addresses(cluster), iter(range(10_000))
    crowd = await asyncio.gather(*[ask(urls[n % 4], key, f"crowd {next(texts)}") for n in range(200)])
    answers = list(crowd)
    assert {answer.status_code for answer in crowd} == {200, 429}

    async def spent() -> bool:
        answers.extend([await ask(url, key, f"more {next(texts)}") for url in urls])
        return served() * COST + WORST > LIMIT

    def served() -> int:
        return sum(answer.status_code == 200 for answer in answers)

    await until(spent)
    assert served() * COST <= LIMIT
    refused = [await ask(url, key, f"last {next(texts)}") for url in urls]
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in refused} == {(429, "budget_exceeded")}

    async def booked() -> bool:
        path = "/v1/admin/budgets?all=1"
        stands = [(await told(node.url, path))["data"] for node in cluster.nodes]
        return all([(row["used"], row["held"]) for row in rows if row["used"]] == [(served() * COST, 0)] for rows in stands)

    async def written() -> bool:
        total = (await told(cluster.url, "/v1/usage?key=shared&status=ok"))["total"]
        return total["usd"] is not None and round(total["usd"] * 10**9) == served() * COST

    await until(booked)
    await until(written)


async def test_a_rate_is_shared(cluster, ask):
    """Twenty a day are twenty, and each node says so."""
    key, urls = cluster.key(team="free"), addresses(cluster)
    answers = list(await asyncio.gather(*[ask(urls[n % 4], key, f"rate {n}") for n in range(60)]))

    async def all_taken() -> bool:
        answers.extend([await ask(url, key, f"rate {len(answers)} {place}") for place, url in enumerate(urls)])
        taken = sum(answer.status_code == 200 for answer in answers)
        assert taken <= 20
        return taken == 20

    await until(all_taken)
    last = [await ask(url, key, "one more") for url in urls]
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in last} == {(429, "rate_limit_exceeded")}
    assert all(int(answer.headers["retry-after"]) > 60 for answer in last)


async def test_a_cache_hit_crosses_nodes(cluster, ask):
    key, (one, other, third) = cluster.key(), [node.url for node in cluster.nodes]
    first = await ask(one, key, "What is cached?")
    assert first.headers["x-lynkr-cache"] == "miss"

    async def hit() -> bool:
        answer = await ask(other, key, "What is cached?")
        return answer.headers["x-lynkr-cache"] == "hit" and answer.json()["choices"] == first.json()["choices"]

    await until(hit)
    assert (await ask(third, cluster.key(), "What is cached?")).headers["x-lynkr-cache"] == "miss", "of another key"


async def test_a_key_made_at_one_node_is_good_at_all(cluster, ask):
    key = cluster.key(models=["other/*"])
    assert {(await ask(node.url, key, "Hello")).status_code for node in cluster.nodes} == {403}


# what happens to a node
@contextmanager
def frozen(postgres: Any) -> Iterator[None]:
    """Nothing is written meanwhile."""
    pid = postgres.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def tell(number: signal.Signals) -> None:
        for each in (pid, *[int(child) for child in children]):
            with suppress(ProcessLookupError):
                os.kill(each, number)

    tell(signal.SIGSTOP)
    try:
        yield
    finally:
        tell(signal.SIGCONT)


class Callers:
    """Some that ask without end, by turns of these addresses. `seen`: ids of answers that were seen whole; `statuses` of all, 0 for none."""

    def __init__(self, ask: Any, key: str, urls: list[str], count: int) -> None:
        self.seen: list[str] = []
        self.statuses: list[int] = []
        self._stopping = False
        self._tasks = [asyncio.create_task(self._run(ask, key, urls[n % len(urls)], n)) for n in range(count)]

    async def _run(self, ask: Any, key: str, url: str, number: int) -> None:
        turn = 0
        while not self._stopping:
            turn += 1
            try:
                answer = await ask(url, key, f"caller {number} {turn}")
            except httpx2.HTTPError:
                self.statuses.append(0)
                await asyncio.sleep(0.05)
                continue
            self.statuses.append(answer.status_code)
            if answer.status_code == 200:
                self.seen.append(answer.headers["x-lynkr-request-id"])

    async def have(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.seen) >= count

        await until(enough)

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)


async def test_a_killed_node_loses_no_finished_outcome(cluster, client, ask, told):
    """Of what its callers saw nothing was in the database yet. The others go on; it is all there after its next start."""
    victim, key = cluster.nodes[0], cluster.key()
    with frozen(cluster.postgres):
        direct, callers = Callers(ask, key, [victim.url], 2), Callers(ask, key, [cluster.url], 6)
        await direct.have(30)
        due = set(direct.seen)
        assert (await client.get(f"{victim.url}/health/live")).status_code == 200  # those answers lie behind it for good
        due |= set(callers.seen[:-6])
        victim.kill()
    await callers.have(len(callers.seen) + 60)
    await asyncio.gather(callers.stop(), direct.stop())
    assert set(callers.statuses) <= {200, 502}
    assert callers.statuses.count(502) <= 6, "only what the dead one was answering is lost"
    other = cluster.nodes[1].url

    async def lost() -> set[str]:
        return {id for id in due if (await told(other, f"/v1/decisions/{id}")).get("status") != "ok"}

    assert await lost() >= set(direct.seen[:20])
    victim.start()

    async def whole() -> bool:
        return not await lost()

    await until(whole)
    assert not list(victim.folder.glob("*.spill-*"))
    assert (await ask(victim.url, key, "Are you back?")).status_code == 200


async def streamed(client: httpx2.AsyncClient, url: str, key: str, begun: asyncio.Event) -> str:
    """A stream of three seconds, to its end."""
    body = {
        "model": "echo/echo",
        "stream": True,
        "messages": [{"role": "user", "content": "word [[echo: chunks 60 every 0.05]]"}],
    }
    headers = {"authorization": f"Bearer {key}", "x-lynkr-cache": "no-store"}
    got = ""
    async with client.stream("POST", url + CHAT, json=body, headers=headers) as answer:
        assert answer.status_code == 200
        async for piece in answer.aiter_text():
            got += piece
            begun.set()
    return got


def text_of(stream: str) -> str:
    events = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: {")]
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    return "".join([choice["delta"].get("content") or "" for choice in choices])


async def test_a_configuration_rolled_from_node_to_node_drops_no_stream(cluster, client, ask, told):
    key, new = cluster.key(), cluster.config.replace('prefix = ""', 'prefix = "new: "')
    hashes = [parse(text, cluster.nodes[0].environ).hash for text in (cluster.config, new)]
    callers, streams = Callers(ask, key, [cluster.url], 3), list[asyncio.Task[str]]()
    for node in cluster.nodes:
        begun = [asyncio.Event() for _ in range(6)]
        streams += [asyncio.create_task(streamed(client, cluster.url, key, event)) for event in begun]
        await asyncio.gather(*[event.wait() for event in begun])
        node.write(new)
        done = await client.post(f"{node.url}/v1/admin/reload", headers={"x-api-key": cluster.admin_key})
        assert (done.status_code, done.json()["config"]) == (200, hashes[1])
    told_whole = await asyncio.gather(*streams)
    assert all(stream.rstrip().endswith("data: [DONE]") for stream in told_whole)
    words = [text_of(stream).split() for stream in told_whole]
    assert {len(said) for said in words} == {60}
    assert set().union(*words) <= {"word", "new:"}
    await callers.stop()
    assert set(callers.statuses) == {200}
    assert {(await told(node.url, "/health/ready"))["config"] for node in cluster.nodes} == {hashes[1]}
    for node in cluster.nodes:
        node.write(cluster.config)
        await client.post(f"{node.url}/v1/admin/reload", headers={"x-api-key": cluster.admin_key})


# what three of them carry
async def test_a_request_takes_about_as_much_of_a_processor_however_many_nodes_there_are(cluster, ask):
    """So three nodes with a core each carry about three times as much; README has the figures, and `tests/benchmarks/cluster.py` measures
    them. The bound here only says that nothing grows with the number of nodes: this machine has fewer cores than processes.
    """
    key, texts = cluster.key(), iter(range(100_000))

    async def cost(nodes: list[Any], rounds: int = 12, at_once: int = 10) -> float:
        before = cpu_seconds([node.pid for node in nodes])
        for _ in range(rounds):
            asked = [ask(node.url, key, f"load {next(texts)}") for node in nodes for _ in range(at_once)]
            assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
        return (cpu_seconds([node.pid for node in nodes]) - before) / (rounds * at_once * len(nodes))

    await cost(cluster.nodes)
    ratios = list[float]()
    while not ratios or (min(ratios) > 1.8 and len(ratios) < 8):
        ratios.append(await cost(cluster.nodes) / await cost(cluster.nodes[:1]))
    assert min(ratios) <= 1.8, ratios


async def test_ended_while_it_starts_it_leaves_nothing_and_shows_no_traceback():
    with tempfile.TemporaryDirectory(prefix="l") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's user passes through it
        command = [sys.executable, str(EXAMPLE / "cluster.py")]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, env=os.environ | {"TMPDIR": name}, stdout=pipe, stderr=pipe)
        await soon(lambda: [*folder.glob("lynkr-*/*")], LONG)
        process.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(process.communicate(), LONG)
        assert b"Traceback" not in said
        assert process.returncode in (0, 130)  # 0 where all of it was there before the signal was
        assert not [*folder.iterdir()]

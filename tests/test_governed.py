"""Budgets, rates and classes together, over a store that others share."""

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.client import Client
from lynkr_core.testing.contracts.governed import ASK, COST, PRICED
from lynkr_core.testing.waiting import until

pytestmark = pytest.mark.anyio
GOVERNED = (
    PRICED
    + """
[store.sqlite]
path = "{folder}/lynkr.db"
[policy.access]
default = "all"
[policy.access.classes.all]
[policy.caps]
[[policy.caps.limit]]
max_tokens = 1000
steps = 1000000
[policy.ratelimit]
[[policy.ratelimit.limit]]
scope = "class:*"
requests = 100000
concurrent = 500
[policy.budget]
[[policy.budget.limit]]
scope = "class:*"
per = "total"
usd = 0.02
[policy.budget.run]
usd = 1
"""
)


def node(provider, folder):
    kernel = assemble(parse(GOVERNED.format(url=provider.url, folder=folder), {}), {})
    return Client(Application(kernel)), next(plugin.instance for plugin in kernel.plugins if plugin.id == "policy.budget")


async def test_three_hundred_at_once_at_two_nodes_overspend_by_nothing(scripted_provider, tmp_path):
    scripted_provider.always(CANNED["openai.chat"].but(delay=0.02))
    (one, budget), (two, _) = node(scripted_provider, tmp_path), node(scripted_provider, tmp_path)
    session = {"x-lynkr-session": "run-1"}
    async with one, two:
        asked = [(one, two)[n % 2].post("/v1/chat/completions", json=ASK, headers=session) for n in range(300)]
        statuses = [answer.status for answer in await asyncio.gather(*asked)]
    assert set(statuses) == {200, 429}
    assert len(scripted_provider.requests) == statuses.count(200)
    again, budget = node(scripted_provider, tmp_path)
    async with again:
        stands = await budget.books.ledger.balances("policy-budget/class:all")
    assert [(balance.used, balance.held) for balance in stands.values()] == [(statuses.count(200) * COST, 0)]
    assert statuses.count(200) * COST <= 20_000_000


async def test_nothing_stays_held_of_streams_that_are_left(scripted_provider, tmp_path):
    scripted_provider.always(CANNED["openai.chat"].but(pause=0.05))
    client, budget = node(scripted_provider, tmp_path)
    async with client:
        for _ in range(5):
            async with client.stream("/v1/chat/completions", json={**ASK, "stream": True}) as streamed:
                await anext(aiter(streamed))
                streamed.disconnect()
        async with asyncio.timeout(60):
            while budget.status()["held"]:
                await asyncio.sleep(0.01)
    again, budget = node(scripted_provider, tmp_path)
    async with again:
        stands = await budget.books.ledger.balances("policy-")
    assert all(balance.held == 0 for balance in stands.values())
    assert any(balance.used for name, balance in stands.items() if name.endswith("usd"))


WORKERS = """
[server]
workers = 3
list_models = false
[routing]
retries = 0
"""


def counted(folder, ending):
    """What the counters whose names end so stand at, as (used, held)."""
    with closing(sqlite3.connect(folder / "lynkr.db")) as found:
        return found.execute("SELECT sum(used), sum(held) FROM counter WHERE name LIKE ?", (f"%{ending}",)).fetchone()


@pytest.mark.parametrize("kill", [False, True])
async def test_a_thousand_at_once_at_several_processes_overspend_by_nothing(serve, scripted_provider, tmp_path, kill):
    """Over HTTP, and also when a process is killed while it answers."""
    scripted_provider.always(CANNED["openai.chat"].but(delay=0.02))
    served = serve(WORKERS + GOVERNED.format(url=scripted_provider.url, folder=tmp_path))
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx2.AsyncClient(base_url=served.url, limits=limits, timeout=60, trust_env=False) as client:
        asking = [asyncio.ensure_future(status_of(client)) for _ in range(1000)]
        if kill:
            await until(lambda: scripted_provider.requests)
            children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
        statuses = await asyncio.gather(*asking)
    assert set(statuses) <= {200, 429, 503, *([0] if kill else [])}  # too busy a machine cannot ask the store in time
    assert 0 < len(scripted_provider.requests) <= 20_000_000 // COST
    served.stop()
    used, held = counted(tmp_path, "/total/usd")
    if kill:  # what the dead process held is held until its lease is over
        assert 0 < used <= len(scripted_provider.requests) * COST
        assert used + held <= 20_000_000
    else:
        assert (used, held) == (statuses.count(200) * COST, 0)


async def status_of(client):
    try:
        return (await client.post("/v1/chat/completions", json=ASK, headers={"x-lynkr-session": "one"})).status_code
    except httpx2.TransportError:
        return 0

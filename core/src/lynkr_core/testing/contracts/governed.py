"""What a whole gateway with keys, budgets, rates and a journal must keep to over a store that is asked over the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.stores import Balance
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.client import Answer, Client
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import PATIENCE

ADMIN = {"x-api-key": "the-admin-key"}
ASK = {"model": "cloud/m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100}
COST = 12 * 3_000 + 7 * 15_000
"""Nano-dollars of the canned answer."""
ROOM = 500 * 2_000_000
"""More than what the load may take before the store is known to be down, at the worst case of a request."""
AT_ONCE = 1000
PRICED = """
[provider.cloud]
use = "openai-compatible"
base_url = "{url}"
models = ["m"]
[prices]
"cloud/m" = {{ input = 3.0, output = 15.0 }}
"""
"""A provider whose one model has a price."""
OPERATED = '[server]\nadmin_key = "the-admin-key"\n[routing]\nretries = 0' + PRICED
"""And operators, who have a key."""
GOVERNED = (
    OPERATED
    + """
{store}
[auth.keys]
recheck = 0.2
[policy.ratelimit]
fail = "{others}"
[[policy.ratelimit.limit]]
scope = "key:*"
requests = 10000000
concurrent = 2000
[policy.budget]
fail = "{fail}"
grace = 300
part = 1.0
[[policy.budget.limit]]
scope = "key:*"
per = "total"
usd = {usd}
[sink.journal]
"""
)


class Node:
    """One gateway."""

    def __init__(self, config: str) -> None:
        self.kernel = assemble(parse(config, {}), {})
        self.client = Client(Application(self.kernel))

    def plugin(self, name: str) -> Any:
        return next(plugin.instance for plugin in self.kernel.plugins if plugin.id == name)

    async def ask(self, key: str, **headers: str) -> Answer:
        return await self.client.post("/v1/chat/completions", json=ASK, headers={"authorization": f"Bearer {key}", **headers})

    async def told(self, plugin: str) -> dict[str, Any]:
        return (await self.client.get("/health/ready")).json()["plugins"][plugin]

    async def until(self, plugin: str, state: str) -> None:
        """Waits until the plugin says that its store is so."""
        async with asyncio.timeout(PATIENCE):
            while (await self.told(plugin))["store"] != state:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def key(self) -> str:
        return (await self.client.post("/v1/admin/keys", json={"name": "one"}, headers=ADMIN)).json()["key"]


class GovernedContract:
    """A `server` is one that a test may take away: with `freeze`, `resume`, `kill` and `start`."""

    @pytest.fixture
    def server(self) -> Any:
        raise NotImplementedError

    def store(self, server: Any, folder: Path) -> str:
        """Its table in `lynkr.toml`."""
        raise NotImplementedError

    @asynccontextmanager
    async def node(
        self, server: Any, folder: Path, provider: ScriptedProvider, fail: str = "local-share", usd: float = 1000
    ) -> AsyncGenerator[Node]:
        others = "closed" if fail == "closed" else "open"
        node = Node(GOVERNED.format(url=provider.url, store=self.store(server, folder), fail=fail, others=others, usd=usd))
        async with node.client:
            yield node

    @pytest.mark.anyio
    async def test_a_thousand_at_once_at_the_limit_overspend_by_nothing(
        self, server: Any, tmp_path: Path, scripted_provider: ScriptedProvider
    ) -> None:
        scripted_provider.always(CANNED["openai.chat"])
        first = self.node(server, tmp_path, scripted_provider, usd=0.02)
        async with first as one, self.node(server, tmp_path, scripted_provider, usd=0.02) as other:
            key = await one.key()
            answers = await asyncio.gather(*[(one, other)[n % 2].ask(key) for n in range(AT_ONCE)])
            statuses = [answer.status for answer in answers]
            assert {200} < set(statuses) <= {200, 429, 503}  # a machine that is too busy to ask the store in time refuses too
            assert len(scripted_provider.requests) == statuses.count(200) <= 20_000_000 // COST
            await check(one, statuses.count(200))

    @pytest.mark.anyio
    @pytest.mark.parametrize(
        ("fail", "how"), [("closed", "kill"), ("open", "freeze"), ("local-share", "freeze"), ("open", "kill")]
    )
    async def test_a_store_that_goes_away_under_load(
        self, server: Any, tmp_path: Path, scripted_provider: ScriptedProvider, fail: str, how: str
    ) -> None:
        scripted_provider.always(CANNED["openai.chat"])
        async with self.node(server, tmp_path, scripted_provider, fail) as node, Load(node, await node.key()) as load:
            key, answered = load.key, load.answered
            await self.is_warm(node, answered, fail)
            getattr(server, how)()
            await node.until("policy.budget", "down")
            await self.check_down(node, key, fail, answered)
            getattr(server, "resume" if how == "freeze" else "start")()
            await node.until("policy.budget", "ok")
            await next_ok(node, key, answered)
            await load.stop()
            await check(node, answered.count(200))
            assert set(answered) <= {200, 503}

    @pytest.mark.anyio
    @pytest.mark.parametrize("fail", ["closed", "open"])
    async def test_a_store_that_is_down_at_the_start(
        self, server: Any, tmp_path: Path, scripted_provider: ScriptedProvider, fail: str
    ) -> None:
        scripted_provider.always(CANNED["openai.chat"])
        async with self.node(server, tmp_path, scripted_provider, fail) as node:
            key = await node.key()
        server.kill()
        async with self.node(server, tmp_path, scripted_provider, fail) as node:
            refused = await node.ask(key)
            assert (refused.status, refused.json()["error"]["code"]) == (503, "auth_unavailable")
            server.start()
            await next_ok(node, key, answered := list[int]())
            await node.until("auth.keys", "ok")
            await check(node, answered.count(200))

    async def is_warm(self, node: Node, answered: list[int], fail: str) -> None:
        """Waits until the load runs, and until this process was given enough of the budget to go on with."""
        shares = node.plugin("policy.budget").books.shares._shares
        async with asyncio.timeout(PATIENCE):
            while answered.count(200) < AT_ONCE // 10:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            while fail == "local-share" and not any(share.room > ROOM for share in shares.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def check_down(self, node: Node, key: str, fail: str, answered: list[int]) -> None:
        """What is told while it is down. Of `closed` nothing goes through, of the others everything does: there is room enough."""
        for _ in range(10):
            answer = await node.ask(key)
            answered.append(answer.status)
            if fail == "closed":
                assert (answer.status, answer.json()["error"]["code"]) == (503, "budget_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
            else:
                assert (answer.status, answer.headers.get("x-lynkr-budget-store")) == (200, "down")
        told = await node.told("policy.budget")
        assert (told["fail"], told["store"]) == (fail, "down")


class Load:
    """Sixteen callers with one key, each asking again once it is answered. `answered`: the statuses they got."""

    def __init__(self, node: Node, key: str) -> None:
        self._node = node
        self._callers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.key = key
        self.answered: list[int] = []

    async def __aenter__(self) -> Load:
        self._callers = [asyncio.create_task(self._ask()) for _ in range(16)]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._callers)

    async def _ask(self) -> None:
        while not self._stopping:
            self.answered.append((await self._node.ask(self.key)).status)
            await asyncio.sleep(0.005)


async def next_ok(node: Node, key: str, answered: list[int]) -> None:
    """Returns once somebody is served with the store's consent."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await node.ask(key)
            answered.append(answer.status)
            if answer.status == 200 and "x-lynkr-budget-store" not in answer.headers:
                return
            await asyncio.sleep(0.05)


async def check(node: Node, served: int) -> None:
    """The store comes to have what was served, once: on the budget and in the journal; and nothing is held."""
    async with asyncio.timeout(3 * PATIENCE):
        while await standing(node) != (Balance(served * COST, 0), served):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def standing(node: Node) -> tuple[Balance, int] | None:
    """What is booked on the budget, and how many answers the journal knows of; None while the store cannot say."""
    budget, journal = node.plugin("policy.budget"), node.kernel.stores.journal()
    try:
        stands = await budget.books.ledger.balances(budget.prefix)
        counted = await journal.usage(where={"status": "ok"})
    except OSError:
        return None
    found = [balance for name, balance in stands.items() if name.endswith("/usd")]
    return found[0] if found else Balance(), sum([told.requests for told in counted])

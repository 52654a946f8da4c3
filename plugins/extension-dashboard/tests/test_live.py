"""The feed and the sums, through a whole gateway in this process."""

import asyncio
import time

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.testing.client import Client
from lynkr_core.testing.waiting import quickest, until

pytestmark = pytest.mark.anyio
CHAT, LIVE, SERIES = "/v1/chat/completions", "/v1/admin/live", "/v1/admin/series"
ADMIN = {"x-api-key": "the-admin-key"}
CONFIG = """
[provider.up]
use = "echo"
models = ["a", "b"]
[tiers]
simple = ["up/a"]
complex = ["up/b"]
[prices]
"up/a" = { input = 1.0, output = 1.0 }
[extension.dashboard]
keep = 20
[policy.breaker]
least = 1
[policy.budget]
[[policy.budget.limit]]
scope = "everyone"
usd = 100
[[policy.budget.limit]]
scope = "key:*"
requests = 50
[policy.budget.run]
usd = 1
"""
KEYS = '[server]\nadmin_key = "the-admin-key"\n[auth.keys]\n'
JOURNAL = "[sink.journal]\n"


class Gateway:
    def __init__(self, more=""):
        self.kernel = assemble(parse(CONFIG + more, {}), {})
        self.client = Client(Application(self.kernel))
        self.feed = next(plugin.instance.feed for plugin in self.kernel.plugins if plugin.id == "extension.dashboard")

    async def ask(self, text="hi", key=None, model="up/a", **more):
        headers = {"x-api-key": key} if key else {}
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return await self.client.post(CHAT, json=body, headers=headers)

    async def live(self, after="", key=None, wait=0, **more):
        query = "&".join([f"{name}={value}" for name, value in {"after": after, "wait": wait, **more}.items()])
        answer = await self.client.get(f"{LIVE}?{query}", headers={"x-api-key": key} if key else {})
        assert answer.status == 200, answer.body
        return answer.json()

    async def key(self, name):
        return (await self.client.post("/v1/admin/keys", json={"name": name, "user": name}, headers=ADMIN)).json()["key"]


@pytest.fixture
async def gateway():
    made = Gateway(JOURNAL)
    async with made.client:
        yield made


@pytest.fixture
async def guarded():
    made = Gateway(JOURNAL + KEYS)
    async with made.client:
        yield made


async def test_what_is_under_way_is_told_and_then_how_it_ended(gateway):
    before = await gateway.live()
    assert (before["anew"], before["open"]["total"], before["finished"]) == (True, 0, [])
    asking = asyncio.ensure_future(gateway.ask("[[echo: delay 60]] hi", model="simple"))
    during = await gateway.live(before["cursor"], wait=10)
    (open,) = during["open"]["rows"]
    assert (open["model_asked"], open["stage"] in ("deciding", "waiting"), during["anew"]) == ("simple", True, False)
    asking.cancel()
    await until(lambda: gateway.feed._rows)
    after = await gateway.live(during["cursor"], wait=10)
    (row,) = after["finished"]
    assert (row["id"], row["status"] in ("cancelled", "cut"), after["open"]["total"]) == (open["id"], True, 0)
    assert (await gateway.live(after["cursor"]))["finished"] == []


async def test_what_was_answered_is_told_with_its_cost(gateway):
    before = await gateway.live()
    answer = await gateway.ask(model="simple")
    (row,) = (await gateway.live(before["cursor"], wait=10))["finished"]
    assert row["id"] == answer.headers["x-lynkr-request-id"]
    assert (row["status"], row["provider"], row["model"], row["attempts"], row["fallback"]) == ("ok", "up", "a", 1, False)
    assert row["cost"] == pytest.approx(float(answer.headers["x-lynkr-cost-usd"]))
    assert (await gateway.live())["totals"][0]["requests"] == 1


async def test_a_row_is_named_as_the_journal_names_it(gateway):
    await gateway.ask()
    (row,) = (await gateway.live())["finished"]
    record = (await gateway.client.get(f"/v1/decisions/{row['id']}")).json()
    tokens = {name: record["usage"][name] for name in ("input_tokens", "output_tokens", "cache_read")}
    for name, value in row.items():
        if name not in ("attempts", "fallback", *tokens):
            assert value == record[name], name
    assert {name: row[name] for name in tokens} == tokens
    assert [attempt["at"] >= 0 for attempt in record["attempts"]] == [True]


async def test_a_fallback_a_refusal_and_a_failure_are_told(gateway):
    await gateway.ask(model="complex")  # the price of up/b is unknown, and there is a budget in dollars
    await gateway.ask(model="up/b")
    await gateway.ask("[[echo: status 503]] hi")
    told = await gateway.live()
    rows = told["finished"]
    assert [(row["status"], row["model"], row["fallback"]) for row in rows] == [
        ("ok", "a", True), ("refused", None, False), ("error", None, False),
    ]  # fmt: skip
    assert "price" in rows[1]["error"]
    assert rows[2]["error"].startswith("server 503")
    assert "the echo was told" not in str(rows), "an upstream's words may quote the caller's"
    total = {name: sum(tier[name] for tier in told["totals"]) for name in ("requests", "errors", "refused", "fallbacks")}
    assert total == {"requests": 3, "errors": 1, "refused": 1, "fallbacks": 1}


async def test_what_ended_before_the_start_is_from_the_journal():
    made = Gateway(JOURNAL)
    async with made.client:
        await made.ask()
        old = (await made.live())["finished"][0]
        made.feed._rows.clear()
        (row,) = (await made.live())["finished"]
        assert row == {**old, "saved_usd": row["saved_usd"]}


async def test_what_other_processes_have_served_is_told_by_the_journal(tmp_path):
    more = f'{JOURNAL}[server]\nworkers = 2\n[store.sqlite]\npath = "{tmp_path}/j.db"\n'
    made, other = Gateway(more), Gateway(more)
    async with made.client, other.client:
        await made.ask()
        cursor = (await made.live())["cursor"]
        await other.ask()
        await other.kernel.stores.journal().flush()
        told = await made.live(cursor)
        assert (told["anew"], len(told["finished"]), told["process"]["workers"]) == (True, 2, 2)
        assert len({row["id"] for row in told["finished"]}) == 2


async def test_everybody_sees_its_own_and_the_admin_all(guarded):
    anna, ben = await guarded.key("anna"), await guarded.key("ben")
    for key in (anna, anna, ben):
        assert (await guarded.ask(key=key)).status == 200
    all = await guarded.live(key="the-admin-key")
    assert (all["sees"], len(all["finished"]), {row["key"] for row in all["finished"]}) == ("all", 3, {"anna", "ben"})
    own = await guarded.live(key=ben)
    assert (own["sees"], [row["key"] for row in own["finished"]]) == ("own", ["ben"])
    assert [tier["requests"] for tier in own["totals"]] == [1]
    assert "anna" not in str({**own, "plugins": None})
    assert {one["subject"] for one in own["budgets"]} == {"key:ben"}
    assert {one["subject"] for one in all["budgets"]} == {"everyone", "key:anna", "key:ben"}
    assert own["cursor"].split(".")[1] == "1", "the cursor must not tell how many others there are"
    for path in (LIVE, SERIES):
        assert (await guarded.client.get(path)).status == 401
        assert (await guarded.client.get(path, headers={"x-api-key": "lk_wrong"})).status == 401
    id = next(row["id"] for row in all["finished"] if row["key"] == "anna")
    assert (await guarded.client.get(f"/v1/decisions/{id}", headers={"x-api-key": ben})).status == 404
    assert (await guarded.client.get(f"/v1/decisions/{id}", headers=ADMIN)).json()["key"] == "anna"


async def test_the_page_itself_needs_no_key(guarded):
    answer = await guarded.client.get("/dashboard")
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (await guarded.client.get("/dashboard/app.js")).status == 200
    assert (await guarded.client.get("/dashboard/../lynkr.toml")).status in (404, 401)


async def test_sums_over_time(guarded):
    anna, ben = await guarded.key("anna"), await guarded.key("ben")
    for key in (anna, anna, ben):
        await guarded.ask(key=key)
    told = (await guarded.client.get(f"{SERIES}?since=1h&by=user", headers=ADMIN)).json()
    requests = {group["group"]: sum(point["requests"] for point in group["points"]) for group in told["groups"]}
    assert requests == {"anna": 2, "ben": 1}
    assert all(len(group["points"]) == (told["until"] - told["since"]) / told["span"] for group in told["groups"])
    assert told["since"] <= time.time() - 3600 < told["since"] + told["span"]
    own = (await guarded.client.get(f"{SERIES}?since=1h&by=user", headers={"x-api-key": ben})).json()
    assert [group["group"] for group in own["groups"]] == ["ben"]
    usage = (await guarded.client.get("/v1/usage", headers=ADMIN)).json()["total"]
    assert sum(point["usd"] for group in told["groups"] for point in group["points"]) == pytest.approx(usage["usd"])


@pytest.mark.parametrize(
    "query",
    [f"{LIVE}?wait=11", f"{LIVE}?wait=x", f"{LIVE}?after=x", f"{LIVE}?limit=501", f"{LIVE}?odd=1", f"{LIVE}?wait=nan",
     f"{SERIES}?by=ask", f"{SERIES}?since=never", f"{SERIES}?since=2099-01-01", f"{SERIES}?since=900w", f"{SERIES}?x=1"],
)  # fmt: skip
async def test_a_wrong_question_is_refused(gateway, query):
    answer = await gateway.client.get(query)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_without_a_journal_there_are_no_sums_and_the_feed_goes_on():
    made = Gateway()
    async with made.client:
        await made.ask()
        told = await made.live()
        assert (told["journal"], len(told["finished"])) == (False, 1)
        assert (await made.client.get(SERIES)).json()["error"]["code"] == "no_journal"


async def test_memory_is_bounded_and_nothing_stays_open(gateway):
    for number in range(30):
        await gateway.ask(str(number))
    await gateway.client.post("/v1/route", json={"model": "up/a", "messages": [{"role": "user", "content": "dry"}]})
    await gateway.client.post(CHAT, content=b"{")
    assert len(gateway.feed._rows) == 20
    assert gateway.feed._open == {}
    told = await gateway.live(limit=5)
    assert len(told["finished"]) == 5
    cursor = told["cursor"]
    for number in range(30):
        await gateway.ask(str(number))
    told = await gateway.live(cursor, limit=10)
    assert (told["anew"], len(told["finished"]), told["missed"]) == (False, 10, 20)


async def test_only_so_many_may_wait(gateway):
    cursor = (await gateway.live())["cursor"]
    waiting = [asyncio.ensure_future(gateway.live(cursor, wait=10)) for _ in range(64)]
    await until(lambda: len(gateway.feed._waiting) == 64)
    refused = await gateway.client.get(f"{LIVE}?after={cursor}&wait=10")
    assert refused.status == 429
    await gateway.ask()
    assert all(told["open"]["total"] or told["finished"] for told in await asyncio.gather(*waiting))
    assert not gateway.feed._waiting


async def test_health_says_who_is_left_alone_and_what_plugins_say(gateway):
    await gateway.ask("[[echo: status 503]] hi")
    told = await gateway.live()
    assert told["left_alone"]["up/a"]["state"] == "open"
    plugins = {plugin["id"]: plugin for plugin in told["plugins"]}
    assert plugins["policy.breaker"]["status"]["failures"] >= 1
    assert plugins["extension.dashboard"]["off"] is False
    assert [tier["name"] for tier in told["tiers"]] == ["simple", "medium", "complex", "reasoning"]


async def test_plugins_fare_by_hook_and_only_the_operator_sees_it(guarded):
    anna = await guarded.key("anna")
    await guarded.ask(key=anna)
    told = {plugin["id"]: plugin for plugin in (await guarded.live(key="the-admin-key"))["plugins"]}
    reserve = told["policy.breaker"]["hooks"]["reserve"]
    assert {name: reserve[name] for name in ("calls", "errors", "state", "left")} == {
        "calls": 1,
        "errors": 0,
        "state": "on",
        "left": 0,
    }
    assert reserve["mean_us"] > 0
    assert all((plugin["hooks"], plugin["calls"]) == ({}, 0) for plugin in (await guarded.live(key=anna))["plugins"])


async def test_an_exchange_costs_little_while_nobody_looks(gateway):
    """Against the least there is to do for one: decoding its body."""
    from lynkr_core.testing import factories

    exchange, outcome = (
        factories.exchange({"model": "up/a", "messages": [{"role": "user", "content": "x" * 4000}]}),
        factories.outcome(),
    )

    def watched():
        for _ in range(200):
            gateway.feed.begin(exchange)
            gateway.feed.end(exchange, outcome)

    def decoded():
        for _ in range(200):
            exchange.dialect.decode_request(exchange.dialect.peek(exchange.body, exchange.path))

    assert quickest(watched) < 3 * quickest(decoded)

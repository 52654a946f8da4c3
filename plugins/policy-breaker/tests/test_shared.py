"""Gateways that tell each other: through a store in memory, a store that fails, and two whole gateways with one SQLite file."""

import asyncio
import math
import time

import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError, UpstreamError
from lynkr_core.exchange import Reject
from lynkr_core.stores import MemoryStore
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.factories import candidate, exchange
from lynkr_policy_breaker import Breaker, Config
from lynkr_policy_breaker.circuit import Rules
from lynkr_policy_breaker.shared import PREFIX, SharedBoard

pytestmark = pytest.mark.anyio
RULES = Rules(rate=0.5, least=4, window=10.0, pause=5.0)
DOWN = Script(status=500, body=b'{"error": {"message": "boom"}}')
LIMITED = Script(status=429, body=b'{"error": {"message": "slow down"}}', headers={"retry-after": "120"})
BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
PATIENCE = 30.0


class Clock:
    """Also the wall's, 1000 seconds ahead."""

    now = 100.0

    def __call__(self):
        return self.now

    def wall(self):
        return self.now + 1000


class Broken:
    """A store that fails or hangs."""

    def __init__(self, error=None):
        self.error, self.asked = error, asyncio.Event()

    async def _answer(self, *args):
        self.asked.set()
        if self.error is None:
            await asyncio.Event().wait()
        raise self.error

    get = set = delete = scan = _answer


async def until(condition):
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit
        await asyncio.sleep(0.01)


def board(values, clock):
    return SharedBoard(RULES, values, clock, every=0.01, longest=600.0, wall=clock.wall)


def pair():
    clock = Clock()
    store = MemoryStore(clock=clock)
    return clock, store, board(store, clock), board(store, clock)


def opened(one, subject="a/b", now=100.0):
    for _ in range(4):
        one.failed(subject, now, "boom", False)


async def test_an_opening_is_heard_of_and_over_in_time():
    clock, _, one, other = pair()
    opened(one)
    await one.exchange()
    await other.exchange()
    assert other.refusal("a/b", 100.0) == ("4 of 4 attempts failed, the last one: boom", pytest.approx(5.0), False)
    clock.now = 105.0
    await other.exchange()
    assert other.refusal("a/b", 105.0) is None
    assert other.admit("a/b", 105.0) == "probe"


async def test_a_cool_down_is_heard_of_with_its_end():
    _, store, one, other = pair()
    one.cool("a", 160.0, "quota: no money")
    await one.exchange()
    await other.exchange()
    await other.exchange()
    assert other.refusal("a", 100.0) == ("quota: no money", pytest.approx(60.0), True)
    assert (other.cooled, list(await store.scan(PREFIX))) == (1, [PREFIX + "a"])


async def test_an_answered_probe_is_heard_of_too():
    clock, store, one, other = pair()
    opened(one)
    await one.exchange()
    await other.exchange()
    clock.now = 102.0
    one.succeeded("a/b", 102.0, True)
    await one.exchange()
    assert await store.scan(PREFIX) == {}
    await other.exchange()
    assert other.refusal("a/b", 102.0) is None
    assert other.admit("a/b", 102.0) == "yes"


async def test_nobody_is_believed_for_ever_and_garbage_not_at_all():
    _, store, _, other = pair()
    far = {"by": "x", "until": 1e9, "reason": "r", "limit": True}
    for key, value in {"far": msgspec.json.encode(far), "garbage": b"\xff{", "old": b'{"until": 1}', "": b"5"}.items():
        await store.set(PREFIX + key, value, math.inf)
    await other.exchange()
    assert {subject: told["seconds"] for subject, told in other.left_alone(100.0).items()} == {"far": 600.0}


@pytest.mark.parametrize("error", [None, OSError("gone"), RuntimeError("the store is not open")])
async def test_a_dead_store_changes_nothing_but_a_line_of_the_log(monkeypatch, caplog, error):
    monkeypatch.setattr("lynkr_policy_breaker.shared.STORE_SECONDS", 0.05)
    store = Broken(error)
    shared = SharedBoard(RULES, store, time.monotonic, every=0.01, longest=600.0)
    async with Breaker(Config(probe_every=0), board=shared) as breaker:
        one = candidate("up1/m")
        breaker.attempt_failed(exchange(BODY), one, UpstreamError("rate_limited", "slow down", retry_after=30))
        assert isinstance(breaker.reserve(exchange(BODY), one), Reject)
        await until(lambda: not shared.reachable and store.asked.is_set())
        assert isinstance(breaker.reserve(exchange(BODY), one), Reject)
        assert breaker.status()["store"] == "cannot be asked"
        shared._values = memory = MemoryStore()
        await until(lambda: shared.reachable)
        assert list(await memory.scan(PREFIX)) == [PREFIX + "up1/m"]
    assert [record.levelname for record in caplog.records if "store" in record.message] == ["WARNING"]


def gateway(url, path):
    text = f"""
[store.sqlite]
path = "{path}"
[provider.up1]
use = "openai-compatible"
base_url = "{url}"
[provider.up2]
use = "openai-compatible"
base_url = "{url}"
[tiers]
simple = ["up1/m", "up2/m"]
[routing]
retries = 0
[server]
list_models = false
[policy.breaker]
probe_every = 0
store = "sqlite"
share_every = 0.05
"""
    kernel = assemble(parse(text, {}), {})
    breaker = next(plugin.instance for plugin in kernel.plugins if plugin.id == "policy.breaker")
    return breaker, Client(Application(kernel))


@pytest.mark.parametrize(("script", "failures"), [(DOWN, 5), (LIMITED, 1)])
async def test_two_gateways_with_one_file(scripted_provider, tmp_path, script, failures):
    scripted_provider.then(*[script, CANNED["openai.chat"]] * failures)
    one, first = gateway(scripted_provider.url, tmp_path / "shared.db")
    other, second = gateway(scripted_provider.url, tmp_path / "shared.db")
    async with first, second:
        for _ in range(failures):
            assert (await first.post("/v1/chat/completions", json=BODY)).headers["x-lynkr-attempts"] == "2"
        await until(lambda: other.status()["left_alone"])
        answer = await second.post("/v1/chat/completions", json=BODY)
        assert (answer.headers["x-lynkr-provider"], answer.headers["x-lynkr-attempts"]) == ("up2", "1")
        assert one.status()["left_alone"].keys() == other.status()["left_alone"].keys() == {"up1/m"}
        assert (await second.get("/health/ready")).json()["plugins"]["policy.breaker"]["store"] == "ok"


async def test_a_store_that_is_not_enabled_is_told_at_the_start():
    with pytest.raises(ConfigError, match=r"\[policy.breaker\]: \$.store: there is no \[store.nix\] that keeps values"):
        assemble(parse('[provider.echo]\n[policy.breaker]\nstore = "nix"\n', {}), {})

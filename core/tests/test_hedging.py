"""A second candidate for a slow first one: opt-in, the loser ended, both settled, and never too many."""

import asyncio
import time

import pytest

from lynkr_core.cards import Price
from lynkr_core.exchange import Reservation
from lynkr_core.hedging import Hedges
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.factories import candidate
from lynkr_core.testing.waiting import SOON, until

pytestmark = pytest.mark.anyio
SLOW = Script(delay=60)
DOWN = Script(status=500, body=b'{"error": {"message": "boom"}}')
CONFIG = "[routing]\nhedge_after = 0.1\nhedge_share = 1.0\nretries = 0"
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


class Policy:
    def __init__(self):
        self.settled, self.failed = [], []

    def reserve(self, exchange, candidate):
        return Reservation(data=candidate.id)

    def attempt_failed(self, exchange, candidate, error):
        self.failed.append((candidate.id, error.kind))

    def settle(self, reservation, outcome):
        self.settled.append((reservation.data, outcome.status))


@streams
async def test_the_second_answers_and_the_first_is_ended(gateway, scripted_provider, stream):
    scripted_provider.then(SLOW)
    policy = Policy()
    made = await gateway(scripted_provider.url, scripted_provider.url, config=CONFIG, plugins=(("policy", policy),))
    began = time.monotonic()
    answer = await made.ask(model="chain", stream=stream)
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "up2")
    assert time.monotonic() - began < SOON
    await asyncio.wait_for(scripted_provider.requests[0].gone.wait(), SOON)
    assert sorted(policy.settled) == [("up1/m", "cancelled"), ("up2/m", "ok")]
    assert policy.failed == []


@streams
async def test_the_first_answers_after_all(gateway, scripted_provider, stream):
    scripted_provider.then(CANNED["anthropic.messages"].but(delay=1.5), SLOW)
    policy = Policy()
    made = await gateway(scripted_provider.url, scripted_provider.url, config=CONFIG, plugins=(("policy", policy),))
    answer = await made.ask(model="chain", stream=stream)
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "up1")
    assert sorted(policy.settled) == [("up1/m", "ok"), ("up2/m", "cancelled")]


async def test_a_fast_answer_asks_nobody_else(gateway, scripted_provider):
    patient = CONFIG.replace("0.1", "30")
    made = await gateway(scripted_provider.url, scripted_provider.url, config=patient)
    assert (await made.ask(model="chain")).status == 200
    assert len(scripted_provider.requests) == 1


async def test_when_one_fails_the_other_is_waited_for(gateway, scripted_provider):
    scripted_provider.then(CANNED["anthropic.messages"].but(delay=1.5), DOWN)
    policy = Policy()
    made = await gateway(scripted_provider.url, scripted_provider.url, config=CONFIG, plugins=(("policy", policy),))
    answer = await made.ask(model="chain")
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "up1")
    assert policy.failed == [("up2/m", "server")]
    assert sorted(policy.settled) == [("up1/m", "ok"), ("up2/m", "error")]


async def test_when_both_fail_the_third_is_asked(gateway, scripted_provider):
    scripted_provider.then(DOWN.but(delay=1.5), DOWN)
    policy = Policy()
    urls = [scripted_provider.url] * 3
    made = await gateway(*urls, config=CONFIG, plugins=(("policy", policy),))
    answer = await made.ask(model="chain")
    assert (answer.status, answer.headers["x-lynkr-provider"], answer.headers["x-lynkr-attempts"]) == (200, "up3", "3")
    assert sorted(policy.failed) == [("up1/m", "server"), ("up2/m", "server")]
    assert len(policy.settled) == 3


@streams
async def test_a_caller_that_leaves_ends_both(gateway, scripted_provider, stream):
    scripted_provider.always(SLOW)
    policy = Policy()
    made = await gateway(scripted_provider.url, scripted_provider.url, config=CONFIG, plugins=(("policy", policy),))
    task = asyncio.ensure_future(made.ask(model="chain", stream=stream))
    await scripted_provider.arrived(2)
    task.cancel()
    left = time.monotonic()
    for received in scripted_provider.requests:
        await asyncio.wait_for(received.gone.wait(), SOON)
        assert received.gone_at - left < SOON
    await until(lambda: len(policy.settled) == 2)
    assert sorted(policy.settled) == [("up1/m", "cancelled"), ("up2/m", "cancelled")]


async def test_losses_are_those_of_the_winner(gateway, scripted_provider):
    scripted_provider.then(SLOW)
    made = await gateway(scripted_provider.url, scripted_provider.url, config=CONFIG)
    second = made.kernel.catalog.resolve("chain").candidates[0]
    second.provider.dialects = ("openai.chat",)  # the loser would have lost `top_k`
    answer = await made.ask(model="chain", top_k=5)
    assert (answer.status, answer.headers.get("x-lynkr-losses")) == (200, None)


def test_at_most_a_share_has_a_second():
    hedges, one = Hedges(0.1, 0.1), candidate("a/b")
    taken = sum(hedges.after(one) == 0.1 and hedges.take(one, one) for _ in range(200))
    assert taken == 20


@pytest.mark.parametrize(("first", "second", "taken"), [(1, 4, 5), (4, 1, 20), (0, 4, 20), (None, 4, 20), (1, None, 20)])
def test_the_share_is_of_what_is_spent_too(first, second, taken):
    one, other = (
        candidate(f"a/{price}", price=None if price is None else Price(input=price, output=price)) for price in (first, second)
    )
    hedges = Hedges(0.1, 0.1)
    assert sum(hedges.after(one) == 0.1 and hedges.take(one, other) for _ in range(200)) == taken
    assert hedges.extra == taken


def test_the_percentile_is_of_what_was_seen():
    hedges, one = Hedges("p95", 1.0), candidate("a/b")
    assert hedges.after(one) is None
    for n in range(100):
        hedges.note(one, n / 100)
    assert hedges.after(one) == 0.95

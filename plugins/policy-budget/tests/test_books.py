"""Nothing is overspent and nothing stays held, whatever happens between reserving and settling."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from lynkr_core.cards import Price
from lynkr_core.errors import UpstreamError
from lynkr_core.exchange import Attempt, Outcome, Reject, Reservation, Selection
from lynkr_core.pricing import cost, nano_dollars
from lynkr_core.request import Usage
from lynkr_core.stores import Balance, MemoryStore, Stores, guarded
from lynkr_core.testing import factories
from lynkr_policy_budget import Budget, plugin


@pytest.fixture(autouse=True)
def retry_at_once(monkeypatch):
    monkeypatch.setattr(guarded, "RETRY_SECONDS", 0.0)


CLOUD = factories.candidate("cloud/large", price=Price(input=3, output=15))
BODY = {"model": "cloud/large", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100}
EVERYONE = {"limit": [{"scope": "everyone", "per": "total", "usd": 0.01, "tokens": 2500}]}


class FarStore(MemoryStore):
    """Has to be waited for, and fails as often as it is told."""

    def __init__(self):
        super().__init__()
        self.failures = 0
        self.delay = 0.0

    async def _wait(self):
        if self.failures:
            self.failures -= 1
            raise OSError("the test's store is down")
        await asyncio.sleep(self.delay)

    async def hold(self, *args):
        await self._wait()
        full = await super().hold(*args)
        await asyncio.sleep(self.delay)
        return full

    async def book(self, *args):
        await self._wait()
        return await super().book(*args)

    async def renew(self, *args):
        await self._wait()
        return await super().renew(*args)


def budget(table=EVERYONE):
    return factories.build(plugin, table, factories.context("budget", "policy"))


def far(table=EVERYONE, store=None):
    """As a store that is not in this process has it."""
    store = store or FarStore()
    config = factories.configure(plugin, table)
    return Budget(config, factories.context("budget", "policy", stores=Stores(store)), here=False), store


def exchange(**headers):
    made = factories.exchange(BODY, headers={k.replace("_", "-"): v for k, v in headers.items()}, served=[CLOUD])
    made.selection = Selection(order=(CLOUD,))
    made.attempts.append(Attempt(CLOUD))
    return made


def answered(tokens, status="ok"):
    usage = None if tokens is None else Usage(input_tokens=tokens, output_tokens=tokens)
    return Outcome(status=status, http_status=200, candidate=CLOUD, usage=usage, cost=cost(usage, CLOUD.price))


def balances(policy):
    return policy.books.ledger.counters.balances(policy.prefix)


steps = some.lists(
    some.tuples(
        some.integers(0, 9),
        some.sampled_from(["ok", "error", "cut", "cancelled", "refused"]),
        some.none() | some.integers(0, 100),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_any_interleaving_spends_what_was_used_and_never_more_than_there_is(taken):
    """Each step begins an attempt, or ends one of those under way as it is told."""
    policy, under_way, spent = budget(), [], 0
    for which, status, tokens in taken:
        answer = policy.reserve(exchange(), CLOUD)
        under_way += [answer] if isinstance(answer, Reservation) else []
        assert isinstance(answer, Reservation | Reject)
        assert all(b.used + b.held <= rule.limit for rule, b in zip(policy.rules[::-1], balances(policy).values(), strict=False))
        if under_way and which < 7:
            over = under_way.pop(which % len(under_way))
            policy.settle(over, answered(tokens, status))
            spent += taken_by(over, status, tokens)
    for over in under_way:
        policy.settle(over, answered(None, "error"))
    found = {name.rpartition("/")[2]: balance for name, balance in balances(policy).items()}
    assert found.get("usd", Balance()) == Balance(spent, 0)
    assert spent <= policy.rules[0].limit
    assert policy.books.live == {}


def taken_by(reservation, status, tokens):
    if status == "refused":
        return 0
    if tokens is not None:
        return nano_dollars(cost(answered(tokens).usage, CLOUD.price))
    return reservation.data.amounts.usd if status in ("ok", "cut") else 0


@pytest.mark.anyio
async def test_who_is_cancelled_while_it_is_held_holds_nothing():
    policy, store = far()
    store.delay = 0.8
    for moment in (0.0, 0.4, 1.2):
        asking = asyncio.ensure_future(policy.reserve(exchange(), CLOUD))
        await asyncio.sleep(moment)
        asking.cancel()
        await asyncio.wait([asking])
    store.delay = 0.0
    policy.settle(await policy.reserve(exchange(), CLOUD), answered(10))
    await policy.books.close()
    assert {(b.used, b.held) for b in balances(policy).values()} == {(180_000, 0), (20, 0)}


@pytest.mark.anyio
async def test_what_cannot_be_booked_is_booked_later_and_once():
    policy, store = far()
    reservation = await policy.reserve(exchange(), CLOUD)
    store.failures = 2
    policy.settle(reservation, answered(100))
    for _ in range(3):
        await policy.books.shares.flush()
    await policy.books.close()
    assert {(b.used, b.held) for b in balances(policy).values()} == {(1_800_000, 0), (200, 0)}


@pytest.mark.anyio
@pytest.mark.parametrize("fail", ["closed", "local-share"])
async def test_while_the_store_fails_nothing_is_let_through_that_it_did_not_give(fail):
    policy, store = far(EVERYONE | {"fail": fail})
    store.failures = 2
    refused = await policy.reserve(exchange(), CLOUD)
    assert (refused.error.status, refused.error.code) == (503, "budget_unavailable")
    assert policy.status()["store"] == "down"
    store.failures = 0
    assert isinstance(await policy.reserve(exchange(), CLOUD), Reservation)
    assert policy.status()["store"] == "ok"
    await policy.books.close()


@pytest.mark.anyio
async def test_an_open_budget_lets_through_says_so_and_books_it_later():
    policy, store = far(EVERYONE | {"fail": "open"})
    store.failures = 10_000
    asked = exchange()
    reservation = await policy.reserve(asked, CLOUD)
    assert asked.selection.notes["budget-store"] == "down"
    assert policy.status() | {"store": "down", "fail": "open", "let_through": 1} == policy.status()
    policy.settle(reservation, answered(10))
    store.failures = 0
    await policy.books.close()
    assert {(b.used, b.held) for b in balances(policy).values()} == {(180_000, 0), (20, 0)}


@pytest.mark.anyio
async def test_processes_that_share_a_store_overspend_by_nothing_together():
    store = FarStore()
    policies = [far(store=store)[0] for _ in range(4)]
    answers = await asyncio.gather(*[asked(policies[n % 4]) for n in range(400)])
    for policy in policies:
        await policy.books.close()
    stands = {name.rpartition("/")[2]: b for name, b in balances(policies[0]).items()}
    assert stands == {"usd": Balance(900_000 * sum(answers), 0), "tokens": Balance(100 * sum(answers), 0)}
    assert 0 < 900_000 * sum(answers) <= 10_000_000
    assert 100 * sum(answers) <= 2500


async def asked(policy):
    """Whether it was let in; it takes a moment then."""
    answer = await policy.reserve(exchange(), CLOUD)
    if isinstance(answer, Reservation):
        await asyncio.sleep(0.01)
        policy.settle(answer, answered(50))
    return isinstance(answer, Reservation)


@pytest.mark.anyio
async def test_leases_of_long_attempts_are_extended():
    policy = budget()
    clock = [1000.0]
    policy.clock = policy.books.now._clock = lambda: clock[0]
    reservation = policy.reserve(exchange(), CLOUD)
    for _ in range(20):
        clock[0] += 100
        await policy.books.look(clock[0])
    assert all(balance.held for balance in balances(policy).values())
    clock[0] += 1000  # nobody has looked: the process is gone, and may have paid for all of it
    worst = reservation.data.amounts
    assert {(b.used, b.held) for b in balances(policy).values()} == {(worst.usd, 0), (worst.tokens, 0)}
    policy.settle(reservation, answered(10))
    assert {b.used for b in balances(policy).values()} == {180_000, 20}


@pytest.mark.anyio
async def test_a_warning_is_said_by_one_of_those_who_share_a_store():
    store, said = FarStore(), []
    for _ in range(3):
        context = factories.context("budget", "policy", stores=Stores(store))
        policy = Budget(budget({"limit": [{"requests": 1}]}).config, context, here=False)
        policy.gauges._say = lambda gauge, level: said.append(level)
        answer = await policy.reserve(exchange(), CLOUD)
        if isinstance(answer, Reservation):
            policy.settle(answer, answered(1))
            await policy.books.close()
        await policy.gauges.look()
    assert sorted(said) == ["exceeded", "warned"]


def test_one_that_timed_out_once_it_was_sent_costs_what_was_set_aside():
    policy, made = budget(), exchange()
    reservation = policy.reserve(made, CLOUD)
    made.attempts[0].error, made.attempts[0].upstream = UpstreamError("timeout", "the test's"), object()
    policy.settle(reservation, answered(None, "error"))
    assert [b.used for b in balances(policy).values()] == [reservation.data.amounts.tokens, reservation.data.amounts.usd]

"""Rates by an injected clock, and through a whole gateway."""

import asyncio

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.exchange import Attempt, Reject, Reservation, Selection
from lynkr_core.request import Usage
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.client import Client
from lynkr_policy_ratelimit import RateLimit, plugin
from lynkr_policy_ratelimit.learned import Lane, span

CLOUD, SPARE = factories.candidate("cloud/m"), factories.candidate("spare/m")
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100}
CHAT = "/v1/chat/completions"
NOW = 4_000_000_000.0


def limited(waiting=False, **limit):
    clock = [NOW]
    stores = Stores(MemoryStore())
    stores.memory.counters._clock = lambda: clock[0]
    context = factories.context("ratelimit", "policy", stores=stores)
    policy = factories.build(plugin, {"limit": [limit] if limit else []}, context)
    if waiting:
        policy = RateLimit(policy.config, context, here=False)
    policy.clock = lambda: clock[0]
    return policy, clock


def exchange(served=(CLOUD,), **body):
    made = factories.exchange({**BODY, **body}, served=served)
    made.selection = Selection(order=tuple(served))
    return made


def ask(policy, made=None, candidate=CLOUD):
    made = made or exchange()
    made.attempts.append(Attempt(candidate))
    return policy.reserve(made, candidate)


def wait_of(answer):
    assert isinstance(answer, Reject)
    return answer.error.retry_after


def test_requests_refill_evenly_and_the_wait_is_exact():
    policy, clock = limited(requests=60, burst=2)
    assert isinstance(ask(policy), Reservation)
    assert isinstance(ask(policy), Reservation)
    refused = ask(policy)
    assert "everyone has reached its limit of 2 requests per minute; try again in 1.000 s" in refused.error.message
    assert wait_of(refused) == 1.0
    clock[0] += 0.5
    assert wait_of(ask(policy)) == 1.0  # half a second, in whole ones
    clock[0] += 0.5
    assert isinstance(ask(policy), Reservation)
    assert isinstance(ask(policy), Reject)


def test_tokens_are_weighed_and_put_right():
    policy, clock = limited(tokens=1000)
    held = ask(policy, exchange(max_tokens=900))
    assert isinstance(ask(policy), Reject)
    policy.settle(held, factories.outcome(chosen=CLOUD, usage=Usage(input_tokens=50, output_tokens=50)))
    again = ask(policy, exchange(max_tokens=800))
    assert isinstance(again, Reservation)
    policy.settle(again, factories.outcome(chosen=CLOUD, usage=Usage(input_tokens=1000, output_tokens=1000)))
    assert wait_of(ask(policy)) > 60  # more was used than was there
    clock[0] += 180
    assert isinstance(ask(policy), Reservation)


def test_failures_give_their_tokens_back():
    policy, _ = limited(tokens=1000)
    for _ in range(20):
        policy.settle(ask(policy, exchange(max_tokens=900)), factories.outcome("error", chosen=CLOUD))


def test_counting_takes_none_and_waits_for_no_provider():
    policy, _ = limited(tokens=1000)
    policy.lanes[CLOUD] = lane = Lane()
    lane._learn("requests", b"0", b"10", b"30s", NOW)
    assert isinstance(ask(policy), Reject)
    for _ in range(3):
        counted = factories.exchange(
            {**BODY, "messages": [{"role": "user", "content": "word " * 700}]}, dialect="anthropic.count_tokens"
        )
        assert isinstance(ask(policy, counted), Reservation)
    policy.lanes.clear()
    assert isinstance(ask(policy, exchange(max_tokens=900)), Reservation)


def test_one_that_is_larger_than_the_limit_gets_in_when_all_is_there():
    policy, _ = limited(tokens=1000)
    assert isinstance(ask(policy, exchange(max_tokens=50_000)), Reservation)
    assert isinstance(ask(policy, exchange(max_tokens=1)), Reject)


def test_so_many_at_once():
    policy, _ = limited(concurrent=2, requests=1000)
    first, second = ask(policy), ask(policy)
    assert "2 concurrent requests" in ask(policy).error.message
    policy.settle(first, factories.outcome("cancelled", chosen=CLOUD))
    assert isinstance(ask(policy), Reservation)
    assert policy.status()["concurrent"] == 2
    assert isinstance(second, Reservation)


@pytest.mark.anyio
async def test_places_are_kept_while_an_attempt_goes_on_and_free_after_its_process():
    policy, clock = limited(concurrent=1)
    ask(policy)
    for _ in range(10):
        clock[0] += 60
        await policy.extend()
    assert isinstance(ask(policy), Reject)
    clock[0] += 121
    assert isinstance(ask(policy), Reservation)


def test_attempts_count_once_for_callers_and_each_for_models():
    caller, _ = limited(scope="everyone", requests=1)
    made = exchange()
    assert [type(ask(caller, made)) for _ in range(3)] == [Reservation] * 3
    assert isinstance(ask(caller), Reject)
    model, _ = limited(scope="model:*", requests=1)
    made = exchange()
    assert [type(ask(model, made)) for _ in range(2)] == [Reservation, Reject]


def test_a_refused_exchange_is_not_counted():
    policy, clock = limited(requests=60, burst=1)
    ask(policy)
    made = exchange()
    assert isinstance(ask(policy, made), Reject)
    clock[0] += 1
    assert isinstance(ask(policy, made), Reservation)
    assert isinstance(ask(policy), Reject)


@pytest.mark.anyio
async def test_a_far_store_is_asked_the_same():
    policy, _ = limited(waiting=True, concurrent=1, requests=2, per="day")
    first = await ask(policy)
    assert "1 concurrent requests" in (await ask(policy)).error.message
    policy.settle(first, factories.outcome(chosen=CLOUD, usage=Usage()))
    second = await ask(policy)
    policy.settle(second, factories.outcome(chosen=CLOUD, usage=Usage()))
    for _ in range(3):
        assert "2 requests per day" in (await ask(policy)).error.message
    await policy.shares.__aexit__(None, None, None)
    assert [balance.held for balance in policy.ledger.counters.balances(policy.prefix).values()] == [0]


class Answered:
    """An upstream's answer, of which only the headers count."""

    def __init__(self, **headers):
        self.headers = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}


# hand-made from OpenAI's and Anthropic's guides on rate limits
NOTHING_LEFT = Answered(x_ratelimit_limit_requests="60", x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="1m0s")
HALF_LEFT = Answered(x_ratelimit_limit_requests="60", x_ratelimit_remaining_requests="30", x_ratelimit_reset_requests="30s")
FEW_TOKENS = Answered(
    anthropic_ratelimit_tokens_limit="10000",
    anthropic_ratelimit_tokens_remaining="0",
    anthropic_ratelimit_tokens_reset="2096-10-02T07:07:40Z",
)


def hears(policy, candidate, upstream):
    made = exchange()
    held = ask(policy, made, candidate)
    made.attempts[-1].upstream = upstream
    return held


def test_a_provider_with_nothing_left_is_passed_over_until_it_has():
    policy, clock = limited()
    hears(policy, CLOUD, NOTHING_LEFT)
    assert "cloud has nothing left for m for another 1.000 s" in ask(policy).error.message
    assert isinstance(ask(policy, candidate=SPARE), Reservation)
    clock[0] += 1.001  # one of sixty is there again
    assert [type(ask(policy)) for _ in range(2)] == [Reservation, Reject]
    clock[0] += 5
    assert [type(ask(policy)) for _ in range(6)] == [Reservation] * 5 + [Reject]


def test_tokens_that_are_left_are_weighed_too():
    policy, clock = limited()
    held = hears(policy, CLOUD, FEW_TOKENS)
    policy.settle(held, factories.outcome(chosen=CLOUD))
    assert isinstance(ask(policy), Reject)
    clock[0] += 3600
    assert isinstance(ask(policy), Reservation)


def test_one_model_behind_two_keys_is_asked_where_more_is_left():
    policy, _ = limited()
    hears(policy, CLOUD, HALF_LEFT)
    chosen = policy.select_provider(exchange(), (CLOUD, SPARE))
    assert (chosen.order, chosen.reason) == ((SPARE, CLOUD), "spare has most left")
    other = factories.candidate("cloud/other")
    assert policy.select_provider(exchange(), (CLOUD, other)) is None
    assert policy.select_provider(exchange(), (CLOUD, other, SPARE)).order == (SPARE, other, CLOUD)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("12", 12), ("4000000007", 7), ("2096-10-02T07:07:40Z", 60)],
)
def test_resets(text, seconds):
    assert span(text, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "1x", "-3s", "nan", "1s later"])
def test_what_is_no_reset(text):
    assert span(text, NOW) is None


def test_garbage_in_headers_is_not_learnt():
    lane = Lane()
    made = Attempt(CLOUD)
    made.upstream = Answered(
        x_ratelimit_remaining_requests="many", x_ratelimit_reset_requests="soon", x_ratelimit_remaining_tokens="5"
    )
    assert lane.hear(made, NOW)
    assert lane.rooms == {}


GATEWAY = """
[provider.one]
use = "openai-compatible"
base_url = "{url}"
[provider.two]
use = "openai-compatible"
base_url = "{url}"
[models]
both = ["one/m", "two/m"]
[policy.ratelimit]
{limits}
"""


def gateway(provider, limits=""):
    kernel = assemble(parse(GATEWAY.format(url=provider.url, limits=limits), {}), {})
    return Client(Application(kernel))


@pytest.mark.anyio
@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
async def test_callers_are_told_when_to_come_back(scripted_provider, path):
    limits = '[[policy.ratelimit.limit]]\nper = "hour"\nrequests = 2\n'
    async with gateway(scripted_provider, limits) as client:
        answers = [await client.post(path, json={**BODY, "model": "both"}) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert 1700 <= int(answers[2].headers["retry-after"]) <= 1800
    assert len(scripted_provider.requests) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("soon", ["one", "two"])
async def test_the_wait_is_for_whichever_model_has_room_first(scripted_provider, soon):
    limits = "".join(
        f'[[policy.ratelimit.limit]]\nscope = "provider:{name}"\nper = "{"minute" if name == soon else "day"}"\nrequests = 1\n'
        for name in ("one", "two")
    )
    async with gateway(scripted_provider, limits) as client:
        answers = [await client.post(CHAT, json={**BODY, "model": "both"}) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert 50 < int(answers[2].headers["retry-after"]) <= 60


@pytest.mark.anyio
async def test_a_thousand_at_once_are_as_many_as_may_be(scripted_provider):
    limits = '[[policy.ratelimit.limit]]\nper = "day"\nrequests = 50\nconcurrent = 60\n'
    async with gateway(scripted_provider, limits) as client:
        answers = await asyncio.gather(*[client.post(CHAT, json={**BODY, "model": "both"}) for _ in range(1000)])
    assert [answer.status for answer in answers].count(200) == 50
    assert len(scripted_provider.requests) == 50


@pytest.mark.anyio
async def test_the_other_key_serves_when_the_first_has_nothing_left(scripted_provider):
    headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "60m0s"}
    scripted_provider.then(CANNED["openai.chat"].but(headers=headers))
    async with gateway(scripted_provider) as client:
        answers = [await client.post(CHAT, json={**BODY, "model": "both"}) for _ in range(3)]
    assert [answer.headers["x-lynkr-provider"] for answer in answers] == ["one", "two", "two"]


@pytest.mark.anyio
async def test_what_a_caller_pays_itself_takes_nothing_of_the_operators_credentials(scripted_provider):
    limits = '[policy.ratelimit]\n[[policy.ratelimit.limit]]\nscope = "model:*"\nrequests = 1\n'
    cloud = f'use = "openai-compatible"\nbase_url = "{scripted_provider.url}"\nmodels = ["m"]\ncaller_keys = ["sk-own-"]\n'
    kernel = assemble(parse(f"[routing]\nretries = 0\n[provider.cloud]\n{cloud}{limits}", {}), {})
    policy = next(plugin.instance for plugin in kernel.plugins if plugin.id == "policy.ratelimit")
    body, own = {**BODY, "model": "cloud/m"}, {"authorization": "Bearer sk-own-1"}
    async with Client(Application(kernel)) as client:
        scripted_provider.always(
            CANNED["openai.chat"].but(headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "90s"})
        )
        assert [(await client.post(CHAT, json=body, headers=own)).status for _ in range(3)] == [200] * 3
        assert policy.lanes == {}
        assert [(await client.post(CHAT, json=body)).status for _ in range(2)] == [200, 429]


def test_among_several_providers_alone_there_is_somebody_to_be_chosen():
    one, two = {"cloud": CLOUD.provider}, {"cloud": CLOUD.provider, "spare": SPARE.provider}
    made = [factories.build(plugin, {}, factories.context("ratelimit", "policy", providers=given)) for given in (one, two)]
    assert [hasattr(policy, "select_provider") for policy in made] == [False, True]

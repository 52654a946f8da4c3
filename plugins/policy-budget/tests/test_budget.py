"""Budgets through a whole gateway."""

import asyncio
from datetime import UTC, datetime

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.client import Client
from lynkr_policy_budget.balances import Standing

pytestmark = pytest.mark.anyio
BODY = {"model": "cloud/large", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100}
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
NOON = datetime(2099, 11, 21, 12, tzinfo=UTC).timestamp()
COST = 12 * 3_000 + 7 * 15_000
"""Nano-dollars that a canned answer costs."""
GATEWAY = """
[provider.cloud]
use = "openai-compatible"
base_url = "{url}"
models = ["large", "small", "odd"]
[tiers]
simple = ["cloud/small"]
complex = ["cloud/large"]
[prices]
"cloud/large" = {{ input = 3.0, output = 15.0 }}
"cloud/small" = {{ input = 0.1, output = 0.4 }}
[policy.budget]
{budget}
"""


def gateway(provider, budget, more="", transport=None):
    kernel = assemble(parse(GATEWAY.format(url=provider.url, budget=budget) + more, {}), {}, transport=transport)
    policy = next(plugin.instance for plugin in kernel.plugins if plugin.id == "policy.budget")
    policy.clock = lambda: NOON
    return policy, Client(Application(kernel))


def limit(**settings):
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in settings.items()]
    return "[[policy.budget.limit]]\n" + "\n".join(lines) + "\n"


async def balance(policy):
    """Used and held over all counters that are no warnings."""
    found = await policy.books.ledger.balances(policy.prefix)
    return {name.rpartition("/")[2]: (b.used, b.held) for name, b in found.items()}


async def until(condition, patience=30.0):
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_it_cost_is_booked_and_nothing_stays_held(scripted_provider):
    policy, client = gateway(scripted_provider, limit(usd=1, tokens=100_000, requests=10))
    async with client:
        assert (await client.post(CHAT, json=BODY)).status == 200
        async with client.stream(CHAT, json={**BODY, "stream": True}) as streamed:
            assert (await balance(policy))["usd"][1] > COST
            await streamed.read()
        assert await balance(policy) == {"usd": (2 * COST, 0), "tokens": (38, 0), "requests": (2, 0)}
    assert policy.status()["held"] == 0


@pytest.mark.parametrize(("path", "size"), [(CHAT, "max_tokens"), (MESSAGES, "max_tokens"), (RESPONSES, "max_output_tokens")])
async def test_at_the_limit_each_dialect_is_told_which_and_when(scripted_provider, path, size):
    _, client = gateway(scripted_provider, limit(scope="everyone", usd=0.001))
    body = {"model": "cloud/large", size: 100} | ({"input": "Hello"} if path == RESPONSES else {"messages": BODY["messages"]})
    async with client:
        answer = await client.post(path, json=body)
    told = answer.json()["error"]
    assert (answer.status, answer.headers["retry-after"], answer.headers["x-should-retry"]) == (429, "43200", "false")
    assert told.get("code", "budget_exceeded") == "budget_exceeded"
    assert "the budget of everyone, $0.001 per day, has $0.00 used" in told["message"]
    assert "2099-11-22T00:00:00Z" in told["message"]
    assert (answer.headers["x-lynkr-budget-limit"], answer.headers["x-lynkr-budget-scope"]) == ("$0.001", "everyone per day")
    assert scripted_provider.requests == []


async def test_a_partly_left_budget_refuses_and_shrinks_nothing(scripted_provider):
    _, client = gateway(scripted_provider, limit(tokens=400))
    async with client:
        assert (await client.post(CHAT, json=BODY)).status == 200
        assert (await client.post(CHAT, json={**BODY, "max_tokens": 380})).status == 429
        assert (await client.post(CHAT, json=BODY)).status == 200
    assert [request.json()["max_tokens"] for request in scripted_provider.requests] == [100, 100]


async def test_all_limits_or_none(scripted_provider):
    policy, client = gateway(scripted_provider, limit(usd=1) + limit(scope="model:cloud/*", per="month", requests=1))
    async with client:
        assert [(await client.post(CHAT, json=BODY)).status for _ in range(3)] == [200, 429, 429]
    assert await balance(policy) == {"usd": (COST, 0), "requests": (1, 0)}


async def test_the_lower_of_two_limits_on_one_counter_holds(scripted_provider):
    _, client = gateway(scripted_provider, limit(scope="provider:*", requests=5) + limit(scope="provider:cloud", requests=1))
    async with client:
        assert [(await client.post(CHAT, json=BODY)).status for _ in range(2)] == [200, 429]


async def test_a_thousand_at_once_overspend_by_nothing(scripted_provider):
    """Room for eleven: eight are let in at once, since each sets more aside than it costs."""
    policy, client = gateway(scripted_provider, limit(usd=0.0141 * 1.0))
    scripted_provider.always(CANNED["openai.chat"].but(delay=0.05))
    highest = 0

    async def ask():
        answer = await client.post(CHAT, json=BODY)
        nonlocal highest
        used, held = (await balance(policy))["usd"]
        highest = max(highest, used + held)
        return answer.status

    async with client:
        statuses = await asyncio.gather(*[ask() for _ in range(1000)])
        spent, held = (await balance(policy))["usd"]
    assert set(statuses) == {200, 429}
    assert (spent, held) == (statuses.count(200) * COST, 0)
    assert highest <= policy.rules[0].limit
    assert len(scripted_provider.requests) == statuses.count(200)


async def test_a_budget_is_used_to_its_last_request(scripted_provider):
    """With one at a time all is spent that a worst case fits into: what is left is less than that."""
    policy, client = gateway(scripted_provider, limit(usd=0.005))
    async with client:
        while (await client.post(CHAT, json=BODY)).status == 200:
            pass
    spent, held = (await balance(policy))["usd"]
    assert held == 0
    assert 0 <= 5_000_000 - spent < 2_500_000


async def test_failures_give_back_and_fallbacks_pay_for_themselves(scripted_provider):
    policy, client = gateway(scripted_provider, limit(usd=1, requests=10), '[models]\nboth = ["cloud/large", "cloud/small"]\n')
    async with client:
        scripted_provider.then(CANNED["openai.chat"].but(status=500, body=b'{"error":{"message":"no"}}'))
        assert (await client.post(CHAT, json={**BODY, "model": "both"})).headers["x-lynkr-model"] == "small"
        assert await balance(policy) == {"usd": (12 * 100 + 7 * 400, 0), "requests": (1, 0)}
        scripted_provider.always(CANNED["openai.chat"].but(status=400, body=b'{"error":{"message":"no"}}'))
        assert (await client.post(CHAT, json=BODY)).status == 400
        assert await balance(policy) == {"usd": (12 * 100 + 7 * 400, 0), "requests": (1, 0)}
    assert policy.status()["held"] == 0


async def test_who_leaves_pays_what_was_used(scripted_provider):
    policy, client = gateway(scripted_provider, limit(usd=1))
    scripted_provider.always(CANNED["openai.chat"].but(pause=0.2))
    async with client:
        async with client.stream(CHAT, json={**BODY, "stream": True}) as streamed:
            await anext(aiter(streamed))
            streamed.disconnect()
        await until(lambda: policy.status()["held"] == 0)
    used, held = (await balance(policy))["usd"]
    assert held == 0
    assert 0 < used < policy.rules[0].limit / 100


async def test_who_does_not_wait_for_a_plain_answer_pays_what_was_set_aside(scripted_provider):
    """The provider may write it to its end; of a stream it has written what has come."""
    policy, client = gateway(scripted_provider, limit(usd=1))
    scripted_provider.always(CANNED["openai.chat"].but(delay=30.0))
    async with client:
        asking = asyncio.ensure_future(client.post(CHAT, json=BODY))
        await until(lambda: scripted_provider.requests)
        (set_aside,) = [held for _, held in (await balance(policy)).values()]
        asking.cancel()
        await until(lambda: policy.status()["held"] == 0)
    assert await balance(policy) == {"usd": (set_aside, 0)}
    assert set_aside > 100 * 15_000


async def test_an_answer_without_usage_costs_what_was_set_aside(scripted_provider):
    policy, client = gateway(scripted_provider, limit(usd=1))
    scripted_provider.always(CANNED["openai.chat"].but(body=CANNED["openai.chat"].body.replace(b'"usage"', b'"usages"')))
    async with client:
        assert (await client.post(CHAT, json=BODY)).status == 200
    used, held = (await balance(policy))["usd"]
    assert (used > 100 * 15_000, held) == (True, 0)


async def test_the_slower_of_two_pays_too_and_holds_nothing(scripted_provider):
    more = '[models]\nboth = ["cloud/large", "cloud/small"]\n[routing]\nhedge_after = 0.05\nhedge_share = 1.0\n'
    policy, client = gateway(scripted_provider, limit(usd=1, requests=10), more)
    scripted_provider.then(CANNED["openai.chat"].but(delay=30.0))
    async with client:
        answer = await client.post(CHAT, json={**BODY, "model": "both"})
        assert answer.headers["x-lynkr-model"] == "small"
        await until(lambda: policy.status()["held"] == 0)
    found = await balance(policy)
    assert found["requests"] == (1, 0)
    assert found["usd"][0] > 12 * 100 + 7 * 400
    assert found["usd"][1] == 0


async def test_without_a_price_a_model_is_refused_unless_it_is_named(scripted_provider):
    body = {**BODY, "model": "cloud/odd"}
    _, client = gateway(scripted_provider, limit(usd=1))
    async with client:
        answer = await client.post(CHAT, json=body)
        assert (answer.status, answer.json()["error"]["code"]) == (403, "price_unknown")
    _, client = gateway(scripted_provider, 'allow_unpriced = ["cloud/*"]\n' + limit(usd=1))
    async with client:
        assert (await client.post(CHAT, json=body)).status == 200
    _, client = gateway(scripted_provider, limit(requests=5))
    async with client:
        assert (await client.post(CHAT, json=body)).status == 200


async def test_a_downgrade_serves_by_the_next_cheaper_tier(scripted_provider):
    policy, client = gateway(scripted_provider, limit(scope="model:large", requests=1, on_limit="downgrade"))
    async with client:
        first, second = [await client.post(CHAT, json=BODY) for _ in range(2)]
    assert "x-lynkr-asked" not in first.headers
    assert (second.status, second.headers["x-lynkr-asked"], second.headers["x-lynkr-model"]) == (200, "cloud/large", "small")
    assert second.headers["x-lynkr-downgraded"] == "the budget of model:large"
    assert policy.status()["downgraded"] == 1


async def test_a_downgrade_to_what_is_named_or_to_nothing(scripted_provider):
    named = limit(scope="model:large", requests=0, on_limit="downgrade", downgrade_to="cloud/odd")
    _, client = gateway(scripted_provider, named)
    async with client:
        assert (await client.post(CHAT, json=BODY)).headers["x-lynkr-model"] == "odd"
    for wrong in (named.replace("cloud/odd", "../nobody"), limit(requests=0, on_limit="downgrade")):
        _, client = gateway(scripted_provider, wrong)
        async with client:
            assert (await client.post(CHAT, json=BODY)).json()["error"]["code"] == "budget_exceeded"


async def test_it_warns_once_and_answers_say_so(scripted_provider, caplog):
    policy, client = gateway(scripted_provider, limit(requests=10))
    async with client:
        answers = [await client.post(CHAT, json=BODY) for _ in range(11)]
    assert [answer.headers.get("x-lynkr-budget-used") for answer in answers[8:]] == [None, "9 requests", "10 requests"]
    assert answers[9].headers["x-lynkr-budget-reset"] == "2099-11-22T00:00:00Z"
    lines = [record.getMessage() for record in caplog.records if record.name == "lynkr.budget"]
    assert lines == [
        "the budget of everyone per day is 90% used: 9 requests of 10 requests, until 2099-11-22T00:00:00Z",
        "the budget of everyone per day has no room for a request: 10 requests of 10 requests, until 2099-11-22T00:00:00Z",
    ]
    assert (policy.status()["warnings"], policy.status()["highest"]) == (2, 1.0)


async def test_the_webhook_is_told_off_the_path(scripted_provider):
    hook = f'webhook = "{scripted_provider.url}/hook"\nwebhook_key = "s3cret"\n'
    policy, client = gateway(scripted_provider, hook + limit(requests=1))
    async with client:
        assert (await client.post(CHAT, json=BODY)).status == 200
        await scripted_provider.arrived(2)
    told = scripted_provider.last
    assert (told.path, told.headers["authorization"]) == ("/hook", "Bearer s3cret")
    expected = {"event": "budget.warned", "subject": "everyone", "per": "day", "unit": "requests", "used": 1, "limit": 1}
    assert told.json() == {**expected, "share": 1.0, "resets": "2099-11-22T00:00:00Z"}
    assert policy.status()["webhooks_lost"] == 1  # the scripted provider knows no such path


async def test_a_run_is_stopped_by_calls_and_by_time(scripted_provider):
    policy, client = gateway(scripted_provider, "[policy.budget.run]\ncalls = 2\nseconds = 100.0\n")
    clock = [NOON]
    policy.clock = policy.runs._clock = lambda: clock[0]
    async with client:
        ask = lambda run: client.post(CHAT, json=BODY, headers={"x-lynkr-session": run})  # noqa: E731
        assert [(await ask("a")).status for _ in range(3)] == [200, 200, 429]
        assert (await ask("b")).status == 200
        clock[0] += 101
        late = await ask("b")
        assert (late.status, late.json()["error"]["code"], "retry-after" in late.headers) == (429, "run_limit_exceeded", False)
        assert (await client.post(CHAT, json=BODY)).status == 200  # of no run


async def test_days_turn(scripted_provider):
    policy, client = gateway(scripted_provider, limit(requests=1))
    async with client:
        assert [(await client.post(CHAT, json=BODY)).status for _ in range(2)] == [200, 429]
        policy.clock = lambda: NOON + 43_200
        assert [(await client.post(CHAT, json=BODY)).status for _ in range(2)] == [200, 429]


async def test_after_a_reload_it_knows_how_full_budgets_are(scripted_provider):
    text = GATEWAY.format(url=scripted_provider.url, budget=limit(requests=2, per="total"))
    before = assemble(parse(text, {}), {})
    async with Client(Application(before)) as client:
        assert (await client.post(CHAT, json=BODY)).status == 200
    after = assemble(parse(text, {}), {}, before=before)
    async with Client(Application(after)) as client:
        answers = [await client.post(CHAT, json=BODY) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 429, 429]
    assert answers[1].headers["x-lynkr-budget-used"] == "2 requests"


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ('[[policy.budget.limit]]\nscope = "planet:mars"\nusd = 1\n', "is no scope"),
        ('[[policy.budget.limit]]\nscope = "team:a"\n', "a limit needs usd, tokens or requests"),
        ('timezone = "Mars/Olympus"\n', "is no time zone"),
        ('webhook = "ftp://x"\n', "is not an http or https URL"),
    ],
)
def test_mistakes_are_told_at_start(scripted_provider, budget, said):
    with pytest.raises(Exception, match=said):
        gateway(scripted_provider, budget)


async def test_what_a_caller_pays_itself_is_no_money_of_the_operators(scripted_provider):
    budget = limit(usd=0.000001, requests=10)
    text = GATEWAY.format(url=scripted_provider.url, budget=budget).replace("models = [", 'caller_keys = ["sk-own-"]\nmodels = [')
    kernel = assemble(parse(text, {}), {})
    policy = next(plugin.instance for plugin in kernel.plugins if plugin.id == "policy.budget")
    async with Client(Application(kernel)) as client:
        assert (await client.post(CHAT, json=BODY)).status == 429
        assert (await client.post(CHAT, json=BODY, headers={"x-api-key": "sk-own-1"})).status == 200
        assert await balance(policy) == {"requests": (1, 0)}


async def test_what_every_limit_stands_at_is_told(scripted_provider):
    limits = limit(scope="everyone", usd=1) + limit(scope="model:*", requests=10) + limit(scope="team:a", per="total", tokens=9)
    policy, client = gateway(scripted_provider, limits + "[policy.budget.run]\nusd = 1\n")
    untouched = {one["subject"]: one["used"] for one in policy.budgets()}
    assert untouched == {"everyone": 0, "team:a": 0}
    async with client:
        assert (await client.post(CHAT, json=BODY)).status == 200
    told = {(one["subject"], one["unit"]): one for one in policy.budgets()}
    assert told["everyone", "usd"]["used"] == pytest.approx(COST / 1e9)
    assert (told["everyone", "usd"]["limit"], told["everyone", "usd"]["per"]) == (1.0, "day")
    assert told["everyone", "usd"]["until"] == pytest.approx(NOON + 12 * 3600)
    assert (told["model:cloud/large", "requests"]["used"], told["model:cloud/large", "requests"]["limit"]) == (1, 10)
    assert (told["team:a", "tokens"]["used"], told["team:a", "tokens"]["until"]) == (0, None)
    assert len(told) == 3


async def standing(policy):
    """What operators are told: by subject and window what is used, and of how much."""
    rows = await Standing(policy.books.ledger, policy.prefix, policy.rules).rows(over=True)
    return {(row["subject"], row["window"]): (row["used"], row["limit"]) for row in rows}


async def test_days_of_two_zones_are_counted_apart(scripted_provider):
    """Berlin's day turns at 23:00 UTC: what it has used of it by midnight is nothing of the next day in UTC."""
    policy, client = gateway(scripted_provider, limit(requests=3) + limit(requests=2, timezone="Europe/Berlin"))
    statuses = []
    async with client:
        for hours in (10.0, 10.5, 10.9, 11.5, 11.6, 13.0):
            policy.clock = lambda hours=hours: NOON + hours * 3600
            statuses.append((await client.post(CHAT, json=BODY)).status)
        assert statuses == [200, 200, 429, 200, 429, 200]
        assert await standing(policy) == {
            ("everyone", "2099-11-21"): (3, 3),
            ("everyone", "2099-11-22"): (1, 3),
            ("everyone", "2099-11-21@Europe~Berlin"): (2, 2),
            ("everyone", "2099-11-22@Europe~Berlin"): (2, 2),
        }


async def test_a_name_with_odd_characters_is_one_and_has_its_limit(scripted_provider):
    more = f'[provider.other]\nuse = "openai-compatible"\nbase_url = "{scripted_provider.url}"\nmodels = ["ä+1"]\n'
    limits = limit(scope="model:other/ä+1 + provider:other", requests=9) + limit(scope="model:*", requests=5)
    policy, client = gateway(scripted_provider, limits, more)
    async with client:
        assert (await client.post(CHAT, json={**BODY, "model": "other/ä+1"})).status == 200
        assert {(subject, *rest) for (subject, _), rest in (await standing(policy)).items()} == {
            ("model:other/%C3%A4%2B1 + provider:other", 1, 9),
            ("model:other/%C3%A4%2B1", 1, 5),
        }
    told = {one["subject"]: (one["used"], one["limit"]) for one in policy.budgets()}
    assert told == {"model:other/%C3%A4%2B1 + provider:other": (1, 9), "model:other/%C3%A4%2B1": (1, 5)}

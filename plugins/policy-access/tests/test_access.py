"""Who is in which class, and what that lets them use."""

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.exchange import Principal, Reject
from lynkr_core.testing import factories
from lynkr_core.testing.client import Client
from lynkr_policy_access import plugin

TABLE = {
    "default": "low",
    "classes": {"high": {}, "low": {"tiers": ["simple", "medium"]}, "home": {"local_only": True}},
    "keys": {"ops": "high", "cabin": "home"},
    "agents": {"director": "high", "clerk": "low"},
}
CLOUD = """
[provider.cloud]
use = "openai-compatible"
base_url = "{url}"
models = ["large", "small", "odd"]
[tiers]
simple = ["cloud/small"]
complex = ["cloud/large"]
[policy.access]
default = "low"
[policy.access.classes.high]
[policy.access.classes.low]
{low}
[policy.access.agents]
director = "high"
"""
BODY = {"model": "cloud/large", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9}


def placed(principal=None, body=None, dialect="openai.chat", **headers):
    policy = factories.build(plugin, TABLE, factories.context("access", "policy", tiers=factories.tiers(factories.candidates())))
    exchange = factories.exchange(body or BODY, dialect=dialect, headers={k.replace("_", "-"): v for k, v in headers.items()})
    exchange.principal = principal or Principal()
    policy.pre_route(exchange)
    return exchange


def agent_and_class(*args, **options):
    who = placed(*args, **options).principal
    return who.agent, who.principal_class


def test_the_class_is_by_key_then_agent_then_default():
    assert agent_and_class() == (None, "low")
    assert agent_and_class(Principal(agent="director")) == ("director", "high")
    assert agent_and_class(Principal(key="ops")) == (None, "high")
    assert agent_and_class(x_lynkr_agent="director") == ("director", "high")
    assert agent_and_class(body={**BODY, "user": "director"}) == ("director", "high")
    anthropic = {**BODY, "metadata": {"user_id": "director"}}
    assert agent_and_class(body=anthropic, dialect="anthropic.messages") == ("director", "high")


def test_users_that_are_no_agents_are_none():
    assert agent_and_class(body={**BODY, "user": "ada"}) == (None, "low")
    assert agent_and_class(body={**BODY, "user": 7}) == (None, "low")
    assert agent_and_class(body={**BODY, "metadata": {"user_id": None}}) == (None, "low")


def test_no_header_raises_the_class_of_a_key():
    fixed = Principal(key="k", principal_class="low")
    assert agent_and_class(fixed, x_lynkr_agent="director") == ("director", "low")
    assert agent_and_class(Principal(key="k", agent="clerk"), x_lynkr_agent="director") == ("clerk", "low")
    assert agent_and_class(Principal(key="cabin"), body={**BODY, "user": "director"}) == ("director", "home")
    assert agent_and_class(Principal(key="k", principal_class="unheard-of"), x_lynkr_agent="director")[1] == "low"


def test_a_class_may_be_kept_at_home():
    assert placed(Principal(key="cabin")).local_only == "the class home"
    assert placed().local_only == ""


def test_what_a_class_may_use():
    served = factories.candidates()
    policy = factories.build(plugin, TABLE, factories.context("access", "policy", tiers=factories.tiers(served)))
    assert [policy.may("low", one) for one in served] == [True, True, False, False]
    assert all(policy.may("high", one) for one in served)
    exchange = placed()
    assert isinstance(policy.reserve(exchange, served[2]), Reject)
    assert exchange.instead == "medium"
    assert policy.reserve(exchange, served[1]) is None


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("low", "agent", "status", "served"),
    [
        ('tiers = ["simple"]', "clerk", 200, "small"),
        ('tiers = ["simple"]', "director", 200, "large"),
        ('tiers = ["simple"]\ninstead = "cloud/odd"\nmodels = ["cloud/odd"]', "", 200, "odd"),
        ('tiers = ["simple"]\nrefuse = true', "", 403, None),
        ('models = ["cloud/small"]', "", 403, None),
    ],
)
async def test_through_a_gateway(scripted_provider, low, agent, status, served):
    async with Client(Application(assemble(parse(CLOUD.format(url=scripted_provider.url, low=low), {}), {}))) as client:
        answer = await client.post("/v1/chat/completions", json=BODY, headers={"x-lynkr-agent": agent})
    assert (answer.status, answer.headers.get("x-lynkr-model")) == (status, served)
    downgraded = served not in (None, "large")
    assert answer.headers.get("x-lynkr-downgraded") == ("cloud/large is not for the class low" if downgraded else None)
    assert (answer.headers.get("x-lynkr-asked") == "cloud/large") == (downgraded or False)
    if status == 403:
        assert answer.json()["error"]["code"] == "model_not_allowed"


@pytest.mark.parametrize(
    ("table", "said"),
    [({"default": "nobody"}, "no classes: nobody"), ({"classes": {"a": {"tiers": ["best"]}}}, "no tiers: best")],
)
def test_mistakes_are_told_at_start(table, said):
    with pytest.raises(Exception, match=said):
        factories.configure(plugin, table)

"""The shipped examples work as they are, but for the address of the provider."""

import re
from pathlib import Path

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.testing.client import Client

pytestmark = pytest.mark.anyio
EXAMPLES = Path(__file__).parent.parent / "examples"
TEAM = (EXAMPLES / "team-budgets/lynkr.toml").read_text()
ASK = {"model": "opus", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1000}
MODELS = {"T1": "opus", "T2": "sonnet", "T3": "haiku", "T4": "haiku"}


def team(provider):
    text = TEAM.replace("[provider.anthropic]", f'[provider.anthropic]\nbase_url = "{provider.url}"')
    kernel = assemble(parse(text, {"ANTHROPIC_API_KEY": "sk-ant-test"}), {})
    return Client(Application(kernel)), {plugin.id: plugin.instance for plugin in kernel.plugins}


def agents():
    return dict(re.findall(r'^(\w+) = "(T\d)"$', TEAM.partition("[policy.access.agents]")[2], re.M))


async def test_each_agent_is_served_by_what_its_class_may_use(scripted_provider):
    client, _ = team(scripted_provider)
    assert len(agents()) == 20
    async with client:
        for name, its in {**agents(), "nobody_we_know": "T3"}.items():
            by_header = await client.post("/v1/messages", json=ASK, headers={"x-lynkr-agent": name})
            by_user = await client.post("/v1/chat/completions", json={**ASK, "user": name})
            for answer in (by_header, by_user):
                assert (answer.status, answer.headers["x-lynkr-model"]) == (200, f"claude-{MODELS[its]}-5-5"), name
                assert answer.headers.get("x-lynkr-asked") == (None if its == "T1" else "opus")


async def test_a_class_has_its_budget_for_the_day(scripted_provider):
    client, plugins = team(scripted_provider)
    dear = {**ASK, "max_tokens": 30_000}
    sizes = {"T1": 50, "T2": 15, "T3": 5, "T4": 10}
    async with client:
        for name, agent in (("T1", "ai_director"), ("T2", "hr_agent"), ("T3", "kb_manager"), ("T4", "n8n_engineer")):
            limit = next(rule for rule in plugins["policy.budget"].rules if rule.scope.text == f"class:{name}")
            assert limit.limit == sizes[name] * 10**9
            limit.limit = 1000
            answer = await client.post("/v1/chat/completions", json=dear, headers={"x-lynkr-agent": agent})
            assert (answer.status, answer.json()["error"]["code"]) == (429, "budget_exceeded")
            assert int(answer.headers["retry-after"]) <= 86_400


async def test_a_class_that_is_short_is_served_by_less(scripted_provider):
    client, plugins = team(scripted_provider)
    budget = plugins["policy.budget"]
    next(rule for rule in budget.rules if rule.scope.text == "class:T2").limit = 8_000_000
    async with client:
        answer = await client.post("/v1/messages", json={**ASK, "model": "sonnet"}, headers={"x-lynkr-agent": "sales_agent"})
    assert (answer.headers["x-lynkr-asked"], answer.headers["x-lynkr-model"]) == ("sonnet", "claude-haiku-5-5")
    assert answer.headers["x-lynkr-downgraded"] == "the budget of class:T2"

"""examples/team-budgets: twenty agents in four classes."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.examples.running import EXAMPLES, Example, chat, client, messages, served

pytestmark = pytest.mark.anyio
TOML = tomllib.loads((EXAMPLES / "team-budgets/lynkr.toml").read_text())
AGENTS = TOML["policy"]["access"]["agents"]
MODELS = {"T1": "opus", "T2": "sonnet", "T3": "haiku", "T4": "haiku"}
ONE_OF = {"T1": "ai_director", "T2": "sales_agent", "T3": "kb_manager", "T4": "n8n_engineer"}


@pytest.fixture
def example(scripted_provider, tmp_path):
    example = Example("team-budgets", tmp_path, ANTHROPIC_API_KEY="sk-ant-test-of-examples")
    example.cloud("anthropic", scripted_provider.url)
    return example


def right(answer, its):
    asked = None if its == "T1" else "opus"
    return served(answer) == (200, f"anthropic/claude-{MODELS[its]}-5-5") and answer.headers.get("x-lynkr-asked") == asked


def refused(answer):
    return answer.status_code, answer.json()["error"].get("code")


async def test_each_agent_is_served_by_what_its_class_may_use(example):
    assert len(AGENTS) == 20
    with example.serve() as running:
        async with client(running) as http:
            for name, its in {**AGENTS, "nobody_we_know": "T3"}.items():
                assert right(await messages(http, "Hello", model="opus", headers={"x-lynkr-agent": name}), its), name
                assert right(await chat(http, "Hello", model="opus", user=name), its), name
    spent = (await example.run("usage", "--by", "class")).stdout
    assert {line.split("\t")[0]: line.split("\t")[1] for line in spent.splitlines()[1:5]} == {
        "T1": "4",
        "T2": "26",
        "T3": "10",
        "T4": "2",
    }


async def test_a_class_has_its_budget_for_the_day_and_one_is_served_by_less_first(example):
    limits = {one["scope"]: (one["usd"], one["per"]) for one in TOML["policy"]["budget"]["limit"]}
    assert limits == {"class:T1": (50, "day"), "class:T2": (15, "day"), "class:T3": (5, "day"), "class:T4": (10, "day")}
    for usd, instead in ((50, 0.000001), (15, 0.008), (5, 0.000001), (10, 0.000001)):
        example.change(f"usd = {usd}\n", f"usd = {instead:f}\n")
    with example.serve() as running:
        async with client(running) as http:
            for name, agent in ONE_OF.items():
                answer = await chat(http, "Hello", model=MODELS[name], max_tokens=30_000, headers={"x-lynkr-agent": agent})
                assert refused(answer) == (429, "budget_exceeded")
                assert 0 < int(answer.headers["retry-after"]) <= 86_400
            less = await messages(http, "Hello", model="sonnet", headers={"x-lynkr-agent": ONE_OF["T2"]})
            assert (served(less), less.headers["x-lynkr-asked"]) == ((200, "anthropic/claude-haiku-5-5"), "sonnet")
            assert less.headers["x-lynkr-downgraded"] == "the budget of class:T2"


async def test_a_key_settles_who_is_asking(example):
    example.change("[store.sqlite]", "[auth.keys]\n\n[store.sqlite]")
    made = {
        its: (await example.run("keys", "create", its, *words)).stdout
        for its, words in {"T1": ("--class", "T1"), "T3": ("--agent", "kb_manager")}.items()
    }
    with example.serve() as running:
        async with client(running) as http:
            for its, told in made.items():
                headers = {"x-api-key": re.match(r"lk_\w+", told)[0], "x-lynkr-agent": ONE_OF["T1" if its == "T3" else "T3"]}
                assert right(await messages(http, "Hello", model="opus", headers=headers), its)
            assert (await messages(http, "Hello", model="opus")).status_code == 401

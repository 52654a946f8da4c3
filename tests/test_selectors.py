"""All selectors in one gateway, in their own order, over offline providers."""

from collections import Counter

import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.hooks import Call
from lynkr_core.kernel import Kernel
from lynkr_core.testing.client import Client

TOML = """
[provider.house]
use = "echo"
[provider.cheap]
use = "echo"
[provider.smart]
use = "echo"
[provider.twin]
use = "echo"
[tiers]
simple = ["house/s", "cheap/s"]
complex = ["smart/c", "twin/c"]
[prices]
"house/s" = { input = 0, output = 0 }
"cheap/s" = { input = 0.1, output = 0.4 }
"smart/c" = { input = 3, output = 15 }
"twin/c" = { input = 2, output = 10 }
"""
SELECTORS = """
[scorer.heuristic]
[selector.tiers]
[selector.rules]
[[selector.rules.rule]]
name = "ours"
when = { prompt_contains = ["привет"] }
to = "house"
[[selector.rules.rule]]
name = "legal"
when = { prompt_contains = ["contract*"] }
to = "complex"
[selector.tasks]
translation = "twin/t"
[selector.ab]
variant = [{ name = "old", share = 1 }, { name = "new", share = 1, to = "smart" }]
"""
PROOF = "Prove by induction that this distributed consensus protocol never deadlocks, then derive a lower bound and design its data model."


async def route(toml, text, *, tries=1, path="/v1/route", **headers):
    """The decisions, of dry runs unless another path is given."""
    async with Client(Application(Kernel.from_config(parse(TOML + toml, {}), {}))) as client:
        body = {"model": "auto", "user": "ann", "messages": [{"role": "user", "content": text}]}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return [await client.post(path, json=body, headers=sent) for _ in range(tries)]


async def one(toml, text, **headers):
    return (await route(toml, text, **headers))[0].json()


def test_each_has_its_place():
    every = "".join(f"\n[selector.{name}]" for name in ("cost", "latency", "weighted", "hybrid"))
    kernel = Kernel.from_config(parse(TOML + SELECTORS + every + "\n[selector.chain]\norder = ['house']", {}), {})
    calls: list[Call] = list(kernel.hooks.select_provider.calls)
    names = [call.plugin.removeprefix("selector.") for call in calls]
    assert names == ["rules", "tasks", "ab", "chain", "tiers", "hybrid", "cost", "latency", "weighted"]


@pytest.mark.anyio
async def test_a_rule_comes_before_all_others():
    found = await one(SELECTORS + "[selector.cost]", "ну привет")
    assert (found["order"], found["reason"], found["selected_by"]) == (["house/s"], "ours", "selector.rules")
    assert {removal["candidate"] for removal in found["removed"]} == {"cheap/s", "smart/c", "twin/c", "twin/t"}


@pytest.mark.anyio
async def test_a_rule_for_a_tier_leaves_its_models_to_the_next():
    found = await one(SELECTORS + "[selector.cost]", "Read this contract")
    assert (found["order"][:2], found["tier"]) == (["twin/c", "smart/c"], "complex")
    assert found["selected_by"] in ("selector.rules, selector.ab, selector.cost", "selector.rules, selector.ab")


@pytest.mark.anyio
async def test_a_task_goes_to_a_model_that_no_tier_has():
    assert (await one(SELECTORS, "Translate this into French: hello"))["order"][0] == "twin/t"


@pytest.mark.anyio
async def test_tiers_choose_and_cost_orders_the_peers():
    hard = await one("[scorer.heuristic]\n[selector.tiers]\n[selector.cost]", PROOF)
    assert hard["order"][:2] == ["twin/c", "smart/c"]
    assert hard["selected_by"] == "selector.tiers, selector.cost"
    assert hard["reason"].endswith("; cheapest")
    easy = await one("[scorer.heuristic]\n[selector.tiers]\n[selector.cost]", "hi")
    assert easy["order"] == ["house/s", "cheap/s", "smart/c", "twin/c"]


@pytest.mark.anyio
async def test_weights_share_the_load_of_one_tier_only():
    toml = "[scorer.heuristic]\n[selector.tiers]\n[selector.weighted]\nshare = [{ to = 'smart', weight = 3 }]"
    answers = await route(toml, PROOF, tries=400, path="/v1/chat/completions")
    served = Counter(answer.headers["x-lynkr-provider"] for answer in answers)
    assert set(served) == {"smart", "twin"}
    assert served["smart"] / 400 == pytest.approx(0.75, abs=0.09)


@pytest.mark.anyio
async def test_bounds_of_the_caller_hold_whatever_tier_is_needed():
    found = await route("[selector.hybrid]", PROOF, path="/v1/chat/completions", x_lynkr_max_cost_usd="0.001")
    assert found[0].headers["x-lynkr-provider"] == "house"
    refused = await route("[selector.hybrid]", PROOF, path="/v1/chat/completions", x_lynkr_max_cost_usd="x")
    assert (refused[0].status, refused[0].json()["error"]["param"]) == (400, "x-lynkr-max-cost-usd")


FIRST = {
    "tiers": "[selector.tiers]",
    "chain": "[selector.chain]\norder = ['smart', 'house']",
    "rules": "[selector.rules]\nrule = [{ to = 'smart', only = false }]",
    "tasks": "[selector.tasks]\ncode = 'smart/c'",
    "ab": "[selector.ab]\nvariant = [{ name = 'a', share = 1, to = 'smart' }, { name = 'b', share = 1, to = 'twin' }]",
}


@pytest.mark.anyio
@pytest.mark.parametrize("bound", ["cost", "hybrid"])
@pytest.mark.parametrize("first", FIRST)
async def test_a_bound_holds_whoever_chose_before(first, bound):
    toml = f"[scorer.heuristic]\n{FIRST[first]}\n[selector.{bound}]\n[selector.sticky]\n"
    found = await one(toml, PROOF, x_lynkr_max_cost_usd="0.001", x_lynkr_task="code")
    assert found["order"][0] in ("house/s", "cheap/s")
    assert {"smart/c", "twin/c"}.isdisjoint(found["order"])
    assert found["selected_by"] == f"selector.{first}, selector.{bound}"


@pytest.mark.anyio
@pytest.mark.parametrize("bound", ["cost", "hybrid"])
async def test_when_nobody_is_within_the_bound_it_is_refused(bound):
    toml = f"[scorer.heuristic]\n[selector.chain]\norder = ['smart', 'twin']\n[selector.{bound}]\n"
    refused = await one(toml, PROOF, x_lynkr_max_cost_usd="0.001")
    assert refused["error"]["code"] == "max_cost_exceeded"


LISTS = """
[models]
ours = ["twin/z", "house/s"]
"""
TO_A_LIST = {
    "rules": "[[selector.rules.rule]]\nto = 'ours'",
    "tasks": "[selector.tasks]\nqueries = 'ours'",
    "ab": "[selector.ab]\nvariant = [{ name = 'a', share = 1, to = 'ours' }, { name = 'b', share = 1, to = 'ours' }]",
    "chain": "[selector.chain]\norder = ['ours', 'smart']",
}
BY_A_LIST = {
    "weighted": "[selector.weighted]\nshare = [{ to = 'ours' }, { to = 'house', weight = 0 }, { to = 'smart', weight = 0 }, "
    "{ to = 'twin/c', weight = 0 }, { to = 'cheap', weight = 0 }]",
    "hybrid": "[selector.hybrid]\nmodel = [{ to = 'ours', quality = 99 }, { to = 'smart', quality = 1 }, { to = 'twin', quality = 1 }]",
}


@pytest.mark.anyio
@pytest.mark.parametrize("selector", TO_A_LIST)
async def test_a_name_of_models_is_a_chain_that_selectors_send_to(selector):
    """In the list's order, which nobody orders anew: it is a chain, where a tier's models are equal."""
    found = await one(f"{LISTS}{TO_A_LIST[selector]}\n[selector.cost]", "What is the capital of France?")
    assert found["order"][:2] == ["twin/z", "house/s"]


@pytest.mark.anyio
@pytest.mark.parametrize("selector", BY_A_LIST)
async def test_weights_and_qualities_can_be_said_of_a_name_of_models(selector):
    found = await one(LISTS + BY_A_LIST[selector], "What is the capital of France?")
    assert found["order"][0] in ("twin/z", "house/s")

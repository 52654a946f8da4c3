"""Several selectors in order: who comes first decides, who comes later orders what the first calls equal."""

from typing import Any

import pytest

from lynkr_core.candidates import Tiers, matching
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError
from lynkr_core.exchange import Removal, Selection
from lynkr_core.hooks import Call, Hook
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import Loaded, Plugin, compiled
from lynkr_core.selecting import select
from lynkr_core.testing import factories

A, B, C, D = ALL = factories.candidates()
SPEC = ("exchange", "candidates", "scores")


def hook(*answers: Any) -> Hook:
    """Selectors `s1`, `s2`, …; each answers so, or as a function of its candidates says."""

    def call(name: str, answer: Any) -> Call:
        def now(exchange: Any, candidates: Any, scores: Any) -> Any:
            return answer(candidates) if callable(answer) else answer

        async def later(exchange: Any, candidates: Any, scores: Any) -> Any:
            return now(exchange, candidates, scores)

        return Call("select_provider", "selector", name, later if len(answers) > 2 else now, SPEC)

    return Hook("select_provider", [call(f"s{n}", answer) for n, answer in enumerate(answers, 1)])


async def selected(*answers: Any, route: Any = "auto", tier: str | None = None) -> Any:
    exchange = factories.exchange({"model": "auto", "messages": []}, served=ALL)
    exchange.route, exchange.tier = route, tier
    await select(hook(*answers), exchange, factories.tiers(ALL))
    return exchange


def backwards(candidates: Any) -> Selection:
    return Selection(order=tuple(reversed(candidates)), reason="backwards", notes={"variant": "b"})


@pytest.mark.anyio
async def test_without_peers_the_first_answer_is_final():
    made = await selected(None, Selection(order=(C, A), reason="first"), backwards)
    assert (made.selection.order, made.selection.reason, made.selected_by) == ((C, A), "first", "s2")


@pytest.mark.anyio
async def test_peers_are_ordered_by_who_comes_next():
    first = Selection(order=(B, C, A, D), peers=3, reason="first", tier="medium", notes={"a": "1"})
    made = await selected(first, None, backwards)
    assert made.selection.order == (A, C, B, D)
    assert (made.selection.reason, made.selected_by, made.tier) == ("first; backwards", "s1, s3", "medium")
    assert made.selection.notes == {"a": "1", "variant": "b"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("first", "second", "told"),
    [({"propensity": "0.900"}, {"propensity": "0.250"}, "0.225"), ({"propensity": "0.900"}, {}, "0.900"),
     ({}, {"propensity": "0.250"}, "0.250"), ({"propensity": "much"}, {"propensity": "0.250"}, "0.250")],
)  # fmt: skip
async def test_of_lots_drawn_one_after_the_other_both_count(first, second, told):
    made = await selected(Selection(order=ALL, peers=4, notes=first), Selection(order=(B, A, C, D), notes=second))
    assert made.selection.notes == {"propensity": told}


@pytest.mark.anyio
async def test_a_third_orders_the_peers_of_the_second():
    def halves(candidates: Any) -> Selection:
        return Selection(order=tuple(reversed(candidates)), peers=2)

    made = await selected(Selection(order=(A, B, C, D), peers=3), halves, backwards)
    assert made.selection.order == (B, C, A, D)


@pytest.mark.anyio
async def test_who_comes_later_can_bring_nobody_back():
    made = await selected(Selection(order=(A, B), peers=2, removed=(Removal("x", "y"),)), Selection(order=(C, B, A)))
    assert made.selection.order == (B, A)
    assert [(r.candidate, r.plugin) for r in made.removed] == [("x", "s1"), (C.id, "s2")]


@pytest.mark.anyio
async def test_of_a_tier_asked_for_by_name_only_its_own_are_ordered():
    made = await selected(backwards, route="tier", tier="complex")
    assert made.selection.order == (C, A, B, D)
    assert (await selected(None, route="tier", tier="complex")).selection.reason == "as configured"


class Selects:
    def __init__(self, *targets: str) -> None:
        self.targets, self.only_for = targets, ()

    def select_provider(self, exchange: Any) -> None:
        return None


def test_a_plugins_rank_decides_before_its_name():
    loaded = [Loaded(kind="selector", name=name, use="p", instance=Selects(), rank=rank) for name, rank in (("a", 8), ("z", 0))]
    calls = compiled(loaded, {}, "lynkr.toml", []).select_provider.calls
    assert [call.plugin for call in calls] == ["selector.z", "selector.a"]
    assert compiled(loaded, {"selector.a": 1}, "", []).select_provider.calls[0].plugin == "selector.a"


def kernel(monkeypatch: Any, *targets: str, tiers: str = "", only_for: Any = ()) -> Kernel:
    selects = Selects(*targets)
    selects.only_for = only_for
    plugin = Plugin(api=1, config=factories.manifest("provider", "echo").config, create=lambda: selects)
    manifest = factories.manifest
    monkeypatch.setattr("lynkr_core.plugins.manifest", lambda kind, use: plugin if use == "p" else manifest(kind, use))
    return Kernel.from_config(parse(f"[provider.echo]\n[selector.s]\nuse = 'p'\n{tiers}", {}), {})


def test_models_that_a_selector_names_are_candidates_of_auto(monkeypatch):
    catalog = kernel(monkeypatch, "echo/named", "echo", "simple", tiers="[tiers]\nsimple = ['echo/small']").catalog
    assert [candidate.id for candidate in catalog.resolve("auto").candidates] == ["echo/small", "echo/named"]


@pytest.mark.parametrize("target", ["ecko/model", "ecko", "simple", "echo/"])
def test_targets_that_nobody_serves_are_told_at_start(monkeypatch, target):
    with pytest.raises(ConfigError, match=r"\[selector.s\]: .* is no provider/model, provider, tier or name in \[models\]"):
        kernel(monkeypatch, target)


LISTS = "[tiers]\nsimple = ['echo/small']\n[models]\ncheap = ['echo/b', 'echo/a']\nechoes = ['echo/c']"


def test_a_name_of_models_is_a_target_whose_models_are_candidates_of_auto(monkeypatch):
    catalog = kernel(monkeypatch, "cheap", tiers=LISTS).catalog
    assert [candidate.model for candidate in catalog.resolve("auto").candidates] == ["small", "b", "a"]
    among = catalog.candidate(catalog.providers["echo"], "a"), *catalog.resolve("auto").candidates
    assert [candidate.model for candidate in matching("cheap", among, catalog.tiers)] == ["b", "a"]
    assert (catalog.tiers.equal("cheap", 2), catalog.tiers.equal("simple", 2), catalog.tiers.equal("echo", 3)) == (1, 2, 3)


def test_a_target_near_a_name_of_models_is_told_with_it(monkeypatch):
    with pytest.raises(ConfigError, match=r"'chaep' is no .*; did you mean \"cheap\"\?"):
        kernel(monkeypatch, "chaep", tiers=LISTS)


@pytest.mark.parametrize("name", ["auto", "*", "simple", "reasoning", "cheap", "echo/anything", "echo"])
def test_names_that_callers_can_ask_for_are_taken(monkeypatch, name):
    assert kernel(monkeypatch, tiers=LISTS, only_for=(name,))


@pytest.mark.parametrize(
    ("name", "told"), [("simpel", 'did you mean "simple"'), ("chea", 'did you mean "cheap"'), ("x/y", "known: auto")]
)
def test_names_that_nobody_can_ask_for_are_told_at_start(monkeypatch, name, told):
    with pytest.raises(ConfigError, match=rf"\[selector.s\] \$.names: '{name}' is no .*{told}"):
        kernel(monkeypatch, tiers=LISTS, only_for=(name,))


def test_what_a_target_names():
    tiers = Tiers()
    tiers.fill({"simple": (B, A)})
    assert matching("cloud", ALL, tiers) == (B, C)
    assert matching("cloud/large", ALL, tiers) == (C,)
    assert matching("simple", ALL, tiers) == (B, A)
    assert matching("complex", (C,), tiers) == matching("nobody", ALL, tiers) == ()

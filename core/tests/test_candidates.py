import pytest

from lynkr_core.candidates import TIERS, Catalog, Tiers
from lynkr_core.exchange import Price
from lynkr_core.provider import Provider


class Silent(Provider):
    def __init__(self, name: str, *models: str) -> None:
        self.name, self.models = name, models

    def send(self, exchange, candidate, dialect, body):
        raise AssertionError("nothing is sent here")


def catalog(tiers=None, models=None, prices=None, remap=False, providers=None) -> Catalog:
    providers = providers or [Silent("local", "llama"), Silent("cloud", "big", "small")]
    return Catalog(
        {provider.name: provider for provider in providers}, Tiers(), models=models or {}, tier_models=tiers or {},
        prices=prices or {}, remap=remap,
    )  # fmt: skip


def ids(target) -> list[str]:
    return [candidate.id for candidate in target.candidates]


@pytest.mark.parametrize(("score", "tier"), [(0, 0), (25, 0), (25.4, 0), (26, 1), (50, 1), (51, 2), (75, 2), (76, 3), (100, 3)])
def test_bounds(score, tier):
    assert Tiers().of(score) == TIERS[tier]


def test_missing_tiers_inherit_from_cheaper_then_dearer():
    tiers = catalog({"medium": ["local/llama"], "reasoning": ["cloud/big"]}).tiers
    found = {name: [candidate.id for candidate in tiers.candidates(name)] for name in TIERS}
    assert found == {
        "simple": ["local/llama"], "medium": ["local/llama"], "complex": ["local/llama"], "reasoning": ["cloud/big"],
    }  # fmt: skip


def test_fallbacks_go_up_before_they_go_down():
    tiers = catalog({"simple": ["local/llama"], "medium": ["cloud/small"], "complex": ["cloud/big"]}).tiers
    assert [candidate.id for candidate in tiers.fallbacks("medium")] == ["cloud/small", "cloud/big", "local/llama"]


def test_auto_is_every_tier():
    target = catalog({"simple": ["local/llama"], "complex": ["cloud/big"]}).resolve("auto")
    assert (target.route, ids(target)) == ("auto", ["local/llama", "cloud/big"])


def test_auto_without_tiers_is_what_the_providers_list():
    assert ids(catalog().resolve("*")) == ["local/llama", "cloud/big", "cloud/small"]


def test_a_tier_name():
    target = catalog({"simple": ["local/llama"], "complex": ["cloud/big"]}).resolve("complex")
    assert (target.route, target.tier, ids(target)) == ("tier", "complex", ["cloud/big", "local/llama"])


def test_an_alias_is_a_chain():
    target = catalog(models={"fast": ["local/llama", "cloud/small"]}).resolve("fast")
    assert (target.route, ids(target)) == ("alias", ["local/llama", "cloud/small"])


@pytest.mark.parametrize("name", ["cloud/big", "big", "cloud/never-heard-of"])
def test_exactly_that_one(name):
    target = catalog().resolve(name)
    assert target.route == "exact"
    assert ids(target) == [f"cloud/{name.removeprefix('cloud/')}"]


def test_unknown_names_are_unknown_unless_remapped():
    tiers = {"simple": ["local/llama"]}
    assert catalog(tiers).resolve("claude-x") is None
    assert catalog(tiers, remap=True).resolve("claude-x").route == "auto"


def test_a_single_provider_takes_every_name():
    assert ids(catalog(providers=[Silent("only")]).resolve("whatever")) == ["only/whatever"]


def test_prices_are_found_by_full_name_then_by_model_and_never_by_prefix():
    prices = {"cloud/big": Price(input=1, output=2), "small": Price(input=3, output=4)}
    found = catalog(prices=prices)
    assert found.resolve("big").candidates[0].price.input == 1
    assert found.resolve("small").candidates[0].price.input == 3
    assert found.resolve("cloud/big-2").candidates[0].price is None


def test_names_callers_invent_are_not_remembered_for_ever(monkeypatch):
    monkeypatch.setattr("lynkr_core.candidates.MAX_DYNAMIC", 3)
    found = catalog()
    for number in range(10):
        found.resolve(f"cloud/m{number}")
    assert len(found._dynamic) <= 3

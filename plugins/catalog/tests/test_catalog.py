"""The packaged catalogue: its contract, its file, what is declared over it."""

import subprocess
import sys
from datetime import date, timedelta
from importlib.resources import files

import pytest

from lynkr_catalog import Config, PackagedCatalogue, plugin
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel
from lynkr_core.testing.contracts.catalog import PARAMETERS, CatalogContract


class TestContract(CatalogContract):
    plugin = plugin
    known = (
        ("openai", "gpt-5.6-sol"), ("openai", "text-embedding-3-large"), ("anthropic", "claude-opus-5-5"), ("gemini", "gemini-2.5-pro"),
        ("bedrock", "anthropic.claude-opus-5-5"), ("groq", "openai/gpt-oss-120b"), ("ollama", "llama3.1"),
    )  # fmt: skip
    tiered = ("openai", "anthropic")


@pytest.fixture(scope="module")
def catalogue() -> PackagedCatalogue:
    return PackagedCatalogue(Config())


def test_every_row_of_the_file_is_a_good_card(catalogue):
    count = 0
    for vendor in catalogue.vendors:
        for model in catalogue.models(vendor):
            card = catalogue.find(vendor, model)
            count += 1
            assert {*card.refused.values(), *card.refused_thinking.values()} <= PARAMETERS
            assert not card.takes & card.refuses, card.id
            assert card.price is None or [tier.above for tier in card.price.tiers] == sorted({t.above for t in card.price.tiers})
    assert count > 3500


def test_the_file_is_small():
    assert (files("lynkr_catalog") / "models.bin").stat().st_size <= 100_000


def test_what_is_proposed_has_no_end_in_sight(catalogue):
    """When this fails `proposals.toml` needs newer models."""
    for vendor in ("anthropic", "openai", "gemini", "xai", "mistral", "deepseek", "moonshot", "zai", "groq"):
        proposed = catalogue.proposals(vendor)
        assert list(proposed) == ["simple", "medium", "complex", "reasoning"]
        assert [catalogue.find(vendor, model).warning(date.today() + timedelta(days=30)) for model in proposed.values()] == [
            None
        ] * 4


# facts read from OpenAI's and Anthropic's documentation through LiteLLM 1.109.1's list
def test_a_model_that_thinks_refuses_sampling(catalogue):
    sol, old, newest = (catalogue.find("openai", name) for name in ("gpt-5.6-sol", "gpt-4o", "gpt-6-astra"))
    assert sol.refused_thinking.keys() == {"temperature", "top_p", "logprobs", "top_logprobs"}
    assert (sol.thinks, catalogue.find("openai", "gpt-5.1").thinks) == (None, False)
    assert "temperature" in newest.refused
    assert old.refused == old.refused_thinking == {}
    assert (sol.token_limit, old.token_limit) == ("max_completion_tokens", None)


def test_a_model_whose_thinking_cannot_be_switched_off_refuses_forced_tools(catalogue):
    opus, haiku = catalogue.find("anthropic", "claude-opus-5-5"), catalogue.find("anthropic", "claude-haiku-5-5")
    assert (opus.thinks, "tool_choice" in opus.refused) == (True, True)
    assert (haiku.thinks, "tool_choice" in haiku.refused) == (False, False)


@pytest.mark.parametrize(
    ("vendor", "model", "prefill"),
    [
        ("anthropic", "claude-haiku-4-5", True), ("anthropic", "claude-sonnet-4-6", False), ("anthropic", "claude-opus-5-5", False),
        ("mistral", "mistral-large-latest", True), ("moonshot", "kimi-k3", True),
        ("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("vertex_ai", "deepseek-ai/deepseek-v3.1-maas", None), ("deepseek", "deepseek-v4-pro", None), ("openai", "gpt-5.6-sol", None),
    ],
)  # fmt: skip
def test_who_goes_on_from_an_answer_that_was_begun(catalogue, vendor, model, prefill):
    assert catalogue.find(vendor, model).prefill is prefill


def test_prices_have_tiers_and_both_cache_writes(catalogue):
    price = catalogue.find("openai", "gpt-5.6-sol").price
    assert [(tier.above, tier.input, tier.output, tier.cache_read) for tier in price.tiers] == [(272_000, 8, 30, 0.8)]
    haiku = catalogue.find("anthropic", "claude-haiku-5-5").price
    assert (haiku.cache_read, haiku.cache_write, haiku.cache_write_1h) == (0.01, 0.125, 0.2)
    assert haiku.tiers[0].above == 100_000


def test_embeddings_have_dimensions(catalogue):
    card = catalogue.find("openai", "text-embedding-3-large")
    assert (card.operation, card.dimensions, card.context_window, card.price.input) == ("embeddings", 3072, 8191, 0.13)


def test_nothing_that_costs_nothing_is_believed_but_what_runs_here(catalogue):
    assert catalogue.find("ollama", "llama3.1").price.input == 0
    assert catalogue.find("github_copilot", "gpt-4o").price is None


@pytest.mark.parametrize(("provider", "model"), [("work", "house-model"), ("other", "house-model"), ("work", "mine")])
def test_what_is_declared_wins(provider, model):
    made = PackagedCatalogue(Config(aliases={"house-model": "azure/gpt-5.4-mini", "work/mine": "openai/gpt-4o"}))
    card = made.card(provider, "azure", model)
    assert card.id == ("openai/gpt-4o" if model == "mine" else "azure/gpt-5.4-mini")
    assert made.card("other", "azure", "mine") is None


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o"])
def test_a_name_is_found_with_and_without_its_vendor_and_only_in_that_vendor(catalogue, name):
    assert catalogue.card("mine", "openai", name).id == "openai/gpt-4o"
    assert catalogue.card("mine", "anthropic", name) is None


def test_a_card_that_is_wrong_can_be_ignored():
    made = PackagedCatalogue(Config(ignore=["mine/gpt-4o"]))
    assert made.card("mine", "openai", "gpt-4o") is None
    assert made.card("yours", "openai", "gpt-4o") is not None


@pytest.mark.parametrize("id", ["gpt-4o", "openai/gpt-4-nix", "nobody/gpt-4o", ""])
def test_an_alias_of_nothing_is_told_by_check(id):
    text = f'[provider.echo]\n[catalog.default]\naliases = {{ "m" = "{id}" }}\n'
    with pytest.raises(ConfigError, match=r"\[catalog.default\]: \$.aliases.m: the catalogue has no"):
        Kernel.from_config(parse(text, {}), {})


def test_a_whole_gateway_has_the_cards_of_its_models():
    text = '[provider.openai]\napi_key = "k"\n[catalog.default]\n[models]\nbig = ["openai/gpt-5.6-sol", "openai/made-up"]\n'
    known, unknown = Kernel.from_config(parse(text, {}), {}).catalog.aliases["big"]
    assert (known.context_window, known.price.source) == (922_000, "litellm 1.109.1: openai/gpt-5.6-sol")
    assert (unknown.card, unknown.price, unknown.context_window) == (None, None, None)


def test_start_up_costs_little():
    """Measured in a process of its own: 3 ms on a quiet machine, of which half is the import."""
    code = (
        "import time, lynkr_core.kernel, lynkr_core.plugins; began = time.process_time(); import lynkr_catalog as c;"
        "m = c.PackagedCatalogue(c.Config()); m.card('a', 'openai', 'gpt-5.6-sol'); m.card('b', 'bedrock', 'x');"
        "print(time.process_time() - began)"
    )
    times = (float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(5))
    assert any(seconds < 0.03 for seconds in times)

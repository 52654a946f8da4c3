from __future__ import annotations

from typing import Any

import pytest

from lynkr_core.config import parse
from lynkr_core.errors import ConfigError, Forbidden
from lynkr_core.kernel import Kernel
from lynkr_core.testing import factories
from lynkr_selector_rules import plugin

LOCAL, SMALL, LARGE, DEEP = ALL = factories.candidates()
CODE = {"prompt_contains": ["code", "function", "debug", "algorithm", "sql"]}
HELLO = {"prompt_contains": ["привет"]}
LISTS = {"ours": (LOCAL,), "both": (SMALL, LOCAL)}


def select(text: str, *rules: Any, candidates: Any = ALL, route: Any = "auto"):
    LOCAL.provider.local = True
    made = factories.exchange({"model": "auto", "messages": [{"role": "user", "content": text}]}, served=candidates)
    made.route = route
    providers = {candidate.provider.name: candidate.provider for candidate in ALL}
    context = factories.context("rules", "selector", tiers=factories.tiers(ALL, lists=LISTS), providers=providers)
    return factories.build(plugin, {"rule": list(rules)}, context).select_provider(made, candidates)


def test_the_article_s_rule_works_as_written():
    found = select("Can you debug this?", {"when": CODE, "to": "cloud/large"})
    assert (found.order, found.reason, found.peers) == ((LARGE, DEEP, SMALL, LOCAL), "rule 1", 1)
    assert select("I like trains", {"when": CODE, "to": "cloud/large"}) is None


def test_what_contains_a_word_stays_local():
    found = select("ну привет", {"when": HELLO, "to": "local"})
    assert found.order == (LOCAL,)
    assert [(removal.candidate, removal.reason) for removal in found.removed] == [(c.id, "rule 1") for c in (SMALL, LARGE, DEEP)]


def test_what_must_stay_is_refused_when_it_cannot():
    with pytest.raises(Forbidden, match="rule 1: only local may serve this request"):
        select("привет", {"when": HELLO, "to": "local"}, candidates=(SMALL, LARGE))
    with pytest.raises(Forbidden):
        select("привет", {"when": HELLO, "to": "local/other"})


def test_staying_can_be_said_and_unsaid():
    assert select("привет", {"when": HELLO, "to": "local", "only": False}).order == (LOCAL, SMALL, LARGE, DEEP)
    assert select("привет", {"when": HELLO, "to": "cloud", "only": True}).order == (SMALL, LARGE)
    assert select("привет", {"when": HELLO, "to": ["local", "cloud/small"]}).order == (LOCAL, SMALL, LARGE, DEEP)


def test_a_name_of_models_is_a_chain_and_one_of_local_models_alone_stays():
    assert select("привет", {"when": HELLO, "to": "ours"}).order == (LOCAL,)
    found = select("привет", {"when": HELLO, "to": "both"})
    assert (found.order, found.peers, found.tier) == ((SMALL, LOCAL, LARGE, DEEP), 1, None)


def test_a_chain_is_tried_in_its_order_and_a_tier_brings_its_fallbacks():
    chain = {"to": ["other", "cloud/small"]}
    assert select("x", chain).order[:2] == (DEEP, SMALL)
    found = select("x", {"to": "complex"})
    assert (found.order, found.tier, found.peers) == ((LARGE, DEEP, SMALL, LOCAL), "complex", 1)


def test_priority_then_the_order_of_writing():
    first, second = {"to": "cloud/small", "name": "a"}, {"to": "other", "name": "b"}
    assert select("x", first, second).reason == "a"
    assert select("x", first, {**second, "priority": 1}).reason == "b"


def test_a_rule_whose_models_are_no_candidates_is_passed_by():
    assert select("x", {"to": "other"}, {"to": "cloud/small"}, candidates=(SMALL, LARGE)).reason == "rule 2"


def test_a_pattern_that_takes_too_long_does_not_match(caplog):
    rules = ({"when": {"prompt_matches": [r"(a|aa)+$"]}, "to": "other"}, {"to": "cloud/small"})
    assert select("aa" * 3000 + "!", *rules).reason == "rule 2"
    assert "took more than" in caplog.text


def test_models_asked_for_by_name_are_left_alone():
    assert select("debug", {"to": "other"}, route="exact") is None


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        ({"when": CODE}, r"\$\.rule\[0\]\.to: is required"),
        ({"to": ""}, "names nobody"),
        ({"to": "a", "when": {"promt_contains": ["x"]}}, r'unknown key; did you mean "prompt_contains"'),
        ({"to": "a", "when": {"prompt_matches": ["("]}}, "no regular expression"),
    ],
)
def test_mistakes_are_named(rule, mistake):
    with pytest.raises(ConfigError, match=mistake):
        select("x", rule)


def test_two_rules_of_one_name_are_a_mistake():
    with pytest.raises(ConfigError, match="named twice: a"):
        select("x", {"to": "local", "name": "a"}, {"to": "cloud", "name": "a"})


def test_the_design_s_file_is_read_as_written():
    """DESIGN §7.3, with providers that need no package of their own."""
    text = """
        [provider.local]
        use = "echo"
        [provider.anthropic]
        use = "echo"
        [tiers]
        simple = ["local/llama3.2"]
        [selector.rules]
        [[selector.rules.rule]]
        when = { prompt_contains = ["code", "function", "debug", "algorithm", "sql"] }
        to = "anthropic/claude-sonnet-5-5"
        """
    catalog = Kernel.from_config(parse(text, {}), {}).catalog
    target = catalog.resolve("auto")
    assert target
    assert [candidate.id for candidate in target.candidates] == ["local/llama3.2", "anthropic/claude-sonnet-5-5"]

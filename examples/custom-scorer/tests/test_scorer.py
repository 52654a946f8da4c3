import pytest

from lynkr_core.errors import ConfigError
from lynkr_core.testing import factories
from lynkr_core.testing.contracts.scorer import ScorerContract
from lynkr_scorer_own_words import plugin

WORDS = {"words": {"invoice": 60, "tax return": 90}, "otherwise": 10}


class TestOwnWordsScorer(ScorerContract):
    plugin = plugin
    table = WORDS


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("Where is my Invoice?", 60, "it says 'invoice'"),
        ("An invoice for the tax return.", 90, "it says 'tax return'"),
        ("Invoices, invoicing", 10, "none of our words"),
        ("", 10, "none of our words"),
    ],
)
def test_the_highest_score_of_the_words_that_are_there_counts(text, value, reason):
    scorer = factories.build(plugin, WORDS, factories.context())
    score = scorer.score(factories.exchange({"model": "auto", "messages": [{"role": "user", "content": text}]}))
    assert (score.value, score.reason) == (value, reason)


def test_points_beyond_a_hundred_are_a_mistake():
    with pytest.raises(ConfigError, match="words"):
        factories.configure(plugin, {"words": {"invoice": 300}})

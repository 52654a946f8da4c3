"""The suite for counters of tokens passes for a good one and fails for bad ones."""

import pytest

TOKENS = """
from lynkr_core.testing.contracts.tokens import TokensContract

class Words:
    def __init__(self, config, context):
        self.tokens = context.tokens

    async def __aenter__(self):
        self.tokens.use(self.count)
        return self

    async def __aexit__(self, *error):
        pass

    def count(self, texts):
        return [max(len(text.split()), 1) if text else 0 for text in texts]

class TestWords(TokensContract):
    plugin = plugin_of(Words)
"""


def test_a_good_counter_passes(run_suite):
    assert set(run_suite(TOKENS).results.values()) == {"passed"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" if text else 0", ""),
        ("max(len(text.split()), 1) if text else 0", "len(texts)"),
        ("len(text.split())", "len(text.encode().split())"),
    ],
)
def test_a_bad_count_fails(run_suite, old, new):
    assert (
        "test_every_text_has_a_count_and_the_empty_one_none"
        in run_suite(TOKENS.replace(old, new), "test_every_text_has_a_count_and_the_empty_one_none").failed
    )

"""The figures of a few recorded conversations: bounds that any sound compressor keeps, whatever the count of tokens."""

from pathlib import Path

import pytest

from lynkr_core.tokens import Tokens

from .savings import DEFAULT, Figures, evaluate, table

SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture(scope="module")
def corpora() -> dict[str, Figures]:
    return evaluate(SAMPLE, DEFAULT, Tokens())[0]


@pytest.fixture(scope="module", params=("claude_code_entire", "tau_airline"))
def figures(request: pytest.FixtureRequest, corpora: dict[str, Figures]) -> Figures:
    return corpora[request.param]


def test_the_bill_gets_smaller(figures: Figures):
    assert figures.ours.cached < 0.97 * figures.client.cached
    assert figures.ours.cached < 0.4 * figures.client.plain


def test_every_prefix_stays_as_it_was(figures: Figures):
    assert figures.ours.kept == figures.ours.could
    assert figures.client.kept == figures.client.could


def test_what_the_agent_needed_is_there(figures: Figures):
    for kind, (count, verbatim, folded) in figures.needles.items():
        assert count == verbatim + folded, kind
    assert figures.needles["used"][1] == figures.needles["used"][0]


def test_it_can_be_printed(figures: Figures):
    assert "against caching only" in "\n".join(table("all", figures))


def test_without_compressors_nothing_changes():
    figures = evaluate(SAMPLE, (), Tokens())[0]["all"]
    assert figures.ours.cached == figures.client.cached

"""Other lists of prices, made by other people, as a check of ours."""

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def compare():
    return runpy.run_path(str(FOLDER / "compare.py"))


def test_the_differences_are_those_that_are_written_down(compare):
    assert (FOLDER / "differences.md").read_text() == compare["page"](), "python plugins/catalog/compare.py writes them"


@pytest.mark.parametrize(("vendors", "other"), [("GENAI", "genai"), ("LABS", "lab")])
def test_most_prices_agree(compare, vendors, other):
    rows = list(compare["pairs"](compare[vendors], compare[other]))
    same = [id for id, ours, theirs in rows if compare["distance"](ours, theirs) <= 1.001]
    assert len(rows) > 150
    assert len(same) >= 0.85 * len(rows)


def test_the_large_labs_agree_whole(compare):
    """OpenAI and Anthropic, which most requests go to: not one price differs in any of the lists."""
    own = {"openai": "openai", "anthropic": "anthropic"}
    rows = [*compare["pairs"](own, compare["genai"]), *compare["pairs"](own, compare["lab"])]
    assert [row for row in rows if compare["distance"](*row[1:]) > 1.001] == []
    assert len(rows) > 100

"""Prompts of an author whom no training has seen (`unseen.tsv`: acceptable tiers with the best one first, language, kind, text; Apache-2.0).

Nothing may be learned from them, nor chosen by them: then somebody else has to write others.
"""

from __future__ import annotations

import csv
from pathlib import Path

HERE = Path(__file__).parent
LETTERS = "SMCR"


def prompts():
    with (HERE / "unseen.tsv").open(encoding="utf-8", newline="") as lines:
        for tiers, _, _, text in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield tiers, text.replace("\\n", "\n")


def given(value):
    return LETTERS[sum(value > bound for bound in (25, 50, 75))]


def test_their_tiers_are_acceptable(score):
    found = [(given(score(text).value), tiers) for tiers, text in prompts()]
    assert len(found) == 400
    places = [(LETTERS.index(tier), [LETTERS.index(right) for right in tiers]) for tier, tiers in found]
    shares = [
        sum(map(check, places)) / len(places)
        for check in (lambda each: each[0] in each[1], lambda each: each[0] < min(each[1]), lambda each: each[0] > max(each[1]))
    ]
    acceptable, under, over = shares
    assert acceptable >= 0.85, shares
    assert under <= 0.07, shares
    assert over <= 0.12, shares


def test_hard_ones_are_hardly_ever_taken_for_easy(score):
    hard = [text for tiers, text in prompts() if set(tiers) <= set("CR")]
    low = [text for text in hard if given(score(text).value) in "SM"]
    assert len(low) <= len(hard) / 8, low


def test_nothing_was_learned_from_them():
    learned = "".join(file.read_text(encoding="utf-8") for file in (HERE.parent / "train").glob("*.tsv"))
    assert [text for _, text in prompts() if len(text) > 40 and text.replace("\n", "\\n") in learned] == []

"""Prompts of authors whom no training has seen (`unseen/`: acceptable tiers with the best one first, language, kind, text; Apache-2.0).

Nothing may be learned from them, nor chosen by them: then somebody else has to write others.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest

from lynkr_core.cli.metrics import tier

HERE = Path(__file__).parent
AUTHORS = sorted(file.stem for file in (HERE / "unseen").glob("*.tsv"))


def but(**reasons):
    """All authors; those named are known to fail, and why."""
    marks = {author: pytest.mark.xfail(strict=True, reason=reason) for author, reason in reasons.items()}
    return [pytest.param(author, marks=marks.get(author, ())) for author in AUTHORS]


LETTERS = "SMCR"
SHORT = 12
"""Characters up to which two authors may well have written the same."""


@cache
def prompts(author):
    with (HERE / f"unseen/{author}.tsv").open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(tiers, kind, text.replace("\\n", "\n")) for tiers, _, kind, text in rows]


def given(value):
    return LETTERS[tier(value)]


def test_there_are_several():
    lengths = {author: len(prompts(author)) for author in AUTHORS}
    assert len(lengths) == 8
    assert set(lengths.values()) <= {400, 398, 397, 395}  # what had been learned before they wrote it is left out


def shares(score, rows):
    """Of these prompts, those with an acceptable tier, with one too low, with one too high."""
    found = [(given(score(text).value), tiers) for tiers, _, text in rows]
    places = [(LETTERS.index(tier), [LETTERS.index(right) for right in tiers]) for tier, tiers in found]
    checks = (lambda each: each[0] in each[1], lambda each: each[0] < min(each[1]), lambda each: each[0] > max(each[1]))
    return [sum(map(check, places)) / len(places) for check in checks]


@pytest.mark.parametrize("author", AUTHORS)
def test_their_tiers_are_acceptable(score, author):
    acceptable, _, over = shares(score, prompts(author))
    assert acceptable >= 0.85
    assert over <= 0.12


@pytest.mark.parametrize("author", but(thirty_second="0.090: very short, plain or pasted ones", thirty_sixth="0.076: plain ones"))
def test_few_of_their_tiers_are_too_low(score, author):
    assert shares(score, prompts(author))[1] <= 0.07


def test_all_authors_together(score):
    rows = [row for author in AUTHORS for row in prompts(author)]
    acceptable, under, over = shares(score, rows)
    assert acceptable >= 0.87
    assert under <= 0.05
    assert over <= 0.09
    hard = [given(score(text).value) for tiers, _, text in rows if set(tiers) <= set("CR")]
    assert len([tier for tier in hard if tier in "SM"]) <= len(hard) / 12


@pytest.mark.parametrize("author", but(thirty_second="20 of 132: very short, plain or pasted ones"))
def test_hard_ones_are_hardly_ever_taken_for_easy(score, author):
    hard = [text for tiers, _, text in prompts(author) if set(tiers) <= set("CR")]
    low = [text for text in hard if given(score(text).value) in "SM"]
    assert len(low) <= len(hard) / 8, low


@pytest.mark.parametrize("author", AUTHORS)
def test_trigger_words_bring_no_harmless_ones_into_the_top_tier_but_one_in_forty(score, author):
    harmless = [text for tiers, kind, text in prompts(author) if kind == "trigger" and set(tiers) <= set("SM")]
    assert len(harmless) >= 29
    assert len([text for text in harmless if given(score(text).value) == "R"]) <= len(harmless) / 40


@pytest.mark.parametrize("author", AUTHORS)
def test_nothing_was_learned_from_them(author):
    files = (HERE.parent / "train").glob("*.tsv")
    learned = {line.split("\t")[-1] for file in files for line in file.read_text(encoding="utf-8").split("\n")}
    assert [text for _, _, text in prompts(author) if len(text) > SHORT and text.replace("\n", "\\n") in learned] == []

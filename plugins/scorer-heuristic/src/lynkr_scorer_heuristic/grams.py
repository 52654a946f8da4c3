"""The character n-grams of an ask's words, and its pairs of words. What is learned and what is looked up are cut here, in one way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from lynkr_scorer_heuristic.reading import Reading

LONGEST = 40
"""Characters of a word that are cut: whatever is longer is an address or a hash."""
LONGEST_EAST = 120
"""The same where no blanks stand between words: more than a clause is no prose."""
_east = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def cut(word: str) -> list[str]:
    """The 3- to 5-grams of a word between blanks; of Han, Kana and Hangul, where a character says more, the 1- to 3-grams."""
    if not word.isascii() and _east.search(word):
        return sliced(word[:LONGEST_EAST], (1, 2, 3))
    word = f" {'0' * min(len(word), 5) if word.isdigit() else word[:LONGEST]} "
    return sliced(word, (3, 4, 5))


def sliced(word: str, sizes: tuple[int, ...]) -> list[str]:
    length = len(word)
    return [word[start : start + size] for size in sizes for start in range(length - size + 1)]


def words_of(reading: Reading) -> set[str]:
    """The distinct words that are cut."""
    return set(reading.words)


def pairs_of(words: Sequence[str]) -> set[str]:
    """The distinct pairs of neighbours, with a blank between; a full stop stands before the first word and after the last."""
    return set(map(" ".join, pairwise((".", *words, "."))))

"""What two texts have in common: their content words, cut to rough stems, and pairs of neighbours."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

_lists = tomllib.loads(files("lynkr_extension_memory").joinpath("rules.toml").read_text())
STOP, WEAK = frozenset(_lists["stop"]), frozenset(_lists["weak"])
LONGEST = 2_000
"""Characters of a text that are compared."""
_word = re.compile(r"[\w+#]+(?:[.'’-][\w+#]+)*")
_wide = re.compile(r"[぀-ヿ㐀-䶿一-鿿가-힯]+")
_endings = (("'s", ""), ("’s", ""), ("ies", "y"), ("ss", "ss"), ("s", ""))
_verbal = (("edly", ""), ("ing", ""), ("ed", ""), ("ly", ""), ("e", ""))
_SHORTEST = 3
"""Letters that are left of a word when an ending goes."""


def words(text: str, without: frozenset[str] = STOP) -> list[str]:
    """Content words in their order; writing without spaces gives its pairs of characters."""
    found: list[str] = []
    for word in _word.findall(text[:LONGEST].casefold()):
        if _wide.match(word):
            found += [word[place : place + 2] for place in range(max(len(word) - 1, 1))]
        elif word not in without:
            found.append(stem(word))
    return found


def asked(text: str) -> set[str]:
    """The words of a question by which memories are found."""
    return set(words(text, STOP | WEAK))


@lru_cache(maxsize=8_192)
def stem(word: str) -> str:
    """`tabs`, `deployed` and `deploying` meet at `tab` and `deploy`; short words and numbers stay as they are."""
    for endings in (_endings, _verbal):
        for ending, instead in endings:
            if word.endswith(ending):
                if len(word) - len(ending) + len(instead) >= _SHORTEST:
                    word = word.removesuffix(ending) + instead
                break
    return word


def grams(single: Sequence[str]) -> frozenset[str]:
    """Content words and neighbouring pairs of them."""
    return frozenset(single) | {f"{one} {other}" for one, other in pairwise(single)}


def novelty(said: frozenset[str], known: Iterable[frozenset[str]]) -> float:
    """The share of its grams that the most alike of the known texts does not have: 0 for a repetition, 1 for something new."""
    if not said:
        return 0.0
    return 1.0 - max((len(said & one) for one in known), default=0) / len(said)

"""The learned model: two linear sums over n-grams and signals, and the curves that make a score from 0 to 100 of them.

`size` says how much work there is (the rubric's tiers up to complex, blended with "a weak model fails this"); `reason` says how much
it looks like something to be proved or searched for. The higher of the two curves' points is the score.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from importlib.resources import files

import msgspec
from msgspec import Struct

from lynkr_scorer_heuristic.grams import cut

MAX_WORDS = 8_192
"""Words whose sum is remembered; when there are more, all are forgotten."""
CHARACTERS = 16
"""A remembered word is at most so long."""

Curve = Sequence[tuple[float, float]]
"""Points (sum, score), both increasing; straight in between, level outside."""


class Stored(Struct, frozen=True, forbid_unknown_fields=True):
    """`weights.msgpack`. `grams` stand between line feeds; `size` and `reason` hold 16 bits for each, little-endian, in units of `scale`."""

    grams: str
    size: bytes
    reason: bytes
    scale: float
    signals: dict[str, tuple[float, float]]
    base: tuple[float, float]
    curves: tuple[Curve, Curve]


class Model:
    """Sums are complex numbers, because those are the cheapest pairs to add: `size` is real, `reason` imaginary."""

    def __init__(self, stored: Stored) -> None:
        scale = stored.scale
        pairs = zip(numbers(stored.size), numbers(stored.reason), strict=True)
        weights = [complex(size * scale, reason * scale) for size, reason in pairs]
        self.grams: Mapping[str, complex] = dict(zip(stored.grams.split("\n"), weights, strict=True))
        self.signals = {name: complex(*pair) for name, pair in stored.signals.items()}
        self.base = complex(*stored.base)
        self.size, self.reason = stored.curves
        self._words: dict[str, complex] = {}

    def of_words(self, words: set[str]) -> complex:
        """The mean sum of distinct words, over the root of their number: what is said twice as long weighs a little more."""
        known = self._words
        total = 0j
        for word in words:
            found = known.get(word)
            total += self.of_word(word) if found is None else found
        return total / len(words) ** 0.5 if words else total

    def of_word(self, word: str) -> complex:
        """The sum of a word's n-grams, remembered: words return all the time."""
        get = self.grams.get
        found = sum([get(gram, 0j) for gram in cut(word)], 0j)
        if len(word) <= CHARACTERS:
            if len(self._words) >= MAX_WORDS:
                self._words.clear()
            self._words[word] = found
        return found

    def score_of(self, total: complex) -> float:
        return max(at(self.size, total.real), at(self.reason, total.imag))


def at(curve: Curve, x: float) -> float:
    """The height of a curve."""
    index = bisect_right(curve, x, key=first)
    if index in (0, len(curve)):
        return curve[min(index, len(curve) - 1)][1]
    (left, low), (right, high) = curve[index - 1], curve[index]
    return low + (high - low) * (x - left) / (right - left)


def first(point: tuple[float, float]) -> float:
    return point[0]


def numbers(data: bytes) -> array[int]:
    found = array("h", data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def load() -> Model:
    """The model of this package. Takes some milliseconds."""
    data = files(__package__ or "lynkr_scorer_heuristic").joinpath("weights.msgpack").read_bytes()
    return Model(msgspec.msgpack.decode(data, type=Stored))

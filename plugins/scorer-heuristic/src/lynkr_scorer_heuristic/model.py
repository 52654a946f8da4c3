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
CHARACTERS = 24
"""A remembered word is at most so long."""
TOLD = 4
"""Words whose n-grams are told."""
LEAST = 0.5
"""Points below which a part of the score is not told."""


class Stored(Struct, frozen=True, forbid_unknown_fields=True):
    """`weights.msgpack`. `grams` stand between line feeds; `size` and `reason` hold a 32-bit float for each, little-endian."""

    grams: str
    size: bytes
    reason: bytes
    signals: dict[str, tuple[float, float]]
    base: tuple[float, float]
    curves: tuple[list[tuple[float, float]], list[tuple[float, float]]]


class Model:
    """Sums are complex numbers, because those are the cheapest pairs to add: `size` is real, `reason` imaginary."""

    def __init__(self, stored: Stored, changed: Mapping[str, float]) -> None:
        weights = map(complex, numbers(stored.size), numbers(stored.reason))
        self.grams: Mapping[str, complex] = dict(zip(stored.grams.split("\n"), weights, strict=True))
        learned = {name: complex(*pair) for name, pair in stored.signals.items()}
        self.signals = learned | {name: complex(value, learned[name].imag) for name, value in changed.items()}
        self.base = complex(*stored.base)
        self.size, self.reason = map(Curve, stored.curves)
        self._words: dict[str, complex] = {}
        self._grams: dict[str, tuple[str, complex]] = {}

    def of_words(self, words: set[str]) -> complex:
        """The sum over distinct words, divided by the root of their number."""
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

    def explained(self, words: set[str], signals: Mapping[str, float]) -> tuple[float, dict[str, float]]:
        """The score, and what each signal and the strongest n-grams added: their share of the sum that decided, as steep as its curve."""
        weights = self.signals
        parts = {name: weights[name] * amount for name, amount in signals.items()}
        total = sum(parts.values(), self.base + self.of_words(words))
        parts |= self.strongest(words)
        size, reason = self.size.at(total.real), self.reason.at(total.imag)
        if size >= reason:
            steep = self.size.slope(total.real)
            return size, {name: points for name, part in parts.items() if abs(points := part.real * steep) >= LEAST}
        steep = self.reason.slope(total.imag)
        return reason, {name: points for name, part in parts.items() if abs(points := part.imag * steep) >= LEAST}

    def strongest(self, words: set[str]) -> dict[str, complex]:
        """The strongest n-gram of each of the strongest words, as shares of the sum."""
        known, root = self._words, len(words) ** 0.5
        ranked = sorted([(-abs(known[word]), word) for word in words if word in known])[:TOLD]
        return {name: weight / root for name, weight in [self.gram_of(word) for _, word in ranked]}

    def gram_of(self, word: str) -> tuple[str, complex]:
        """A word's strongest n-gram, in quotes, and its weight."""
        found = self._grams.get(word)
        if found is None:
            gram = max(cut(word), key=lambda gram: abs(self.grams.get(gram, 0j)))
            if len(self._grams) >= MAX_WORDS:
                self._grams.clear()
            found = self._grams[word] = f'"{gram}"', self.grams.get(gram, 0j)
        return found


class Curve:
    """Points (sum, score), both increasing: straight in between, level outside."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        self.xs, self.heights = [x for x, _ in points], [height for _, height in points]

    def at(self, x: float) -> float:
        xs, heights = self.xs, self.heights
        index = bisect_right(xs, x)
        if index in (0, len(xs)):
            return heights[min(index, len(xs) - 1)]
        low = heights[index - 1]
        return low + (heights[index] - low) * (x - xs[index - 1]) / (xs[index] - xs[index - 1])

    def slope(self, x: float) -> float:
        """How steep it is there; outside, as at its nearer end."""
        right = min(max(bisect_right(self.xs, x), 1), len(self.xs) - 1)
        return (self.heights[right] - self.heights[right - 1]) / (self.xs[right] - self.xs[right - 1])


def numbers(data: bytes) -> array[float]:
    found = array("f", data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def load(changed: Mapping[str, float]) -> Model:
    """The model of this package, with other weights for some signals. Takes some milliseconds."""
    data = files(__package__ or "lynkr_scorer_heuristic").joinpath("weights.msgpack").read_bytes()
    return Model(msgspec.msgpack.decode(data, type=Stored), changed)

"""The learned model: four linear sums over n-grams, pairs of words and signals. `scale.py` makes a score from 0 to 100 of them.

Three are log odds, of the rubric's tier being at least medium, complex and reasoning. The fourth is how much more often than usual weak
models fail; it moves all three a little.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Iterable, Mapping
from importlib.resources import files

import msgspec
from msgspec import Struct

from lynkr_scorer_heuristic.grams import cut
from lynkr_scorer_heuristic.scale import lift_for, score

MAX_WORDS = 8_192
"""Words whose sum is remembered; when there are more, all are forgotten."""
CHARACTERS = 24
"""A remembered word is at most so long."""
TOLD = 4
"""Words whose n-grams are told, and pairs."""
LEAST = 0.05
"""Points below which an n-gram's part of the score is not told."""
CHOICE = "choice"
"""The signal of a question with answers to choose from."""
LOG_ODDS = 0.3
"""Log odds for a point of a weight that is set by hand."""
Four = tuple[float, float, float, float]
Part = tuple[complex, complex]
"""Four numbers: (medium + complex i, reasoning + fails i). Complex numbers are the cheapest pairs to add."""
NONE: Part = (0j, 0j)


class Stored(Struct, frozen=True, forbid_unknown_fields=True):
    """`weights.msgpack`. `grams` and pairs stand between line feeds; `weights` holds four 32-bit floats for each, little-endian."""

    grams: str
    weights: bytes
    signals: dict[str, Four]
    base: Four
    bounds: tuple[float, float, float]
    lift: Four
    """Log odds for one unit of the fourth sum: to pass the two lower bounds, within a tier, to pass the highest, and to pass any where
    there are answers to choose from."""


class Model:
    """The stored weights, ready to be added."""

    def __init__(self, stored: Stored, changed: Mapping[str, float]) -> None:
        rows = numbers(stored.weights)
        firsts, seconds = map(complex, rows[0::4], rows[1::4]), map(complex, rows[2::4], rows[3::4])
        self.grams: Mapping[str, Part] = dict(zip(stored.grams.split("\n"), zip(firsts, seconds, strict=True), strict=True))
        self.signals = {name: part(four) for name, four in stored.signals.items()}
        self.signals |= {name: by_hand(value, self.signals[name]) for name, value in changed.items()}
        self.base, self.bounds, self.lift = part(stored.base), stored.bounds, stored.lift
        self._words: dict[str, Part] = {}
        self._grams: dict[str, tuple[str, Part]] = {}

    def of_words(self, words: set[str]) -> Part:
        """The sum over distinct words, divided by the root of their number."""
        known = self._words
        left = right = 0j
        for word in words:
            first, second = known.get(word) or self.of_word(word)
            left += first
            right += second
        root = len(words) ** 0.5 or 1.0
        return left / root, right / root

    def of_word(self, word: str) -> Part:
        """The sum of a word's n-grams, remembered: words return all the time."""
        get = self.grams.get
        left = right = 0j
        for gram in cut(word):
            if found := get(gram):
                left += found[0]
                right += found[1]
        if len(word) <= CHARACTERS:
            if len(self._words) >= MAX_WORDS:
                self._words.clear()
            self._words[word] = (left, right)
        return left, right

    def of_pairs(self, pairs: Collection[str], root: float) -> dict[str, Part]:
        """Those pairs of words that are known, as shares of the sums."""
        known = sorted(self.grams.keys() & pairs)
        return {f'"{pair}"': scaled(self.grams[pair], 1 / root) for pair in known}

    def explained(
        self, words: set[str], signals: Mapping[str, float], pairs: Collection[str] = ()
    ) -> tuple[float, dict[str, float]]:
        """The score, and what each signal and the strongest n-grams and pairs added to it: the score less what it would be without."""
        parts = {name: scaled(self.signals[name], amount) for name, amount in signals.items() if amount}
        found = self.of_pairs(pairs, len(words) ** 0.5 or 1.0)
        whole = total((self.base, self.of_words(words), *parts.values(), *found.values()))
        lift = lift_for(self.lift, bool(signals.get(CHOICE)))
        value = self.value(whole, lift)
        points = {
            name: round(value - self.value(less(whole, parts[name]), lift), 2) if name in parts else 0.0 for name in signals
        }
        strongest = sorted(found, key=lambda name: -abs(found[name][0]))[:TOLD]
        for name, each in (self.strongest(words) | {name: found[name] for name in strongest}).items():
            if abs(added := value - self.value(less(whole, each), lift)) >= LEAST:
                points[name] = round(added, 2)
        return value, points

    def value(self, sums: Part, lift: tuple[float, float, float]) -> float:
        left, right = sums
        return score((left.real, left.imag, right.real, right.imag), self.bounds, lift)

    def strongest(self, words: set[str]) -> dict[str, Part]:
        """The strongest n-gram of each of the strongest words, as shares of the sums."""
        known, root = self._words, len(words) ** 0.5
        ranked = sorted([(-abs(known[word][0]), word) for word in words if word in known])[:TOLD]
        return {name: scaled(weight, 1 / root) for name, weight in [self.gram_of(word) for _, word in ranked]}

    def gram_of(self, word: str) -> tuple[str, Part]:
        """A word's strongest n-gram, in quotes, and its weights."""
        found = self._grams.get(word)
        if found is None:
            gram = max(cut(word), key=lambda gram: abs(self.grams.get(gram, NONE)[0]))
            if len(self._grams) >= MAX_WORDS:
                self._grams.clear()
            found = self._grams[word] = f'"{gram}"', self.grams.get(gram, NONE)
        return found


def part(four: Four) -> Part:
    return complex(four[0], four[1]), complex(four[2], four[3])


def by_hand(points: float, learned: Part) -> Part:
    """A weight set by hand moves all three log odds; what it says of failures stays as learned."""
    moved = points * LOG_ODDS
    return complex(moved, moved), complex(moved, learned[1].imag)


def scaled(each: Part, amount: float) -> Part:
    return each[0] * amount, each[1] * amount


def less(whole: Part, each: Part) -> Part:
    return whole[0] - each[0], whole[1] - each[1]


def total(parts: Iterable[Part]) -> Part:
    left = right = 0j
    for first, second in parts:
        left += first
        right += second
    return left, right


def numbers(data: bytes) -> array[float]:
    found = array("f", data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def load(changed: Mapping[str, float]) -> Model:
    """The model of this package, with other weights for some signals. Takes some milliseconds."""
    data = files(__package__ or "lynkr_scorer_heuristic").joinpath("weights.msgpack").read_bytes()
    return Model(msgspec.msgpack.decode(data, type=Stored), changed)

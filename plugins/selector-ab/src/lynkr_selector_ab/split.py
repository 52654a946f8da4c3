"""Which part of a whole an id belongs to: always the same, and the parts have their sizes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from math import isqrt

WHOLE = 1 << 64
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113)
NUMBER = re.compile(r"\d{1,15}(?=\D*\Z)")


class Split:
    """`shares` are sizes relative to each other. Splits of different names have nothing to do with each other."""

    def __init__(self, name: str, shares: Sequence[float]) -> None:
        self.name = name
        total = sum(shares)
        self.bounds = [round(bound / total * WHOLE) for bound in accumulate(shares)][:-1]
        self.step = irrational(PRIMES[hashed(name) % len(PRIMES)])
        self.of = lru_cache(4096)(self._of)

    def _of(self, id: str) -> int:
        """The index of the share.

        Ids that differ in their last number lie evenly: each next number is a step of the square root of a prime further round the circle (a
        Kronecker sequence), so ten thousand of them split more exactly than by chance. Everything else is hashed.
        """
        number = NUMBER.search(id)
        stem = f"{id[: number.start()]}\0{id[number.end() :]}" if number else id
        point = hashed(f"{self.name}\0{stem}") + (int(number[0]) * self.step if number else 0)
        return bisect_right(self.bounds, point % WHOLE)


def hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def irrational(prime: int) -> int:
    """The digits of its square root behind the point, as a part of `WHOLE`."""
    return isqrt(prime << 128) % WHOLE

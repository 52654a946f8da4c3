"""The pairs of `pairs.txt`, in the half to tune on and the half to be judged by."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import combinations
from pathlib import Path
from typing import NamedTuple


class Pair(NamedTuple):
    kind: str
    one: str
    other: str

    @property
    def same(self) -> bool:
        return self.kind == "="


class Family(NamedTuple):
    question: str
    others: list[tuple[str, str]]

    def pairs(self) -> list[Pair]:
        return [Pair(kind, self.question, text) for kind, text in self.others]

    def crossed(self) -> Iterator[Pair]:
        """What follows from what was written: each wording of the question against each that only looks alike, and those among themselves."""
        alike = [text for kind, text in self.others if kind == "="]
        wrong = [(kind, text) for kind, text in self.others if kind != "="]
        for text in alike:
            yield from (Pair(kind, text, other) for kind, other in wrong)
        for (kind, one), (_, other) in combinations(wrong, 2):
            yield Pair(kind, one, other)


def families() -> Iterator[Family]:
    for line in (Path(__file__).parent / "pairs.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            question, *rest = [piece.strip() for piece in line.split(" | ")]
            others = [("=", piece[2:].strip()) if piece.startswith("=") else split(piece) for piece in rest]
            yield Family(question, others)


def split(piece: str) -> tuple[str, str]:
    kind, _, text = piece.partition(": ")
    return kind, text


def half(name: str) -> list[Family]:
    """`dev` or `test`, by a hash of the question."""
    return [one for one in families() if (blake2b(one.question.encode()).digest()[0] & 1) == (name == "test")]

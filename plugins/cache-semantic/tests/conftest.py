"""The pairs to tune on, and those to be judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest


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


def families(file: str = "pairs.txt") -> Iterator[Family]:
    for line in (Path(__file__).parent / file).read_text().splitlines():
        if line and not line.startswith("#"):
            question, *rest = [piece.strip() for piece in line.split(" | ")]
            others = [("=", piece[2:].strip()) if piece.startswith("=") else split(piece) for piece in rest]
            yield Family(question, others)


def split(piece: str) -> tuple[str, str]:
    kind, _, text = piece.partition(": ")
    return kind, text


def half(name: str) -> list[Family]:
    """`dev`, which the guard was made on, or `test`, which was written after it."""
    return list(families("pairs.txt" if name == "dev" else "judged.txt"))


@pytest.fixture(scope="session")
def families_of() -> Callable[[str], list[Family]]:
    return half

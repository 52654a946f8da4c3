"""What every cell of the matrix has to be."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import front_chat, front_messages, front_responses
from .column import Column, Different, Finder
from .features import ANSWERED, ASKED
from .front import Front

CARRIED, DIFFERENT, TOLD, REFUSED = "carried", "differently", "told", "refused"
FRONTS: list[Front] = [front_chat.FRONT, front_responses.FRONT, front_messages.FRONT]
COLUMNS: list[Column] = [
    importlib.import_module(f"{__package__}.{path.stem}").COLUMN for path in sorted(Path(__file__).parent.glob("column_*.py"))
]


class Cell(NamedTuple):
    """One feature from one front to one column. `how`: the words for the caller's losses, or how it is expressed."""

    feature: str
    front: Front
    column: Column
    verdict: str
    how: str = ""
    find: Finder | None = None
    value: object = None

    @property
    def name(self) -> str:
        return f"{self.feature}: {self.front.title} to {self.column.title}"


def requests() -> Iterator[Cell]:
    for feature in ASKED:
        for front in FRONTS:
            if feature in front.asked:
                yield from (request(feature, front, column) for column in COLUMNS)


def request(feature: str, front: Front, column: Column) -> Cell:
    """Raises `LookupError` when nobody has said what becomes of it: that is the silence that must not be."""
    if front.name == column.name:
        return Cell(feature, front, column, CARRIED)
    for key in ((feature, front.name), feature):
        if key in column.refused:
            return Cell(feature, front, column, REFUSED, column.refused[key])
        if key in column.lost:
            return Cell(feature, front, column, TOLD, column.lost[key])
        if key in column.differently:
            return _different(feature, front, column, column.differently[key])
        if key in column.sent:
            return Cell(feature, front, column, CARRIED, "", column.sent[key], ASKED[feature])
    raise LookupError(f"{column.title} says nothing of {feature!r} asked by {front.title}")


def _different(feature: str, front: Front, column: Column, said: Different) -> Cell:
    return Cell(feature, front, column, DIFFERENT, said.how, said.find, said.value)


def answers() -> Iterator[Cell]:
    for feature in ANSWERED:
        for column in COLUMNS:
            if feature not in column.untold:
                yield from (answer(feature, front, column) for front in FRONTS)


def answer(feature: str, front: Front, column: Column) -> Cell:
    """Raises `LookupError` for a feature that the column neither says nor says why not."""
    script = column.answers.get(feature)
    if script is None:
        raise LookupError(f"{column.title} neither answers with {feature!r} nor says why it cannot")
    if front.name == column.name:
        return Cell(feature, front, column, CARRIED)
    why = column.unheard.get((feature, front.name)) or front.unheard.get(feature)
    if why:
        return Cell(feature, front, column, TOLD, why)
    if feature in front.differs:
        return Cell(
            feature, front, column, DIFFERENT, front.differs[feature], None, front.expects.get(feature, ANSWERED[feature])
        )
    return Cell(feature, front, column, CARRIED, "", None, front.expects.get(feature, ANSWERED[feature]))

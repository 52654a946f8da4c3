"""The cells of one column: what they have in common, and what each row has of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from lynkr_compressor_json.values import Number, write

MISSING: Final = object()
"""The row has no such key."""
SLOT = "_"
"""A whole value that each row has of its own."""
PART = "{}"
"""A part of a string that each row has of its own; with a number inside it is that part once more."""
SAME = "^"
"""A cell like the one above it."""
_PARTS = re.compile(r"\{\d*\}")
_PIECES = re.compile(r"[^\W\d_]+|\d+|\s+|.", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORDS = frozenset(("true", "false", "null"))
_QUOTED = re.compile(r'[,"\x00-\x1f]|\A[\[{^ ]|\A\Z| \Z')


class Column:
    """How a key's values are written: `template` stands in the head, `slots` are the cells of each slot in it, by row."""

    def __init__(self, template: str, slots: list[list[str]]) -> None:
        self.template = template
        self.slots = slots


def column(values: Sequence[Any], whole: bool) -> Column:
    """Of one key's values, in the order of the rows. `whole`: none of them is cut."""
    if not whole and all(isinstance(value, str) and not isinstance(value, Number) for value in values):
        return strings(values)
    texts = ["" if value is MISSING else cell(value) for value in values]
    first = values[0]
    if first is not MISSING and len({*texts}) == 1 and _PARTS.search(write(first)) is None:
        return Column(write(first), [])
    return Column(SLOT, [texts])


def strings(values: Sequence[str]) -> Column:
    pieces = [_PIECES.findall(value) for value in values]
    made = _aligned(pieces) if len({*map(len, pieces)}) == 1 else _ends(pieces)
    fixed = [piece for piece in made if isinstance(piece, str)]
    if not any(fixed) or _PARTS.search("\0".join(fixed)) or "{" in "".join([piece[-1:] + piece[:1] for piece in fixed]):
        return Column(SLOT, [[cell(value) for value in values]])
    template = "".join([piece if isinstance(piece, str) else PART for piece in made])
    return Column(write(template), [[part(one) for one in piece] for piece in made if isinstance(piece, list)])


def _aligned(rows: list[list[str]]) -> list[str | list[str]]:
    """Fixed pieces, and lists of those that differ from row to row."""
    made: list[str | list[str]] = []
    for pieces in zip(*rows, strict=True):
        fixed = len({*pieces}) == 1
        last = made[-1] if made else None
        if fixed:
            made[-1:] = [last + pieces[0]] if isinstance(last, str) else [*made[-1:], pieces[0]]
        elif isinstance(last, list):
            made[-1] = [one + more for one, more in zip(last, pieces, strict=True)]
        else:
            made.append(list(pieces))
    return made


def _ends(rows: list[list[str]]) -> list[str | list[str]]:
    """What all begin and end with, and what stands between."""
    least = min(map(len, rows))
    head = next((i for i in range(least) if len({row[i] for row in rows}) > 1), least)
    tail = next((i for i in range(least - head) if len({row[-1 - i] for row in rows}) > 1), least - head)
    middle = ["".join(row[head : len(row) - tail]) for row in rows]
    return ["".join(rows[0][:head]), middle, "".join(rows[0][len(rows[0]) - tail :])]


def part(text: str) -> str:
    """A cell inside a string."""
    return write(text) if _QUOTED.search(text) else text


def cell(value: Any) -> str:
    """A cell that is a whole value. What reads as nothing else is a string without quotes."""
    if not isinstance(value, str) or isinstance(value, Number):
        return write(value)
    bare = _QUOTED.search(value) is None and _NUMBER.fullmatch(value) is None and value not in _WORDS
    return value if bare else write(value)


def is_bare(text: str) -> bool:
    """Whether this cell, read as a value, is a string without quotes."""
    return _NUMBER.fullmatch(text) is None and text not in _WORDS

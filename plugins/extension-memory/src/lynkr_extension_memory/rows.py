"""What is kept: one row for each memory, and one for what was recalled in each conversation."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lynkr_extension_memory.extraction import Kind

MOST_TURNS = 4_096
"""Turns of one conversation that are remembered; in later ones nothing is recalled any more."""


class Row(Struct, kw_only=True, array_like=True):
    """One memory. `who`: whose it is, to be shown; `session`: where it was said, by its client's own name.

    `at`: seconds since 1970 when it was said last, `said`: how often. `origin`: of which turn. `by`: user, answer or model. `words`: of the
    text, by which it is found.
    """

    id: str
    who: str
    session: str
    kind: Kind
    text: str
    weight: float
    at: float
    origin: bytes
    by: str = "user"
    said: int = 1
    slot: str | None = None
    words: list[str] = []


class Line(Struct, frozen=True, array_like=True):
    """A recalled memory, as it was told."""

    id: str
    text: str


class Turn(Struct, array_like=True):
    """What was recalled at one turn of the caller's: often nothing, which is remembered, too."""

    anchor: bytes
    lines: list[Line] = []


class Record(Struct, array_like=True):
    """One conversation. `tokens`: of all that was recalled in it."""

    tokens: int = 0
    turns: list[Turn] = []

    def find(self, anchor: bytes) -> Turn | None:
        return next((turn for turn in self.turns if turn.anchor == anchor), None)

    def ids(self) -> set[str]:
        return {line.id for turn in self.turns for line in turn.lines}

    def without(self, ids: set[str]) -> bool:
        """Takes these memories out. True when there were any."""
        known = bool(ids & self.ids())
        for turn in self.turns if known else ():
            turn.lines = [line for line in turn.lines if line.id not in ids]
        return known


_encode = msgspec.msgpack.Encoder().encode
_row = msgspec.msgpack.Decoder(Row).decode
_record = msgspec.msgpack.Decoder(Record).decode
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)


def packed(value: Row | Record) -> bytes:
    return _encode(value)


def row_of(data: bytes) -> Row | None:
    """None for what another version has written."""
    try:
        return _row(data)
    except UNREADABLE:
        return None


def record_of(data: bytes | None) -> Record:
    """An empty one for what cannot be read."""
    try:
        return Record() if data is None else _record(data)
    except UNREADABLE:
        return Record()

"""Line numbers before each line, as tools that read files put them: `    12→text`.

Of a run of such lines the numbers are taken off, but for every tenth, the first, and the one after a gap; the line
`[lines 12-71]` before it says which they are. The text after the number is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

LEAST = 5
"""Lines of a run that is worth it."""
STEP = 10
NOTE = "; the first and every 10th are numbered"
"""Said once in a conversation."""
WIDTH = 6
MARK = "→"
"""Columns of a number and what stands after it, unless the head says otherwise."""

_GUTTER = re.compile(r"( *)(\d{1,7})(→|\t|\| ?| \| ?|: ?)")
_MARK = re.compile(r'\[lines (\d+)-(\d+)(?: of width (\d+))?(?: with "([^"]+)")?(?:; [^\]]*)?\]')


class Block(NamedTuple):
    """Lines `start` to `end` of a text (end exclusive) are numbered from `first`, in `width` columns, before `mark`."""

    start: int
    end: int
    first: int
    width: int
    mark: str

    def number(self, line: int) -> int:
        return self.first + line - self.start

    def gutter(self, line: int) -> str:
        return f"{self.number(line):>{self.width}}{self.mark}"

    def head(self, note: str) -> str:
        width = "" if self.width == WIDTH else f" of width {self.width}"
        mark = "" if self.mark == MARK else f' with "{self.mark}"'
        return f"[lines {self.first}-{self.number(self.end - 1)}{width}{mark}{note}]"


def blocks(lines: Sequence[str]) -> list[Block]:
    """Every run of lines with consecutive numbers."""
    found: list[Block] = []
    at, last = 0, len(lines) - LEAST
    while at <= last:
        block = _block(lines, at) if (lines[at][:1] or "x") in " 0123456789" else None
        if block is None:
            at += 1
            continue
        found.append(block)
        at = block.end
    return found


def _block(lines: Sequence[str], at: int) -> Block | None:
    match = _GUTTER.match(lines[at])
    if match is None:
        return None
    blanks, digits, mark = match.groups()
    if mark in (": ", "| ", " | ") and not lines[at + 1].startswith(f"{int(digits) + 1:>{len(blanks + digits)}}{mark}"):
        mark = mark.rstrip(" ")
    width = len(blanks) + len(digits) if blanks else (WIDTH if len(digits) >= WIDTH else 0)
    number = int(digits)
    if f"{number:>{width}}" != blanks + digits:
        return None
    end = at
    for line in lines[at:]:
        if not line.startswith(f"{number:>{width}}{mark}"):
            break
        number += 1
        end += 1
    return Block(at, end, int(digits), width, mark) if end - at >= LEAST else None


class Head(NamedTuple):
    """What a block's head says."""

    first: int
    last: int
    width: int
    mark: str


def parse(line: str) -> Head | None:
    """None for a line that is no head."""
    match = _MARK.fullmatch(line)
    return None if match is None else Head(int(match[1]), int(match[2]), int(match[3] or WIDTH), match[4] or MARK)

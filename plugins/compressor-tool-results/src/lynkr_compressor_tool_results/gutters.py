"""Line numbers before each line, as tools that read files put them: `    12→text`.

Of a run of such lines the numbers are taken off, but for every tenth, the first, and the one after a gap; the line
`[= lines 12-71]` before it says which they are. The text after the number is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

LEAST = 5
"""Lines of a run that is worth it."""
STEP = 10
NOTE = "; the first and every 10th are numbered"
"""Said once in a conversation."""
WIDTH = 6
CHUNK = 64
"""Lines that are looked at together, at first."""
MOST = 20_000
"""Numbers whose gutters are kept ready."""
MARK = "→"
"""Columns of a number and what stands after it, unless the head says otherwise."""

_GUTTER = re.compile(r"( *)(\d{1,7})(→|\t|\| ?| \| ?|: ?)")
FOLLOWING = re.compile(r"\n *\d{1,7}(?:→|\t| ?\||:)")
"""In every text with a run of them."""
_MARK = re.compile(r'\[= lines (\d+)-(\d+)(?: of width (\d+))?(?: with "([^"]+)")?(?:; [^\]]*)?\]')


class Block(NamedTuple):
    """Lines `start` to `end` of a text (end exclusive) are numbered from `first`, in `width` columns, before `mark`.

    `texts`: what these stand before.
    """

    start: int
    end: int
    first: int
    width: int
    mark: str
    texts: list[str]

    def head(self, note: str) -> str:
        width = "" if self.width == WIDTH else f" of width {self.width}"
        mark = "" if self.mark == MARK else f' with "{self.mark}"'
        return f"[= lines {self.first}-{self.first + self.end - self.start - 1}{width}{mark}{note}]"


def blocks(lines: Sequence[str]) -> list[Block]:
    """Every run of lines with consecutive numbers."""
    found: list[Block] = []
    at, last = 0, len(lines) - LEAST
    while at <= last:
        match = _GUTTER.match(lines[at])
        block = None if match is None else _block(lines, at, match)
        if block is None:
            at += 1
            continue
        found.append(block)
        at = block.end
    return found


def _block(lines: Sequence[str], at: int, match: re.Match[str]) -> Block | None:
    blanks, digits, mark = match.groups()
    number, second = int(digits), lines[at + 1]
    width = len(blanks) + len(digits) if blanks else (WIDTH if len(digits) >= WIDTH else 0)
    if mark[-1] == " " and not second.startswith(f"{number + 1:>{width}}{mark}"):
        mark = mark.rstrip(" ")
    if f"{number:>{width}}" != blanks + digits or not second.startswith(f"{number + 1:>{width}}{mark}"):
        return None
    first = int(digits)
    texts: list[str] = []
    while at + len(texts) < len(lines):
        found = _texts(lines, at + len(texts), first + len(texts), width, mark, max(len(texts), CHUNK))
        texts += found
        if len(found) < max(len(texts) - len(found), CHUNK):
            break
    return Block(at, at + len(texts), first, width, mark, texts) if len(texts) >= LEAST else None


def _texts(lines: Sequence[str], at: int, first: int, width: int, mark: str, most: int) -> list[str]:
    """What stands behind the numbers from `first` on, of at most so many lines."""
    chunk = lines[at : at + most]
    if width == WIDTH and first + most < MOST:  # all gutters have one length, and are compared in one go
        size, gutters = width + len(mark), table(mark)[first : first + len(chunk)]
        heads = [line[:size] for line in chunk]
        count = len(heads) if heads == gutters else next(i for i, head in enumerate(heads) if head != gutters[i])
        return [line[size:] for line in chunk[:count]]
    found: list[str] = []
    for number, line in enumerate(chunk, first):
        gutter = f"{number:>{width}}{mark}"
        if not line.startswith(gutter):
            break
        found.append(line[len(gutter) :])
    return found


@lru_cache(maxsize=8)
def table(mark: str) -> list[str]:
    """The gutters of all numbers in the usual width."""
    return [f"{number:>{WIDTH}}{mark}" for number in range(MOST)]


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

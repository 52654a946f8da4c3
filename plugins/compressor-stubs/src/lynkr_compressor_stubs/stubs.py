"""A long text as a stub: its head, its tail, and the lines between that matter; what is left out is named by the id and its lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b

HEAD, TAIL = 12, 25
"""Lines that are always kept, as far as there is room."""
AROUND = 1
"""Lines before and after one that matters."""
ROOM = 3_200
"""Characters that a stub keeps of the text, shared by its tail, what matters, and its head."""
LONGEST = 400
"""Characters of a kept line; the rest of it can be had like left-out lines."""
_matters = re.compile(
    r"\b(?:error|errors|fail|failed|failure|failures|fatal|panic|exception|traceback|denied|refused|not found|undefined|cannot"
    r"|could not|unable to|segfault|killed|timed? ?out|assert\w*|expected|warning: unused|critical)\b"
    r"|^\s*(?:E\s|FAIL|---\s+FAIL|✗|✘|×|not ok)|^#{1,4}\s|\bexit (?:code|status)\b|\b\d+ (?:passed|failed|errors?|tests?)\b",
    re.IGNORECASE,
)
_harmless = re.compile(r"\b(?:0|no) (?:errors?|failures?|failed|warnings?)\b", re.IGNORECASE)


def id_of(principal: str, text: str) -> str:
    """The same for the same text of the same caller; nobody can reach another's by guessing."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6, key=principal.encode()[:64]).hexdigest()


def stub(text: str, id: str) -> str:
    """The stub; with less than two lines left out there is none, and the text is given back."""
    lines = text.split("\n")
    kept = sorted(chosen(lines))
    out: list[str] = []
    place = 0
    for number in (*kept, len(lines)):
        if number > place:
            out.append(mark(id, place + 1, number))
        if number < len(lines):
            out.append(shortened(lines[number], id, number + 1))
        place = number + 1
    return "\n".join(out)


def mark(id: str, first: int, last: int) -> str:
    """What stands for lines that are left out."""
    return f"⟦lynkr:{id} lines {first}-{last}⟧" if last > first else f"⟦lynkr:{id} line {first}⟧"


def shortened(line: str, id: str, number: int) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]}{mark(id, number, number)}{line[-LONGEST // 4 :]}"


def chosen(lines: list[str]) -> set[int]:
    """Places of the lines that are kept: by turns from the tail, what matters, and the head, until there is no more room."""
    room, kept = ROOM, set[int]()
    for share, places in ((0.4, tail_of(lines)), (0.8, mattering(lines)), (1.0, iter(range(min(HEAD, len(lines)))))):
        for place in places:
            cost = min(len(lines[place]), LONGEST) + 1
            if place in kept:
                continue
            if ROOM - room + cost > share * ROOM:
                break
            kept.add(place)
            room -= cost
    return kept


def tail_of(lines: list[str]) -> Iterator[int]:
    return iter(range(len(lines) - 1, max(len(lines) - TAIL - 1, -1), -1))


def mattering(lines: list[str]) -> Iterator[int]:
    """The first failures say most; lines around each one come with it."""
    for place, line in enumerate(lines):
        if len(line) < 20 * LONGEST and _matters.search(line) and not _harmless.search(line):
            yield from range(max(place - AROUND, 0), min(place + AROUND + 1, len(lines)))


def lines_of(text: str, first: int, last: int) -> str:
    """Lines by number, from 1, both included."""
    return "\n".join(text.split("\n")[max(first - 1, 0) : last])

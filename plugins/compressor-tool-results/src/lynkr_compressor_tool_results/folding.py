"""What neighbouring lines have in common, said once: how they begin (paths of hits, roots of listings, stamps), and diff headers.

`[= 3 lines begin with src/app.py]` stands before three lines that lack it.
After `diff --git a/x b/x` the lines `--- a/x` and `+++ b/x` follow from it: the line `index …` ends in ` [= ---, +++]` instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

LEAST = 3
"""Lines that must begin alike."""
SHORTEST = 10
"""Characters of a beginning."""
OVERHEAD = 28
"""Characters that a mark costs, as many tokens as it may."""
AROUND = 12
"""Lines before a hit in which its path is looked for."""
HIT_MARKS = (":", "-")
DIFF = " [= ---, +++]"

_MARK = re.compile(r"\[= (\d+) lines begin with (.+)\]")
_HIT = re.compile(r"([^\s:][^:\n]*):\d+[:-]")
_NUMBERED = re.compile(r":\d+[:-]")
_SPLIT = re.compile(r"^(?:[^\s:]+:|\S*/|\d[\d:TZ.,+-]*\s|[A-Za-z]+ {2,}|\S+\t)")
_GIT = re.compile(r"diff --git a/(.+) b/(.+)")
_ENDS = "/ \t:"


def fold(lines: Sequence[str]) -> Sequence[str]:
    """Fewer lines, or the same object; `unfold` gives them back."""
    text = "\n".join(lines)  # to be searched in one go for what most texts lack
    return grouped(_without_paths(lines) if "diff --git " in text else lines, _NUMBERED.search(text) is not None)


def unfold(lines: Sequence[str]) -> list[str]:
    return list(_with_paths(_ungrouped(iter(lines))))


# how lines begin
def grouped(lines: Sequence[str], hits: bool) -> Sequence[str]:
    """`hits`: whether there may be some, with their paths and lines."""
    paths = [match[1] if (match := _HIT.match(line)) else "" for line in lines] if hits else []
    heads = [line[:SHORTEST] for line in lines]
    alike = [*map(str.__eq__, heads, heads[1:]), False]
    hits = any(paths)
    if not hits and True not in alike:
        return lines
    out: list[str] = []
    at = 0
    while at < len(lines):
        end, begin = (_hits(lines, paths, at) if hits else None) or (_alike(lines, at) if alike[at] else (at, ""))
        if begin:
            out.append(f"[= {end - at} lines begin with {begin}]")
            out += [line[len(begin) :] for line in lines[at:end]]
        else:
            end = at + 1
            out.append(lines[at])
        at = end
    return out if len(out) > len(lines) else lines  # each mark is a line


def _hits(lines: Sequence[str], paths: Sequence[str], at: int) -> tuple[int, str] | None:
    """The end of the hits in one file that begin here, with the lines around them, and its path, whole. None for what is no hit.

    A line around a hit (`path-12-text`) tells its path only beside one: a path may have such numbers of its own.
    """
    path = next((path for path in paths[at : at + AROUND] if path and lines[at].startswith(path)), None)
    if path is None or lines[at][len(path) : len(path) + 1] not in HIT_MARKS:
        return None
    end = at
    while end < len(lines) and lines[end].startswith(path) and lines[end][len(path) : len(path) + 1] in HIT_MARKS:
        end += 1
    worth = (end - at - 1) * len(path) > OVERHEAD
    return (end, path) if worth else (at, "")


def _alike(lines: Sequence[str], at: int) -> tuple[int, str]:
    """The end of the run from here with the most characters in common, and what they are; "" when it does not pay.

    The next line is known to have the first `SHORTEST` in common.
    """
    common = lines[at]
    if _SPLIT.match(common) is None:
        return at, ""
    best, found, cut = 0, (at, ""), len(common) + 1
    for end in range(at + 1, len(lines)):
        line = lines[end]
        if cut > len(common) or not line.startswith(common):
            common = shared(common, line)
            cut = _boundary(common)
            if cut < SHORTEST:
                break
            common = common[:cut]
        gain = cut * (end - at) - OVERHEAD
        if gain > best and end - at >= LEAST - 1:
            best, found = gain, (end + 1, common)
    return found


def shared(one: str, other: str) -> str:
    """How both begin."""
    least = min(len(one), len(other))
    return one[: next((i for i in range(least) if one[i] != other[i]), least)]


def _boundary(common: str) -> int:
    """Where the last whole piece ends: tokens are not cut in two."""
    return max([common.rfind(mark) for mark in _ENDS]) + 1


def _ungrouped(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        match = _MARK.fullmatch(line)
        if match is None:
            yield line
            continue
        for inner in islice(lines, int(match[1])):
            yield match[2] + inner


# diff headers
def _without_paths(lines: Sequence[str]) -> Sequence[str]:
    out: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        out.append(line)
        at += 1
        if line.startswith("index ") and at + 1 < len(lines) and tuple(lines[at : at + 2]) == _paths(out):
            out[-1] = line + DIFF
            at += 2
    return out if len(out) < len(lines) else lines


def _paths(said: Sequence[str]) -> tuple[str, str] | None:
    """The two lines that follow from a header whose last line is `index …`."""
    header = said[-2] if len(said) > 1 else ""
    new, gone = header.startswith("new file mode "), header.startswith("deleted file mode ")
    if new or gone:
        header = said[-3] if len(said) > 2 else ""
    match = _GIT.fullmatch(header)
    if match is None or match[1] != match[2]:
        return None
    return ("--- /dev/null" if new else f"--- a/{match[1]}", "+++ /dev/null" if gone else f"+++ b/{match[1]}")


def _with_paths(lines: Iterator[str]) -> Iterator[str]:
    said: list[str] = []
    for line in lines:
        if line.startswith("index ") and line.endswith(DIFF):
            said.append(line[: -len(DIFF)])
            yield said[-1]
            yield from _paths(said) or ()
        else:
            said.append(line)
            yield line
        del said[:-3]

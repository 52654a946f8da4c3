"""What was said so far, and each new result told by it: lines that already stand above are named, not repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lynkr_compressor_tool_results import folding, gutters
from lynkr_compressor_tool_results.calls import shows_file, written
from lynkr_compressor_tool_results.gutters import Block
from lynkr_compressor_tool_results.terminal import shown
from lynkr_core.request import ToolCall

Count = Callable[..., int]
SMALLEST = 120
"""Characters of a result below which nothing is tried."""
LARGEST = 1_000_000
"""And above which it is left alone: others are waiting."""
RUN = 6
"""Lines that must stand above in the same order; fewer may if they are long."""
SHORT, LONG = 120, 400
"""Characters that such a run must have, and those that are worth naming whatever their lines."""
MARGIN = 4
"""Tokens that must be won, or it is not worth a reader's while."""
SURE = 200
"""Characters that are fewer tokens whatever counts them; what saves less is counted."""
QUOTED = 40

OPENS, CLOSES = "<system-reminder>", "</system-reminder>"
SIGN = "[= "
"""How everything begins that is said here. A text that has it of its own is left alone."""
AGAIN = re.compile(r"\[= reminder (\d+) again\]")
SAME = re.compile(r"\[= (\d+) lines? as in .* above \((\d+):(\d+)\): \".*\]")
TABBED = re.compile(r"\S\t")
"""This, quotes and backslashes stand otherwise in the JSON of a call's arguments, so that an edit could not quote a line from there."""


class Run(NamedTuple):
    """So many lines that stand in source `source` from line `line` on."""

    source: int
    line: int
    lines: int


class Piece(NamedTuple):
    """Lines `begin` to `stop` (exclusive) of a result: as they are, or a run that stands above."""

    run: Run | None
    begin: int
    stop: int


SHIFT = 1 << 24
"""More lines than a result has."""
TRIVIAL = 2
"""Characters of a line that says too little to look for it."""


def beside(lines: Sequence[str | None], there: int, bare: Sequence[str], at: int) -> bool:
    """Whether the line after or before is the same too."""
    after, next = there + 1, at + 1
    if after < len(lines) and next < len(bare) and lines[after] == bare[next]:
        return True
    return there > 0 and at > 0 and lines[there - 1] == bare[at - 1]


class State(NamedTuple):
    """How far a conversation has been read."""

    sources: int
    reminders: int
    numbered: bool
    size: int


class Conversation:
    """Reads tool calls and results in their order. What it says of one depends on nothing but those before it."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self.calls: dict[str, ToolCall] = {}
        self.sources: list[list[str | None]] = []  # lines of each call and result; None for one that was only named
        self.names: list[str] = []
        self.where: dict[str, int] = {}  # the first place of a line: its source times SHIFT, and which line of it
        self.reminders: dict[str, int] = {}
        self.numbered = False
        self.size = 0

    def called(self, call: ToolCall) -> None:
        """The agent's own words: what it writes into files stands there for later results."""
        self.calls[call.id] = call
        if lines := written(call):
            kept = self.add(call.name, lines)
            where, first = self.where, (len(self.sources) - 1) * SHIFT
            for at, line in enumerate(lines):
                if '"' in line or "\\" in line or ("\t" in line and TABBED.search(line)):
                    kept[at] = None
                elif len(line) > TRIVIAL:
                    where.setdefault(line, first + at)

    def add(self, name: str, lines: list[str]) -> list[str | None]:
        kept: list[str | None] = list(lines)
        self.sources.append(kept)
        self.names.append(name)
        self.size += sum(map(len, lines)) + 100 * len(lines)
        return kept

    def answered(self, id: str, text: str) -> tuple[str, int]:
        """A result's text as it is sent, and the tokens that this saves."""
        call = self.calls.get(id)
        if len(text) > LARGEST or SIGN in text:
            return text, 0
        return Told(self, call, text).result()

    @property
    def state(self) -> State:
        """To come back to."""
        return State(len(self.sources), len(self.reminders), self.numbered, self.size)

    def back(self, state: State) -> None:
        """Forgets all that was read since; what came last stands last in each of its dictionaries."""
        del self.sources[state.sources :], self.names[state.sources :]
        while self.where and next(reversed(self.where.values())) >= state.sources * SHIFT:
            self.where.popitem()
        while len(self.reminders) > state.reminders:
            self.reminders.popitem()
        self.numbered, self.size = state.numbered, state.size

    # for what is made of it
    def repeated(self, reminder: str, before: int) -> int | None:
        """The number of a reminder, if it is one of the first `before`."""
        known = self.reminders.setdefault(reminder, len(self.reminders) + 1)
        return known if known <= before else None

    def count(self, *texts: str) -> int:
        return self._count(*texts)


class Told:
    """One result on its way."""

    def __init__(self, conversation: Conversation, call: ToolCall | None, text: str) -> None:
        self.conversation = conversation
        self.call = call
        self.is_file = shows_file(call)
        self.original = text
        self.is_small = len(text) < SMALLEST  # so it is sent as it came

    def result(self) -> tuple[str, int]:
        conversation, original = self.conversation, self.original
        text = original if self.is_file else shown(original)
        numbered = conversation.numbered
        made = "\n".join(self._lines(self._without_reminders(text)))
        if made != text and (len(text) < SMALLEST or conversation.count(text) - conversation.count(made) < MARGIN):
            made = text
            conversation.numbered = numbered
        saved = 0 if made == original else conversation.count(original) - conversation.count(made)
        return (made, saved) if saved > 0 else (original, 0)

    def _without_reminders(self, text: str) -> str:
        if OPENS not in text:
            return text
        out: list[str] = []
        at, before = 0, len(self.conversation.reminders)
        while (start := text.find(OPENS, at)) >= 0 and (end := text.find(CLOSES, start)) >= 0:
            end += len(CLOSES)
            known = self.conversation.repeated(text[start:end], before)
            out.append(text[at : end if known is None else start])
            if known is not None:
                out.append(f"[= reminder {known} again]")
            at = end
        return "".join([*out, text[at:]])

    def _lines(self, text: str) -> list[str]:
        bare = text.split("\n")
        found = gutters.blocks(bare) if gutters.FOLLOWING.search(text) else []
        for block in found:
            bare[block.start : block.end] = block.texts
        conversation = self.conversation
        kept = conversation.add(self.call.name if self.call else "a tool", bare)
        out: list[str] = []
        at = 0
        for block in [*found, None]:
            end = block.start if block else len(bare)
            out += self._plain(bare, kept, at, end)
            if block:
                out += self._block(bare, kept, block)
                at = block.end
        return out

    def _plain(self, bare: list[str], kept: list[str | None], start: int, end: int) -> list[str]:
        out: list[str] = []
        for run, begin, stop in self._pieces(bare, kept, start, end):
            if run is not None:
                out.append(self._named(run))
            else:
                out += bare[begin:stop] if self.is_file or self.is_small else self._folded(bare[begin:stop])
        return out

    def _folded(self, lines: list[str]) -> list[str]:
        folded = folding.fold(lines)
        if folded is lines:
            return lines
        count, before, after = self.conversation.count, "\n".join(lines), "\n".join(folded)
        return list(folded) if len(before) - len(after) >= SURE or count(after) < count(before) else lines

    def _block(self, bare: list[str], kept: list[str | None], block: Block) -> list[str]:
        note = "" if self.conversation.numbered else gutters.NOTE
        self.conversation.numbered = True
        out = [block.head(note)]
        for run, begin, stop in self._pieces(bare, kept, block.start, block.end):
            if run is not None:
                out.append(self._named(run))
                continue
            first, offset = len(out) - begin, block.first - block.start
            out += bare[begin:stop]
            due = begin + (-begin - offset) % gutters.STEP
            for at in (begin, *range(due + gutters.STEP if due == begin else due, stop, gutters.STEP)):
                out[first + at] = f"{offset + at}{block.mark}{bare[at]}"
        return out

    def _pieces(self, bare: list[str], kept: list[str | None], start: int, end: int) -> list[Piece]:
        """The lines from `start` to `end`, with runs for those that stand above."""
        conversation = self.conversation
        known, sources, own = conversation.where.setdefault, conversation.sources, (len(conversation.sources) - 1) * SHIFT
        pieces: list[Piece] = []
        at = free = start
        while at < end:
            for here in range(at, end):
                line, at = bare[here], here
                if len(line) <= TRIVIAL:
                    continue
                place = known(line, own + at)
                if place == own + at or not (len(line) >= LONG or beside(sources[place // SHIFT], place % SHIFT, bare, at)):
                    continue
                run, begin = self._run(bare, at, end, free, place)
                if run is not None:
                    break
            else:
                break
            if begin > free:
                pieces.append(Piece(None, free, begin))
            at = free = begin + run.lines
            pieces.append(Piece(run, begin, at))
            kept[begin:at] = [None] * run.lines
        return [*pieces, Piece(None, free, end)] if free < end else pieces

    def _run(self, bare: list[str], at: int, end: int, free: int, place: int) -> tuple[Run | None, int]:
        """The run around this line, and where it starts."""
        source, there = divmod(place, SHIFT)
        lines = self.conversation.sources[source]
        most = min(len(lines), at) if source == len(self.conversation.sources) - 1 else len(lines)
        stop, other = at + 1, there + 1
        while stop < end and other < most and lines[other] == bare[stop]:
            stop, other = stop + 1, other + 1
        begin = at
        while begin > free and there > 0 and lines[there - 1] == bare[begin - 1]:
            begin, there = begin - 1, there - 1
        if lines is self.conversation.sources[-1]:
            stop = min(stop, begin + at - place % SHIFT)
        count = stop - begin
        size = sum(map(len, bare[begin:stop])) if count >= RUN or len(bare[at]) >= LONG // RUN else 0
        if size < (SHORT if count >= RUN else LONG):
            return None, at
        return Run(source, there, count), begin

    def _named(self, run: Run) -> str:
        lines = [
            line
            for line in self.conversation.sources[run.source][run.line : run.line + run.lines]
            if line and len(line.strip()) > 3
        ]
        first, last = (lines[0], lines[-1]) if lines else ("", "")
        name = self.conversation.names[run.source]
        quotes = f'"{first.strip()[:QUOTED]}"' if run.lines == 1 else f'"{first.strip()[:QUOTED]}" ... "{last.strip()[:QUOTED]}"'
        return f"[= {run.lines} line{'s' * (run.lines > 1)} as in {name} above ({run.source}:{run.line}): {quotes}]"

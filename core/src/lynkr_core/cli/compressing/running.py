"""Every conversation of a folder through compressors, turn by turn."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from lynkr_core.cli.compressing.bills import Bill, Figures, Meter
from lynkr_core.cli.compressing.needles import alone, last, look
from lynkr_core.cli.compressing.pipeline import Compressors
from lynkr_core.cli.compressing.spoken import Spoken, conversations
from lynkr_core.config import PluginTable
from lynkr_core.errors import LynkrError
from lynkr_core.tokens import Tokens

Times = list[tuple[int, float]]
"""Bytes of a request, and seconds of CPU."""
ALL, SINGLE = "all", "single results"


class Findings(Struct):
    """Figures by corpus, of all, and of single results; and what requests of which size took, warm and cold."""

    figures: dict[str, Figures]
    times: Times
    cold: Times


def evaluate(folder: Path, tables: Sequence[PluginTable], tokens: Tokens, limit: int = 0) -> Findings:
    """`limit`: so many conversations of each corpus, and single results; 0 for all. Raises `LynkrError` for a folder with none."""
    meter, times = Meter(tokens), Times()
    figures: dict[str, Figures] = {}
    seen: Counter[str] = Counter()
    spoken: list[Spoken] = []
    for one in conversations(folder):
        seen[one.corpus] += 1
        if not limit or seen[one.corpus] <= limit:
            spoken.append(one)
            told(one, Compressors(tables, tokens), meter, figures.setdefault(one.corpus, Figures()), times)
    if not spoken:
        raise LynkrError(f"{folder}: no conversations; there must be .jsonl or .jsonl.gz files of them")
    whole = Figures()
    for one in figures.values():
        whole.join(one)
    figures[ALL] = whole
    single = alone(folder, lambda: Compressors(tables, tokens), meter, limit)
    if single.kinds:
        figures[SINGLE] = single
    # a gateway by default estimates; what the exact count costs is the affair of the plugin that brings it
    return Findings(figures, times, coldest(spoken, lambda: Compressors(tables, Tokens())))


def told(spoken: Spoken, compressors: Compressors, meter: Meter, into: Figures, times: Times) -> None:
    """Every turn of one conversation through new compressors."""
    into.conversations += 1
    bills = [into.client, *[into.plugins.setdefault(name, Bill()) for name in compressors.names]]
    before: list[list[tuple[bytes, int]]] = [[] for _ in bills]
    used = defaultdict[int, list[tuple[str, str]]](list)
    for needle in spoken.record.get("used_needles", ()):
        used[needle["use"]].append(("edit" if needle["type"] == "edit" else "used", needle["text"]))
    out = None
    for turn in spoken.turns():
        out = compressors.send(spoken.body(turn), spoken.dialect)
        times.append((out.size, out.seconds))
        sent = meter.stages(out.before, out.stages)
        for bill, now, then in zip(bills, sent, before, strict=True):
            bill.add(now, then)
        before = sent
        if turn in used:
            look(used[turn], out, compressors, into)
    if out is not None:
        last(spoken, out, compressors, meter, into)


def coldest(spoken: Sequence[Spoken], make: Callable[[], Compressors]) -> Times:
    """The turn of each of a few conversations that is the nearest to 300 KB, for compressors that have seen nothing."""
    found = Times()
    for one in sorted(spoken, key=lambda one: -len(one.record["messages"]))[:4]:
        sizes = {turn: len(json.dumps(one.body(turn))) for turn in one.turns()[:: max(len(one.turns()) // 20, 1)]}
        if sizes:
            turn = min(sizes, key=lambda turn: abs(sizes[turn] - 300_000))
            out = min([make().send(one.body(turn), one.dialect) for _ in range(3)], key=lambda out: out.seconds)
            found.append((out.size, out.seconds))
    return found

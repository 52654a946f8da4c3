"""`lynkr reconcile`: the journal beside what the provider says it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct

from lynkr_core.cli.configured import kernel_of
from lynkr_core.cli.exporting import records
from lynkr_core.cli.exports import EVERY, Sum, Sums, day_of, read_export
from lynkr_core.cli.printing import print_json
from lynkr_core.errors import LynkrError
from lynkr_core.stores.protocols import Record

DEFAULT = Path("lynkr.toml")
DAY = 24 * 3600
Call = tuple[str | None, str, Mapping[str, Any], float | None]
"""Provider, model, usage and USD of one call of a provider."""


class Line(Struct, kw_only=True):
    """One day and model. `ours` is the journal's, `theirs` the export's; `off`: the largest difference, as a part of theirs."""

    day: str
    model: str
    ours: Sum | None
    theirs: Sum | None
    off: float | None
    note: str = ""


def reconcile(
    file: Path, *, provider: str | None = None, columns: str = "", models: str = "", tolerance: float = 0.01,
    config: Path = DEFAULT, json: bool = False,
) -> None:  # fmt: skip
    """Compare the journal with a provider's usage export, by day (UTC) and model; status 1 when they differ.

    Args:
        file: CSV or JSON, of usage or of costs: OpenAI's, Anthropic's, FOCUS, or any whose columns can be named.
        provider: Compare only calls of this provider, as it is called in lynkr.toml.
        columns: Which columns to read, as in `day=Date,model=Model,input=In+Cached,output=Out,cost=USD`.
        models: What models of the export are called here, as in `gpt-4o-2024-08-06=gpt-4o`.
        tolerance: How far tokens and dollars may be apart, as a part of the export's.
        config: The file that names the store.
        json: Print JSON.
    """
    theirs = renamed(read_export(file, pairs(columns)), pairs(models))
    lines = anyio.run(compared, theirs, provider, config)
    bad = [line for line in lines if line.off is None or line.off > tolerance]
    if json:
        print_json(lines)
    else:
        show(lines, tolerance)
    if bad:
        sys.exit(1)


def pairs(text: str) -> dict[str, str]:
    """Raises `LynkrError`."""
    made = [item.partition("=") for item in text.split(",") if item.strip()]
    if not all(name.strip() and sign and value.strip() for name, sign, value in made):
        raise LynkrError(f"{text!r} is not of the form name=value,name=value")
    return {name.strip(): value.strip() for name, _, value in made}


def renamed(sums: Sums, names: Mapping[str, str]) -> Sums:
    made: Sums = {}
    for (day, model), told in sums.items():
        made.setdefault((day, names.get(model, model)), Sum()).add(told.input, told.output, told.cost)
    return made


async def compared(theirs: Sums, provider: str | None, config: Path) -> list[Line]:
    days = {day for day, _ in theirs}
    kernel = kernel_of(config)
    whole = all(model == EVERY for _, model in theirs)
    ours: Sums = {}
    async with kernel:
        async for record in records(kernel.stores.journal(), (start(min(days)), start(max(days)) + DAY), {}):
            add(ours, record, provider, whole)
    last = max(days)
    return compare({key: sum for key, sum in ours.items() if key[0] <= last}, theirs)


def start(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def add(sums: Sums, record: Record, provider: str | None, whole: bool) -> None:
    """Adds what the record comes to; with `whole` only to its day's sum. What a caller's own key paid is in no export of the operator's."""
    if record.get("billed") == "caller":
        return
    for name, model, usage, cost in calls(record):
        if provider in (None, name):
            found = sums.setdefault((day_of(record["created"]), EVERY if whole else model), Sum())
            found.add(usage["input_tokens"], usage["output_tokens"], cost)
            found.unpriced += cost is None


def calls(record: Record) -> Iterator[Call]:
    """All that used something: what came to nothing and was tried again is billed too."""
    tried = [attempt for attempt in record.get("attempts") or () if attempt.get("usage")]
    for attempt in tried:
        provider, _, model = attempt["candidate"].partition("/")
        yield provider, model, attempt["usage"], attempt.get("cost")
    if not tried and record.get("usage") and record.get("model"):
        yield record.get("provider"), record["model"], record["usage"], record.get("cost")


def compare(ours: Sums, theirs: Sums) -> list[Line]:
    models, days = {model for _, model in ours}, {day for day, _ in ours}
    lines: list[Line] = []
    for day, model in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get((day, model)), theirs.get((day, model))
        line = Line(day=day, model=model, ours=here, theirs=there, off=None)
        if here is None:
            line.note = (
                "unknown here" if model not in models else "this day is missing here" if day not in days else "missing here"
            )
        elif there is None:
            line.note = "missing there"
        else:
            line.off = apart(here, there)
            line.note = f"{here.unpriced} without a price" if here.unpriced and there.cost is not None else ""
        lines.append(line)
    return lines


def apart(ours: Sum, theirs: Sum) -> float | None:
    """Of what both tell; None when they have nothing in common, or dollars are told there that are not known here."""
    if theirs.cost is not None and ours.unpriced:
        return None
    figures = ((ours.input, theirs.input), (ours.output, theirs.output), (ours.cost, theirs.cost))
    known = [(here, there) for here, there in figures if here is not None and there is not None]
    return max([abs(here - there) / abs(there) if there else float(here != 0) for here, there in known], default=None)


def show(lines: list[Line], tolerance: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("day", "model", "input here", "there", "output here", "there", "USD here", "there", "apart", "", box=None)
    for line in lines:
        ours, theirs = line.ours or Sum(), line.theirs or Sum()
        figures = (ours.input, theirs.input, ours.output, theirs.output, ours.cost, theirs.cost)
        off = "" if line.off is None else f"{line.off:.2%}{' !' if line.off > tolerance else ''}"
        table.add_row(line.day, line.model, *[number(figure) for figure in figures], off, line.note)
    Console(width=None if sys.stdout.isatty() else 200).print(table)  # a pipe has no width, and rich would fold at 80


def number(figure: Any) -> str:
    return "" if figure is None else f"{figure:,.6f}" if isinstance(figure, float) else f"{figure:,}"

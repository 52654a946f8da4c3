"""core/docs/dialects.md: the matrix as the tests hold it to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .cells import CARRIED, COLUMNS, DIFFERENT, FRONTS, REFUSED, TOLD, Cell, answers, requests
from .features import ANSWERED, ASKED

PAGE = Path(__file__).parent.parent.parent / "core/docs/dialects.md"
NOTE = "<!-- Written by `python -m matrix` in tests/; every cell is a test in tests/matrix. -->\n"
OPENING = """# Dialects

What a caller asks for in one API reaches a provider that speaks another, and what the provider says reaches the caller, or lynkr says
that it does not. Nothing is lost in silence. When both speak the same API, requests go on byte for byte but for the keys that lynkr
changes, and answers as they come.

- **carried**: it arrives as it was meant.
- **otherwise**: it is expressed by other means, as the cell says.
- **told**: the other API has no place for it. Of a request, `x-lynkr-losses` says so on the answer, and the journal's record has the
  whole list; of an answer, this page does.
- **refused**: status 400, because an answer without it would be wrong.
- –: the caller's API cannot say it, or the provider's never does.

All of it holds for whole answers and for streams.
"""
SHOWN = {CARRIED: "carried", DIFFERENT: "otherwise", TOLD: "told", REFUSED: "refused"}


def page() -> str:
    asked, answered = list(requests()), list(answers())
    parts = [OPENING.replace("\n", f"\n\n{NOTE}", 1), counts("Requests", asked), counts("Answers", answered)]
    for front in FRONTS:
        rows = [cell for cell in asked if cell.front.name == front.name]
        parts.append(f"\n## Requests in {front.title} (`{front.name}`)\n\n" + table(rows, list(ASKED)))
    for front in FRONTS:
        rows = [cell for cell in answered if cell.front.name == front.name]
        parts.append(f"\n## Answers in {front.title} (`{front.name}`)\n\n" + table(rows, list(ANSWERED)))
    return "".join(parts)


def counts(title: str, cells: Sequence[Cell]) -> str:
    found = Counter(cell.verdict for cell in cells)
    told = ", ".join(f"{found[verdict]} {word}" for verdict, word in SHOWN.items() if found[verdict])
    return f"\n{title}: {len(cells)} cells, each tested plain and streamed: {told}.\n"


def table(cells: Sequence[Cell], features: Sequence[str]) -> str:
    """Features down, the providers' APIs across; of features that this front has."""
    found = {(cell.feature, cell.column.name): cell for cell in cells}
    head = "".join([f" to {column.title} |" for column in COLUMNS])
    lines = [f"| |{head}\n|---|{'---|' * len(COLUMNS)}\n"]
    for feature in features:
        row = [found.get((feature, column.name)) for column in COLUMNS]
        if any(row):
            lines.append(f"| {feature} |" + "".join([f" {shown(cell)} |" for cell in row]) + "\n")
    return "".join(lines)


def shown(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    word = SHOWN[cell.verdict]
    if cell.verdict == DIFFERENT:
        return f"{word}: {cell.how}"
    return f"{word}: {cell.how}" if cell.verdict == TOLD and " " in cell.how.strip(": ") else word

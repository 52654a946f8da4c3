"""The table as a page of the documentation."""

from __future__ import annotations

from pathlib import Path

from .routes import RAW, ROUTES, Route
from .table import ALONE, ROWS, Row

PAGE = Path(__file__).parent.parent.parent / "core/docs/faults.md"
PLAIN, STREAM = ROUTES[2], ROUTES[3]
SAME_STREAM = ROUTES[1]
INTRO = """# What happens when something breaks

<!-- Written by `python -m tests.faults`; change tests/faults/table.py. -->

Each cell is a test, on every front (chat completions, responses, messages, embeddings, token counts), same dialect and translated,
over real sockets on both sides.
A second candidate is configured, and sound, but for the column that says otherwise.

"""
HEADINGS = ("what goes wrong", "plain answer", "stream", "nobody else could answer", "passed through")


def cell(row: Row, route: Route) -> str:
    verdict = row.verdict(route)
    return (verdict.__doc__ or "").strip() if verdict else "–"


def stream(row: Row) -> str:
    told = cell(row, STREAM)
    same = cell(row, SAME_STREAM)
    return told if told == same else f"{told}; from a provider of the same API: {same}"


def alone(row: Row) -> str:
    """Counting tokens is what lynkr can do by itself."""
    verdicts = {(verdict.__doc__ or "").strip() for found, _, verdict in ALONE if found is row}
    return "; token counts: ".join(sorted(verdicts)) if verdicts else "–"


def text() -> str:
    plain = [cell(row, PLAIN) for row in ROWS]
    lines = [HEADINGS, tuple("---" for _ in HEADINGS)]
    lines += [
        (row.name, told, stream(row), alone(row), cell(row, RAW[not row.only(RAW[0])]))
        for row, told in zip(ROWS, plain, strict=True)
    ]
    return INTRO + "".join(f"| {' | '.join(line)} |\n" for line in lines)

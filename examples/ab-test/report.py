"""An experiment's outcome by variant, from lynkr's journal.

    lynkr export --format jsonl --since 7d | python report.py
    lynkr export --format jsonl --since 7d | python report.py outcomes.csv

`outcomes.csv` has the columns `id` (the answer's `x-lynkr-request-id`) and `outcome`, a number that your application gives: 1 for
solved and 0 for not, stars, minutes saved. `--note variant-prices` reads the experiment of `[selector.prices]`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from math import nan, sqrt
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

Z = 1.96
"""Standard errors on each side that a true mean lies within in 95 of 100 cases."""
COLUMNS = ("variant", "requests", "failed", "elsewhere", "usd", "usd each", "seconds", "first token", "outcome", "of")
Records = Sequence[Mapping[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outcomes", nargs="?", help="a CSV file with the columns id and outcome")
    parser.add_argument("--note", default="variant", help="the experiment's note")
    parser.add_argument("--json", action="store_true", help="for programs")
    given = parser.parse_args()
    outcomes = read(given.outcomes) if given.outcomes else {}
    rows = [row(name, records, outcomes) for name, records in sorted(grouped(sys.stdin, given.note).items())]
    sys.stdout.write((json.dumps(rows, indent=2) if given.json else table(rows)) + "\n")


def read(path: str) -> dict[str, float]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return {line["id"]: float(line["outcome"]) for line in csv.DictReader(file)}


def grouped(lines: Iterable[str], note: str) -> dict[str, list[dict[str, Any]]]:
    """Who was assigned to a variant counts for it, whoever answered in the end; else a variant that fails would look good."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        record: dict[str, Any] = json.loads(line)
        notes: dict[str, str] = record.get("notes") or {}
        if name := notes.get(note):
            found.setdefault(name, []).append(record)
    return found


def row(name: str, records: Records, outcomes: Mapping[str, float]) -> dict[str, Any]:
    """`usd each`, `outcome`: a mean and half the width of its 95 % interval. `seconds`, `first token`: medians of what was answered."""
    answered = [record for record in records if record["status"] == "ok"]
    costs = [record["cost"] for record in answered if record["cost"] is not None]
    scored = [outcomes[record["id"]] for record in records if record["id"] in outcomes]
    return {
        "variant": name,
        "requests": len(records),
        "failed": sum(record["status"] in ("error", "cut") for record in records),
        "elsewhere": sum(bool(record["order"]) and served(record) != record["order"][0] for record in answered),
        "usd": sum(costs),
        "usd each": spread(costs),
        "seconds": middle(record["duration"] for record in answered),
        "first token": middle(record["first_token"] for record in answered if record["first_token"] is not None),
        "outcome": spread(scored),
        "of": len(scored),
    }


def served(record: Mapping[str, Any]) -> str:
    return f"{record['provider']}/{record['model']}"


def spread(values: Sequence[float]) -> list[float] | None:
    if not values:
        return None
    return [mean(values), Z * stdev(values) / sqrt(len(values)) if len(values) > 1 else nan]


def middle(values: Iterable[float]) -> float | None:
    return median(found) if (found := list(values)) else None


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [COLUMNS, *[[shown(one[name]) for name in COLUMNS] for one in rows]]
    widths = [max(len(line[place]) for line in cells) for place in range(len(COLUMNS))]
    return "\n".join(
        ["  ".join([cell.ljust(width) for cell, width in zip(line, widths, strict=True)]).rstrip() for line in cells]
    )


def shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return f"{value[0]:.4g} ±{value[1]:.2g}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()

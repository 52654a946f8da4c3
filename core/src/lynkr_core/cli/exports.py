"""Usage exports of providers, read into one row for each day and model. Columns are known by their names.

Names are those of OpenAI's usage and costs API and its dashboard's files, of Anthropic's usage and cost reports and its console's files,
and of FOCUS 1.2. Times are UTC.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from lynkr_core.errors import LynkrError

Flat = Mapping[str, Any]
Columns = Mapping[str, Sequence[tuple[str, ...]]]
EVERY = "*"
"""The model of a row that tells only a day's sum."""
CACHED = ("cache_creation.ephemeral_1h_input_tokens", "cache_creation.ephemeral_5m_input_tokens", "cache_read_input_tokens")
NO_CACHE = "usage_input_tokens_no_cache"
KNOWN: Columns = {
    "day": [
        ("start_time_iso",), ("starting_at",), ("usage_date_utc",), ("usage_date",), ("date",), ("day",), ("chargeperiodstart",),
        ("start_time",), ("timestamp",), ("created",),
    ],
    "model": [("model",), ("model_version",), ("model_name",), ("line_item",), ("resourcename",), ("resourceid",), ("skuid",)],
    "input": [
        ("uncached_input_tokens", *CACHED),
        (NO_CACHE, "usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write_1h", "usage_input_tokens_cache_read"),
        ("input_tokens",), ("n_context_tokens_total",), ("prompt_tokens",), ("tokens_prompt",),
    ],
    "output": [
        ("output_tokens",), ("usage_output_tokens",), ("n_generated_tokens_total",), ("completion_tokens",), ("tokens_completion",),
    ],
    "cost": [("amount.value",), ("amount_value",), ("cost_usd",), ("cost",), ("billedcost",), ("effectivecost",), ("amount",)],
}  # fmt: skip
"""For each figure the columns that it is the sum of; the first that are there count."""


class Sum(Struct):
    """What one day and model came to. None is what nobody told. `unpriced`: calls whose cost is unknown."""

    input: int | None = None
    output: int | None = None
    cost: float | None = None
    unpriced: int = 0

    def add(self, input: int | None, output: int | None, cost: float | None) -> None:
        self.input = both(self.input, input)
        self.output = both(self.output, output)
        self.cost = both(self.cost, cost)


Sums = dict[tuple[str, str], Sum]


def both(left: Any, right: Any) -> Any:
    return left if right is None else right if left is None else left + right


def read_export(file: Path, mapping: Mapping[str, str]) -> Sums:
    """Raises `LynkrError` for a file that is not there, or whose columns say nothing."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LynkrError(f"{file} cannot be read: {error}") from None
    rows = list(json_rows(text)) if text.lstrip()[:1] in ("{", "[") else list(csv_rows(text))
    if not rows:
        raise LynkrError(f"{file} has no rows")
    return summed(rows, {**KNOWN, **{role: [tuple(name.lower().split("+"))] for role, name in mapping.items()}})


def csv_rows(text: str) -> Iterator[Flat]:
    for row in csv.DictReader(text.splitlines()):
        yield {name.strip().lower(): value for name, value in row.items() if name and isinstance(value, str)}


def json_rows(text: str) -> Iterator[Flat]:
    """Of a list, of an object with one under `data`, or of one object in each line. Buckets of time give theirs to their results."""
    try:
        whole: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        whole = lines(text)
    found = cast("dict[str, Any]", whole).get("data", [whole]) if isinstance(whole, dict) else whole
    for item in cast("list[Any]", found):
        if isinstance(item, dict):
            bucket = cast("dict[str, Any]", item)
            results = bucket.pop("results", None)
            for result in [bucket] if results is None else results:
                yield dict(flat({**bucket, **result}))


def lines(text: str) -> list[Any]:
    try:
        return [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
    except msgspec.DecodeError as error:
        raise LynkrError(f"neither CSV nor JSON: {error}") from None


def flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from flat(cast("dict[str, Any]", value), f"{prefix}{name}.".lower())
        else:
            yield f"{prefix}{name}".lower(), value


def summed(rows: Iterable[Flat], columns: Columns) -> Sums:
    """Raises `LynkrError` where a row tells no day, or neither tokens nor dollars."""
    sums: Sums = {}
    for row in rows:
        named = {role: next((names for names in columns[role] if names[0] in row), ()) for role in KNOWN}
        if not named["day"] or not (named["input"] or named["output"] or named["cost"]):
            raise LynkrError(
                f"no day, or nothing to compare, among the columns {', '.join(row)}; --columns day=…,cost=… names them"
            )
        tokens = [total(row, named[role]) for role in ("input", "output")]
        input, output = (None if number is None else round(number) for number in tokens)
        cost = total(row, named["cost"])
        if cost is not None and "starting_at" in row and named["cost"] == ("amount",):
            cost /= 100  # Anthropic's cost report is in cents
        key = (day_of(row[named["day"][0]]), model_of(row[named["model"][0]] if named["model"] else None))
        sums.setdefault(key, Sum()).add(input, output, cost)
    return sums


def total(row: Flat, names: Sequence[str]) -> float | None:
    """Raises `LynkrError` for what is no number."""
    told = [row[name] for name in names if row.get(name) not in (None, "")]
    try:
        return sum([float(str(value).replace(",", "").lstrip("$")) for value in told]) if told else None
    except ValueError:
        raise LynkrError(f"{names[0]}: {told[0]!r} is no number") from None


def day_of(value: Any) -> str:
    """As 2026-11-21, in UTC. Raises `LynkrError`."""
    try:
        if isinstance(value, (int, float)) or str(value).isdigit():
            return datetime.fromtimestamp(float(value), UTC).date().isoformat()
        moment = datetime.fromisoformat(str(value).strip())
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date().isoformat()
    except (ValueError, OverflowError, OSError):
        raise LynkrError(f"{value!r} is no day") from None


def model_of(value: Any) -> str:
    """OpenAI's line items name the kind of token after the model."""
    return str(value).partition(",")[0].strip() if value else EVERY

"""What a record counts for: the one definition of totals, for stores that sum up in SQL as well as for those that do it here."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, field, structs

from lynkr_core.stores.protocols import Record

COLUMNS = (
    "model", "provider", "key", "user", "team", "agent", "principal", "class", "tier", "session", "task", "status",
)  # fmt: skip
"""Keys of a record whose values, texts or null, can be asked for and grouped by."""
NUMBERS = (
    "requests", "errors", "local", "cheap", "unpriced", "input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning",
    "nano_usd", "callers_nano_usd", "saved_tokens", "saved_nano_usd", "microseconds",
)  # fmt: skip
"""What is summed up: whole numbers, so that the sum is the same in whatever order."""
FLAGS = ("priced",)
"""What can be asked for beside the columns, with True or False."""
DAY = "day"
"""What can be grouped by beside the columns: the day in UTC, as `2026-11-21`."""
FAILED = ("error", "cut")
STATUS = COLUMNS.index("status")
DAY_SECONDS = 86400
MOST = 2**46
"""No number of one record counts for more (70,000 dollars in nano-dollars): what others send must not make a sum overflow."""
TOP, BOTTOM = float(MOST), -float(MOST)  # a float is compared with a float in a third of the time


class Tokens(Struct, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


class Totals(Tokens, frozen=True, kw_only=True):
    """Sums over the records of one group; `group` says which by the names that were grouped by.

    `errors`: failed or cut off by lynkr or an upstream; what was refused or cancelled is a status of its own. `local` and `cheap`:
    requests served by a model on the operator's own machines, and by another one of the cheapest tier. `unpriced`: requests that used
    tokens at a price nobody knows: of them only what other attempts cost is in a sum. `nano_usd` is what the operator paid,
    `callers_nano_usd` what was billed to the callers' own keys. `input_tokens` include `cache_read` and `cache_write`, `output_tokens`
    include `reasoning`. `microseconds`: from the request's arrival to the end of its answer.
    """

    group: Mapping[str, str | None] = {}
    requests: int = 0
    errors: int = 0
    local: int = 0
    cheap: int = 0
    unpriced: int = 0
    nano_usd: int = 0
    callers_nano_usd: int = 0
    saved_tokens: int = 0
    saved_nano_usd: int = 0
    microseconds: int = 0


class Facts(Struct):
    """The part of a record that counts."""

    model: str | None = None
    provider: str | None = None
    key: str | None = None
    user: str | None = None
    team: str | None = None
    agent: str | None = None
    principal: str | None = None
    principal_class: str | None = field(default=None, name="class")
    tier: str | None = None
    session: str | None = None
    task: str | None = None
    status: str | None = None
    grade: str | None = None
    usage: Tokens | None = None
    cost: float | None = None
    spent: float | None = None
    billed: str | None = None
    saved_tokens: int = 0
    saved_usd: float | None = None
    duration: float | None = None


COLUMN_OF = operator.attrgetter(*[{"class": "principal_class"}.get(name, name) for name in COLUMNS])
NO_TOKENS = (0,) * 5
decode = msgspec.json.Decoder(Facts).decode
NOTHING = Facts()
Row = tuple[Any, ...]
"""The columns, whether the cost is known, and the numbers, in the order of `NAMES`."""
NAMES = (*COLUMNS, *FLAGS, *NUMBERS)
Written = tuple[str, float, bytes, Row]
"""Id, time, the record as JSON, and what it counts for."""


def row_of(record: Record) -> Row:
    """What a record counts for."""
    try:
        return row(msgspec.convert(record, Facts, from_attributes=False))
    except msgspec.ValidationError:
        return row(NOTHING)


def row_of_json(record: bytes) -> Row:
    """As `row_of`, of its JSON. What is no record as the journal's are counts as a request and nothing else."""
    try:
        return row(decode(record))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return row(NOTHING)


def row(facts: Facts) -> Row:
    counts = (*(structs.astuple(facts.usage) if facts.usage else NO_TOKENS), facts.saved_tokens)
    amounts = (facts.cost, facts.spent, facts.saved_usd, facts.duration)
    return counted(COLUMN_OF(facts), counts, amounts, facts.usage is not None, facts.billed, facts.grade)


def counted(columns: Row, counts: Row, amounts: Row, is_used: bool, billed: str | None, grade: str | None) -> Row:
    """`counts`: tokens, and those that were saved. `amounts`: what it cost, what all attempts cost, what was saved, how long it took."""
    asked, said, read, written, thought, spared = counts
    if not 0 <= asked | said | read | written | thought | spared < MOST:
        asked, said, read, written, thought, spared = [max(-MOST, min(count, MOST)) for count in counts]
    cost, spent, saved, duration = amounts
    is_callers, paid, known = billed == "caller", spent or 0.0, cost or 0.0
    nano_usd = whole(paid if paid > known else known, 1e9)  # attempts that came to nothing cost something too
    numbers = (
        1 if cost is not None and not is_callers else 0, 1, 1 if columns[STATUS] in FAILED else 0, 1 if grade == "local" else 0,
        1 if grade == "cheap" else 0, 1 if is_used and cost is None and not is_callers else 0, asked, said, read, written, thought,
        0 if is_callers else nano_usd, nano_usd if is_callers else 0, spared, whole(saved, 1e9) if saved else 0,
        whole(duration, 1e6) if duration else 0,
    )  # fmt: skip
    return columns + numbers


def whole(value: float, scale: float) -> int:
    if BOTTOM < (scaled := value * scale) < TOP:
        return round(scaled)
    return (MOST if value > 0 else -MOST) if math.isfinite(value) else 0


def check(by: Sequence[str], where: Mapping[str, Any]) -> None:
    """Raises `ValueError` for a name that is no column; names come from callers, and stores put them into their queries."""
    for name in by:
        if name not in COLUMNS and name != DAY:
            raise ValueError(f"cannot group by {name[:50]!r}: only by {', '.join(COLUMNS)} or {DAY}")
    for name in where:
        if name not in COLUMNS and name not in FLAGS:
            raise ValueError(f"cannot ask for {name[:50]!r}: only for {', '.join(COLUMNS + FLAGS)}")


def matches(where: Mapping[str, Any]) -> Callable[[Row], bool]:
    """Whether a row has all these values."""
    asked = [(NAMES.index(name), value) for name, value in where.items()]
    return lambda row: all(row[index] == value for index, value in asked)


def sum_up(rows: Iterable[tuple[float, Row]], by: Sequence[str]) -> dict[tuple[Any, ...], list[int]]:
    """The numbers of each group, by its values; rows with their times. A day is the number of days since 1970."""
    places = [None if name == DAY else NAMES.index(name) for name in by]
    sums: dict[tuple[Any, ...], list[int]] = {}
    for created, row in rows:
        group = tuple([int(created / DAY_SECONDS) if place is None else row[place] for place in places])
        add(sums, group, row[-len(NUMBERS) :])
    return sums


def add(sums: dict[tuple[Any, ...], list[int]], group: tuple[Any, ...], numbers: Sequence[int]) -> None:
    held = sums.get(group)
    sums[group] = list(numbers) if held is None else [*map(operator.add, held, numbers)]


def totals(sums: Mapping[tuple[Any, ...], Sequence[int]], by: Sequence[str], limit: int) -> list[Totals]:
    """The groups, the dearest first, then by their values."""
    spent = NUMBERS.index("nano_usd")
    ordered = sorted(sums.items(), key=lambda item: (-item[1][spent], [(v is not None, v) for v in item[0]]))
    return [Totals(group=named(by, group), **dict(zip(NUMBERS, numbers, strict=True))) for group, numbers in ordered[:limit]]


def named(by: Sequence[str], group: Sequence[Any]) -> dict[str, str | None]:
    return {name: date_of(value) if name == DAY else value for name, value in zip(by, group, strict=True)}


def date_of(day: int) -> str:
    """The day that is so many days after the first of 1970."""
    return datetime.fromtimestamp(day * DAY_SECONDS, UTC).date().isoformat()

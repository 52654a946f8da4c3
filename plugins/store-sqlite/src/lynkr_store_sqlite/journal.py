"""Records in the file: whole ones by id, and what each of them counts for in a table of its own, which is small enough to be summed up."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lynkr_core.stores.protocols import Record
from lynkr_core.stores.spill import Row as Row
from lynkr_core.stores.totals import DAY, NAMES, NUMBERS, Totals, add, matches, row_of_json, sum_up, totals

INSERT = "INSERT OR REPLACE INTO journal (id, created, record) VALUES (?, ?, ?)"
QUOTED = [f'"{name}"' for name in NAMES]
COUNT = f"INSERT OR REPLACE INTO fact (id, created, {', '.join(QUOTED)}) VALUES (?, ?{', ?' * len(NAMES)})"  # noqa: S608
FIND = "SELECT record FROM journal WHERE id = ?"
OLD = (
    "DELETE FROM fact WHERE id IN (SELECT id FROM fact WHERE created < ? LIMIT ?)",
    "DELETE FROM journal WHERE rowid IN (SELECT rowid FROM journal WHERE created < ? LIMIT ?)",
)
SUMS = ", ".join(f'sum("{name}")' for name in NUMBERS)
DAYS = "CAST(created / 86400 AS INTEGER)"
FILL_ROWS = 1000
MOST_GROUPS = 20_000
"""Groups that are read while records wait: any of them may become one of the dearest."""

_decoder = msgspec.json.Decoder(dict[str, Any])


class Span(NamedTuple):
    """Which records are meant, as in the protocol."""

    since: float
    until: float
    where: Mapping[str, Any]


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Within the caller's transaction. Raises `sqlite3.Error`."""
    connection.executemany(INSERT, rows)
    connection.executemany(COUNT, [(id, created, *row_of_json(record)) for id, created, record in rows])


def fill(connection: sqlite3.Connection) -> None:
    """Counts the records of a file from before there was anything to count with. Raises `sqlite3.Error`."""
    cursor = connection.execute("SELECT id, created, record FROM journal")
    while rows := cursor.fetchmany(FILL_ROWS):
        connection.executemany(COUNT, [(id, created, *row_of_json(bytes(record))) for id, created, record in rows])


def delete_old(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """Deletes up to `limit` records; how many. Raises `sqlite3.Error`."""
    return max([connection.execute(sql, (before, limit)).rowcount for sql in OLD])


def query(
    reader: sqlite3.Connection, waiting: Iterable[Row], span: Span, limit: int, before: tuple[float, str] | None
) -> list[Record]:
    """The last ones, of the file and of those that `waiting` are on their way to it."""
    clause, values = conditions(span)
    if before is not None:
        clause, values = f"{clause} AND (created, id) < (?, ?)", [*values, *before]
    sql = f"SELECT id, created FROM fact WHERE {clause} ORDER BY created DESC, id DESC LIMIT ?"  # noqa: S608
    fits = matches(span.where)
    asked = [row for row in waiting if is_within(row, span) and fits(row_of_json(row[2]))]
    newer = {row[0]: row for row in asked if before is None or (row[1], row[0]) < before}
    hidden = {row[0] for row in waiting}
    found = {id: created for id, created in reader.execute(sql, (*values, limit + len(hidden))) if id not in hidden}
    found |= {id: row[1] for id, row in newer.items()}
    chosen = sorted(found, key=lambda id: (found[id], id), reverse=True)[:limit]
    records = [newer[id][2] if id in newer else one(reader, id) for id in chosen]
    return [_decoder.decode(record) for record in records if record is not None]


def one(reader: sqlite3.Connection, id: str) -> bytes | None:
    found = reader.execute(FIND, (id,)).fetchone()
    return found[0] if found else None


def usage(reader: sqlite3.Connection, waiting: Sequence[Row], by: Sequence[str], span: Span, limit: int) -> list[Totals]:
    """Sums of the file without what `waiting` has a newer version of, and of `waiting`; names must have been checked."""
    clause, values = conditions(span)
    groups = [DAYS if name == DAY else f'"{name}"' for name in by]
    if waiting:
        clause += " AND id NOT IN (SELECT value FROM json_each(?))"
        values.append(json.dumps([row[0] for row in waiting]))
    most = max(limit, MOST_GROUPS) if waiting else limit
    sql = f"SELECT {', '.join([*groups, SUMS])} FROM fact WHERE {clause}"  # noqa: S608
    if groups:
        order = ", ".join(['sum("nano_usd") DESC', *[str(place) for place in range(1, len(groups) + 1)]])
        sql += f" GROUP BY {', '.join(groups)} ORDER BY {order} LIMIT {int(most)}"
    sums = {tuple(row[: len(by)]): list(row[len(by) :]) for row in reader.execute(sql, values) if row[-1] is not None}
    fits, asked = matches(span.where), [(row[1], row_of_json(row[2])) for row in waiting if is_within(row, span)]
    for group, numbers in sum_up([each for each in asked if fits(each[1])], by).items():
        add(sums, group, numbers)
    return totals(sums, by, limit)


def conditions(span: Span) -> tuple[str, list[Any]]:
    """SQL and its values; names must have been checked."""
    clauses = ["created >= ? AND created <= ?", *[f'"{name}" IS ?' for name in span.where]]
    return " AND ".join(clauses), [span.since, span.until, *span.where.values()]


def is_within(row: Row, span: Span) -> bool:
    return span.since <= row[1] <= span.until

"""Records in the file. Those that were written together stand in one row of `batch`, which costs half; what each of them counts for, and
where it stands, is in `fact`, which is small enough to be summed up. The view `journal` has them one by one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from lynkr_core.stores import spill
from lynkr_core.stores.protocols import Record
from lynkr_core.stores.totals import COLUMNS, DAY, NAMES, NUMBERS, Totals, Written, add, matches, row_of_json, sum_up, totals

BATCH_BYTES = 64 * 1024
"""Of records after which another batch is begun: whoever wants one of them reads all."""
SIZES = (30, 8, 2, 1)
"""How many facts one statement writes. Around each the event loop takes its turn some three times, which costs more than the writing; and
SQLite before 3.32 takes 999 values at most.
"""
BATCH = "INSERT INTO batch (newest, records) VALUES (?, ?)"
ANOTHER = ", (?, ?)"
TEXTS = len(COLUMNS)
QUOTED = [f'"{name}"' for name in NAMES]
# Python's sqlite3 takes as long for five nulls as for the rest of a row, so it is given zeros instead of them
FACT = f"(?, ?, ?, ?, ?{', nullif(?, 0)' * TEXTS}{', ?' * (len(NAMES) - TEXTS)})"
COUNT = f"INSERT OR REPLACE INTO fact (id, created, batch, at, size, {', '.join(QUOTED)}) VALUES {FACT}"  # noqa: S608
FACT_VALUES = 5 + len(NAMES)
COUNTS = [(size * FACT_VALUES, COUNT + f", {FACT}" * (size - 1)) for size in SIZES]
RECORDS = "SELECT records FROM batch WHERE number = ?"
FIND = "SELECT record FROM journal WHERE id = ?"
OLD_FACTS = "DELETE FROM fact WHERE id IN (SELECT id FROM fact WHERE created < ? LIMIT ?)"
OLD_BATCHES = "DELETE FROM batch WHERE number IN (SELECT number FROM batch WHERE newest < ? LIMIT ?)"
USUAL = 20
"""Records in a batch, for how many of them are deleted at once."""
SUMS = ", ".join(f'sum("{name}")' for name in NUMBERS)
DAYS = "CAST(created / 86400 AS INTEGER)"
MOST_GROUPS = 20_000
"""Groups that are read while records wait: any of them may become one of the dearest."""

_decoder = msgspec.json.Decoder(dict[str, Any])


class Span(NamedTuple):
    """Which records are meant, as in the protocol."""

    since: float
    until: float
    where: Mapping[str, Any]


def insert(connection: sqlite3.Connection, rows: Sequence[Written]) -> None:
    """Within the caller's transaction. Raises `sqlite3.Error`."""
    values, place = facts(connection, list(parts(rows))), 0
    for length, sql in COUNTS:
        while len(values) - place >= length:
            connection.execute(sql, values[place : place + length])
            place += length


def parts(rows: Iterable[Written]) -> Iterator[list[Written]]:
    """What goes into a batch each."""
    part: list[Written] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len(row[2])
        if size >= BATCH_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def facts(connection: sqlite3.Connection, batches: Sequence[Sequence[Written]]) -> list[Any]:
    """Writes batches; the values of their records' facts, one after the other. Raises `sqlite3.Error`."""
    written = [(max([row[1] for row in rows]), b"\n".join([row[2] for row in rows])) for rows in batches]
    last = connection.execute(BATCH + ANOTHER * (len(batches) - 1), [*chain(*written)]).lastrowid or 0
    values: list[Any] = []
    for number, rows in enumerate(batches, last - len(batches) + 1):  # nobody else writes meanwhile
        at = 1  # as SQL counts
        for id, created, record, counts in rows:
            size = len(record)
            values += id, created, number, at, size
            for text in counts[:TEXTS]:
                values.append(0 if text is None else text)
            values += counts[TEXTS:]
            at += size + 1
    return values


def count(rows: Iterable[spill.Row]) -> list[Written]:
    """Of records that are there as JSON only."""
    return [(id, created, record, row_of_json(record)) for id, created, record in rows]


def delete_old(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """Deletes up to `limit` records and a share of the batches that have no younger ones; `limit` when there may be more of either.

    Raises `sqlite3.Error`.
    """
    facts, most = connection.execute(OLD_FACTS, (before, limit)).rowcount, -(-limit // USUAL)
    batches = connection.execute(OLD_BATCHES, (before, most)).rowcount
    return limit if batches == most else max(facts, batches)


def query(
    reader: sqlite3.Connection, waiting: Iterable[Written], span: Span, limit: int, before: tuple[float, str] | None
) -> list[Record]:
    """The last ones, of the file and of those that `waiting` are on their way to it."""
    clause, values = conditions(span)
    if before is not None:
        clause, values = f"{clause} AND (created, id) < (?, ?)", [*values, *before]
    sql = f"SELECT id, created, batch, at, size FROM fact WHERE {clause} ORDER BY created DESC, id DESC LIMIT ?"  # noqa: S608
    fits = matches(span.where)
    asked = [row for row in waiting if is_within(row, span) and fits(row[3])]
    newer = [row for row in asked if before is None or (row[1], row[0]) < before]
    hidden = {row[0] for row in waiting}
    found = [row for row in reader.execute(sql, (*values, limit + len(hidden))) if row[0] not in hidden]
    chosen = sorted([*found, *newer], key=itemgetter(1, 0), reverse=True)[:limit]
    return [_decoder.decode(record) for record in read(reader, chosen)]


def read(reader: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    """The records of rows that wait, or say where in the file they stand: neighbours mostly in the same batch, which is read once."""
    last, records = 0, b""
    for _, _, what, *where in rows:
        if isinstance(what, bytes):
            yield what
            continue
        if what != last:
            last, (records,) = what, reader.execute(RECORDS, (what,)).fetchone() or (b"",)
        begin = where[0] - 1
        if record := records[begin : begin + where[1]]:
            yield record


def one(reader: sqlite3.Connection, id: str) -> bytes | None:
    found = reader.execute(FIND, (id,)).fetchone()
    return found[0] if found else None


def usage(reader: sqlite3.Connection, waiting: Sequence[Written], by: Sequence[str], span: Span, limit: int) -> list[Totals]:
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
    fits, asked = matches(span.where), [(row[1], row[3]) for row in waiting if is_within(row, span)]
    for group, numbers in sum_up([each for each in asked if fits(each[1])], by).items():
        add(sums, group, numbers)
    return totals(sums, by, limit)


def conditions(span: Span) -> tuple[str, list[Any]]:
    """SQL and its values; names must have been checked."""
    clauses = ["created >= ? AND created <= ?", *[f'"{name}" IS ?' for name in span.where]]
    return " AND ".join(clauses), [span.since, span.until, *span.where.values()]


def is_within(row: Written, span: Span) -> bool:
    return span.since <= row[1] <= span.until

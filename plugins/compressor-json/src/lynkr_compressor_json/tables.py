"""Objects of one kind, told as a table: what all have in common once, then a row for each with what is its own.

    {"user":"ada","hits":@1*3}
    @1: 3 rows fill _ and {} of {"file":"src/{}.py","line":_}
    app,12
    ^,40
    kernel,7

`@1*3` is a list of the next three rows of the first table. `^` is the cell above once more, `^2` that of the second row, an empty cell a
key that is not there, and `{1}` in a string the row's first cell once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from lynkr_compressor_json.columns import MISSING, PART, SAME, Column, column, is_bare
from lynkr_compressor_json.values import decoder, read, write

LEAST = 2
REPEATED, FAR = 6, 12
"""Characters of a cell that is worth a `^`, and a `^` with a number."""
NOTE = " (^: as above, ^n: as in row n)"
MOST = 5_000
"""Rows."""

_HEAD = re.compile(r"@(\d+): (\d+) rows fill _ and \{\} of (.+?)(?: \(\^: as above, \^n: as in row n\))?")
_PLACES = re.compile(r'"(?:[^"\\]|\\.)*"|@(\d+)\*(\d+)')
_SLOTS = re.compile(r'("(?:[^"\\]|\\.)*")(:)?|_')
_PARTS = re.compile(r"\{(\d*)\}")
_PLACE = "\0rows"
_GONE = "\0gone"

Object = dict[str, Any]


class Table:
    """Rows of all lists whose objects have the same keys."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        self.rows: list[Object] = []


def tabled(value: Any, whole: bool = False) -> str | None:
    """None for a value with nothing to put into tables. `whole`: no string is cut into what all rows share and what they do not."""
    tables: dict[tuple[str, ...], Table] = {}
    _gather(value, tables)
    kept = {keys: (number, table) for number, (keys, table) in enumerate(_worth(tables), 1)}
    if not kept:
        return None
    out = [_skeleton(value, kept)]
    for number, table in kept.values():
        template, slots = _columns(table, whole)
        told = list(map(_again, slots))
        note = NOTE if told != slots else ""
        out.append(f"@{number}: {len(table.rows)} rows fill _ and {{}} of {template}{note}")
        out += [",".join(row) for row in zip(*told, strict=True)] if told else [""] * len(table.rows)
    return "\n".join(out)


def _worth(tables: dict[tuple[str, ...], Table]) -> list[tuple[tuple[str, ...], Table]]:
    return [(keys, table) for keys, table in tables.items() if LEAST <= len(table.rows) <= MOST]


def _gather(value: Any, tables: dict[tuple[str, ...], Table]) -> None:
    if isinstance(value, dict):
        for one in cast("Object", value).values():
            _gather(one, tables)
    elif isinstance(value, list):
        rows = cast("list[Any]", value)
        keys = union(rows)
        if keys:
            tables.setdefault(keys, Table(keys)).rows += rows
            return
        for one in rows:
            _gather(one, tables)


def union(rows: Sequence[Any]) -> tuple[str, ...]:
    """All keys of these objects, in an order that is each object's own; () when there is none, or they are no objects."""
    if not rows or not all(isinstance(row, dict) and bool(cast("Object", row)) for row in rows):
        return ()
    objects = cast("Sequence[Object]", rows)
    keys = list(max(objects, key=len))
    most = 2 * len(keys)
    for row in objects:
        if list(row) != keys:
            _merge(keys, row)
        if len(keys) > most:
            return ()
    if any([key for key in keys if key in row] != list(row) for row in objects):
        return ()
    shared = sum(map(len, objects)) / (len(keys) * len(objects))
    return tuple(keys) if shared > 0.5 else ()


def _merge(keys: list[str], row: Object) -> None:
    at = 0
    for key in row:
        if key in keys:
            at = keys.index(key) + 1
        else:
            keys.insert(at, key)
            at += 1


def _skeleton(value: Any, kept: dict[tuple[str, ...], tuple[int, Table]]) -> str:
    if isinstance(value, dict):
        fields = cast("Object", value).items()
        return "{" + ",".join([f"{write(key)}:{_skeleton(one, kept)}" for key, one in fields]) + "}"
    if isinstance(value, list):
        rows = cast("list[Any]", value)
        found = kept.get(union(rows))
        if found is not None:
            return f"@{found[0]}*{len(rows)}"
        return "[" + ",".join([_skeleton(one, kept) for one in rows]) + "]"
    return write(value)


def _columns(table: Table, whole: bool) -> tuple[str, list[list[str]]]:
    slots: list[list[str]] = []
    return _template(table.keys, table.rows, slots, whole), slots


def _template(keys: Sequence[str], rows: Sequence[Object], slots: list[list[str]], whole: bool) -> str:
    out: list[str] = []
    for key in keys:
        values = [row.get(key, MISSING) for row in rows]
        inner = _alike(values)
        made = _template(inner, values, slots, whole) if inner else _filled(column(values, whole), slots)
        out.append(f"{write(key)}:{made}")
    return "{" + ",".join(out) + "}"


def _alike(values: Sequence[Any]) -> tuple[str, ...]:
    """The keys of these values when they are objects with the same keys in the same order."""
    first = values[0]
    if not isinstance(first, dict) or not first:
        return ()
    keys = tuple(cast("Object", first))
    return keys if all(isinstance(value, dict) and tuple(cast("Object", value)) == keys for value in values) else ()


def _filled(one: Column, slots: list[list[str]]) -> str:
    """Adds its slots, but those that stand in the row already."""
    template = one.template
    if PART not in template:
        slots += one.slots
        return template
    pieces = template.split(PART)
    out = pieces[0]
    for cells, rest in zip(one.slots, pieces[1:], strict=True):
        known = next((i for i, other in enumerate(slots, 1) if other == cells), None)
        if known is None:
            slots.append(cells)
        out += (PART if known is None else f"{{{known}}}") + rest
    return out


def _again(cells: list[str]) -> list[str]:
    """The cells of a column, those that stood there before by where."""
    rows: dict[str, int] = {}
    told: list[str] = []
    above = ""
    for row, own in enumerate(cells, 1):
        known = rows.setdefault(own, row)
        if own == above and len(own) >= REPEATED:
            told.append(SAME)
        else:
            told.append(f"{SAME}{known}" if known < row and len(own) >= FAR else own)
        above = own
    return told


# the way back
def untabled(text: str) -> Any:
    """The value. Raises `ValueError` and the like for what is no such text."""
    lines = text.split("\n")
    tables: dict[str, Iterator[Object]] = {}
    at = 1
    while at < len(lines):
        head = _HEAD.fullmatch(lines[at])
        if head is None:
            raise ValueError("a table was expected")
        count = int(head[2])
        tables[head[1]] = iter(_read_rows(head[3], lines[at + 1 : at + 1 + count]))
        at += 1 + count

    def place(match: re.Match[str]) -> str:
        return match[0] if match[1] is None else write([_PLACE, match[1], match[2]])

    return _placed(read(_PLACES.sub(place, lines[0])), tables)


def _placed(value: Any, tables: dict[str, Iterator[Object]]) -> Any:
    if isinstance(value, dict):
        return {key: _placed(one, tables) for key, one in cast("Object", value).items()}
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    if items and items[0] == _PLACE:
        return [next(tables[items[1]]) for _ in range(int(items[2]))]
    return [_placed(one, tables) for one in items]


def _read_rows(template: str, rows: Sequence[str]) -> list[Object]:
    found: list[Object] = []
    before: list[list[str]] = []
    slots, tail = _slots(template)
    for row in rows:
        before.append([_meant(one, i, before) for i, one in enumerate(_cells(row))])
        found.append({key: one for key, one in read(_fill(slots, before[-1]) + tail).items() if one != _GONE})
    return found


def _meant(cell: str, column: int, before: Sequence[list[str]]) -> str:
    return before[int(cell[1:] or len(before)) - 1][column] if cell.startswith(SAME) else cell


def _cells(row: str) -> list[str]:
    cells: list[str] = []
    at = 0
    while True:
        if row[at : at + 1] in ("[", "{", '"') and at < len(row):
            end = decoder.raw_decode(row, at)[1]
        else:
            end = row.find(",", at)
            end = len(row) if end < 0 else end
        cells.append(row[at:end])
        if end >= len(row):
            return cells
        at = end + 1


def _slots(template: str) -> tuple[list[tuple[str, str | None]], str]:
    """What stands before each slot, and the string that the slot is a part of, if it is no whole value; and what stands after all."""
    found: list[tuple[str, str | None]] = []
    at = 0
    for match in _SLOTS.finditer(template):
        string = read(match[1]) if match[1] and not match[2] else None
        if match[1] and (string is None or _PARTS.search(string) is None):
            continue
        found.append((template[at : match.start()], string))
        at = match.end()
    return found, template[at:]


def _fill(slots: list[tuple[str, str | None]], cells: Sequence[str]) -> str:
    """The template with the cells in its slots, up to what stands after all."""
    left = iter(cells)

    def part(match: re.Match[str]) -> str:
        text = cells[int(match[1]) - 1] if match[1] else next(left)
        return read(text) if text[:1] == '"' else text

    return "".join(
        [before + (_whole(next(left)) if string is None else write(_PARTS.sub(part, string))) for before, string in slots]
    )


def _whole(cell: str) -> str:
    """The JSON of a cell that is a whole value."""
    return write(cell or _GONE) if cell[:1] not in ('"', "[", "{") and is_bare(cell) else cell

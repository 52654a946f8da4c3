"""The survey: `main` walks a workspace in a process of its own, as the order says that is its only argument.

Parsing holds Python's lock for as long as a file takes, and a parser may break on what it is given: neither is the gateway's to bear.
What came of the last survey is read from stdin; the first line of stdout is for the gateway, the rest is for the next survey.
"""

from __future__ import annotations

import os
import stat
import sys
import time
import warnings
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from lynkr_scorer_codegraph.facts import Facts, Tally, python
from lynkr_scorer_codegraph.grammars import GRAMMARS, other
from lynkr_scorer_codegraph.graph import importers

ENDINGS = frozenset(("py", "pyi", *GRAMMARS))
LEFT_OUT = frozenset(("node_modules", "__pycache__", "site-packages", "vendor", "target", "dist", "build", "venv"))
LOOKED_AT = 20
"""Names in folders that may be passed over for each file that is wanted."""


class Order(Struct):
    """`seconds`: after so many, what is known by then is told."""

    workspace: str
    max_files: int
    max_bytes: int
    seconds: float


class Known(Struct, array_like=True):
    """One file: nanoseconds of its last change, bytes, facts, and what it imports."""

    changed: int
    size: int
    facts: Facts
    imports: tuple[str, ...]


class Told(Struct, array_like=True):
    """For the gateway. `whole`: every file that it wanted was looked at."""

    whole: bool
    files: dict[str, Facts]


def survey(order: Order, before: dict[str, Known]) -> tuple[bool, dict[str, Known]]:
    """Files by path from the workspace, with `/`. Those that have not changed are not read again. Links are never followed."""
    until = time.monotonic() + order.seconds
    found: dict[str, Known] = {}
    for path, name, folder in walk(order):
        if time.monotonic() > until:
            return False, before | found
        if (known := look(name, folder, order.max_bytes, before.get(path))) is not None:
            found[path] = known
            if len(found) >= order.max_files:
                return False, found
    return True, found


def walk(order: Order) -> Iterator[tuple[str, str, int]]:
    """Path, name, and the open folder it is in; hidden folders, and those of other people's code, are left out."""
    seen = 0
    for root, folders, names, folder in os.fwalk(order.workspace, follow_symlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in LEFT_OUT)
        inside = os.path.relpath(root, order.workspace).replace(os.sep, "/")
        for name in sorted(names):
            seen += 1
            if name.rpartition(".")[2].lower() in ENDINGS:
                yield name if inside == "." else f"{inside}/{name}", name, folder
        if seen + len(folders) > LOOKED_AT * order.max_files:
            return


def look(name: str, folder: int, max_bytes: int, before: Known | None) -> Known | None:
    """None for what is no plain file, is too large or cannot be read."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    try:
        state = os.fstat(file)
        if not stat.S_ISREG(state.st_mode) or state.st_size > max_bytes:
            return None
        if before is not None and (before.changed, before.size) == (state.st_mtime_ns, state.st_size):
            return before
        with os.fdopen(os.dup(file), "rb") as opened:
            data = opened.read(max_bytes)
        return read(data, name.rpartition(".")[2].lower(), state)
    except OSError:
        return None
    finally:
        os.close(file)


def read(data: bytes, ending: str, state: os.stat_result) -> Known:
    """What cannot be parsed has lines only."""
    tally = Tally(data)
    try:
        if ending in ("py", "pyi"):
            python(data, tally)
        else:
            other(data, ending, tally)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tally = Tally(data)
    return Known(state.st_mtime_ns, state.st_size, tally.facts(), tuple(sorted(tally.imports)))


def told(whole: bool, known: dict[str, Known]) -> Told:
    counted = importers({path: one.imports for path, one in known.items()})
    files = {path: msgspec.structs.replace(one.facts, importers=counted.get(path, 0)) for path, one in known.items()}
    return Told(whole, files)


def main() -> None:
    warnings.simplefilter("ignore")  # of code that is only looked at
    os.nice(10)
    order = msgspec.json.decode(sys.argv[1], type=Order)
    given = sys.stdin.buffer.read()
    whole, known = survey(order, msgspec.json.decode(given, type=dict[str, Known]) if given else {})
    sys.stdout.buffer.write(msgspec.json.encode(told(whole, known)) + b"\n" + msgspec.json.encode(known))
    sys.stdout.buffer.flush()

"""What a check has found: how bad it is, where, what, and what to do."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Level = Literal["good", "warning", "broken"]


class Finding(Struct, frozen=True, kw_only=True):
    """One line of the report. `where`: a table such as `provider.work`, or the subject. `do`: the next step; none when all is well."""

    level: Level
    where: str
    what: str
    do: str = ""


def good(where: str, what: str) -> Finding:
    return Finding(level="good", where=where, what=what)


def warning(where: str, what: str, do: str) -> Finding:
    return Finding(level="warning", where=where, what=what, do=do)


def broken(where: str, what: str, do: str) -> Finding:
    return Finding(level="broken", where=where, what=what, do=do)

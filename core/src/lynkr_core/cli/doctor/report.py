"""The findings, for people and for programs. Whatever a check says, no secret gets out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lynkr_core.cli.doctor.finding import Finding, Level
from lynkr_core.cli.printing import print_json

SHORTEST_SECRET = 6
"""Characters; a shorter one would blot out parts of ordinary words."""
COLOURS: dict[Level, str] = {"good": "green", "warning": "yellow", "broken": "bold red"}


class Report(Struct, kw_only=True):
    """`status`: 0 when nothing is broken, 1 when something is, 2 when the file cannot be used at all."""

    file: str
    status: int
    findings: Sequence[Finding]


def redacted(findings: Iterable[Finding], secrets: Iterable[str]) -> list[Finding]:
    """The same findings with every secret struck out, the longest first, should one contain another."""
    hidden = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
    return [
        Finding(level=one.level, where=strike(one.where, hidden), what=strike(one.what, hidden), do=strike(one.do, hidden))
        for one in findings
    ]


def strike(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def show(report: Report, json: bool) -> None:
    """Prints it: JSON, colours on a terminal, plain lines anywhere else."""
    if json:
        print_json(report)
    elif sys.stdout.isatty():
        coloured(report)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(report)))


def lines(report: Report) -> list[str]:
    """The findings as they were found, and how many are bad."""
    told: list[str] = []
    for one in report.findings:
        told.append(f"{one.level:8}{one.where}: {one.what}")
        told += [f"        -> {one.do}"] if one.do else []
    return [*told, f"{report.file}: {verdict(report)}"]


def coloured(report: Report) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    for one in report.findings:
        console.print(f"[{COLOURS[one.level]}]{one.level:8}[/][bold]{escape(one.where)}[/]: {escape(one.what)}", soft_wrap=True)
        if one.do:
            console.print(f"        [dim]->[/] {escape(one.do)}", soft_wrap=True)
    worst: Level = "broken" if report.status else "good"
    console.print(f"[{COLOURS[worst]}]{escape(report.file)}: {verdict(report)}[/]", soft_wrap=True)


def verdict(report: Report) -> str:
    levels = [one.level for one in report.findings]
    bad, dubious = levels.count("broken"), levels.count("warning")
    warnings = f"{dubious} warning{'' if dubious == 1 else 's'}" if dubious else "no warnings"
    return f"{f'{bad} broken' if bad else 'nothing is broken'}, {warnings}"

"""`lynkr usage`: what was spent, on what, and what that saved."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from lynkr_core.cli.configured import kernel_of
from lynkr_core.cli.printing import print_json
from lynkr_core.errors import LynkrError
from lynkr_core.kernel import Kernel
from lynkr_core.stores import Journal
from lynkr_core.stores.report import end, groups, moment, named, report

DEFAULT = Path("lynkr.toml")
COLUMNS = (
    ("requests", "requests"), ("failed", "errors"), ("tokens in", "input_tokens"), ("cached", "cache_read"), ("out", "output_tokens"),
    ("USD", "usd"), ("unpriced", "unpriced"), ("local", "local_share"), ("cheap", "cheap_share"), ("saved USD", "saved_usd"),
)  # fmt: skip
COMPARED = (("baseline USD", "baseline_usd"), ("less USD", "less_than_baseline_usd"))


def usage(
    *,
    by: str = "model",
    since: str = "7d",
    until: str = "",
    baseline: str = "",
    limit: int = 50,
    savings: bool = False,
    config: Path = DEFAULT,
    json: bool = False,
) -> None:
    """Tell what was used and spent.

    Args:
        by: model, provider, key, user, team, agent, class, tier, session, task, status or day; or several, as in `team,day`.
        since: How long ago, as 7d or 24h, or a date or time in UTC.
        until: Up to then, in the same way; now when left out.
        baseline: A provider/model; tells what the same tokens would have cost there.
        limit: Rows, those that cost most first.
        savings: Instead, what each plugin has saved or lost, and what everything would have cost without them.
        config: The file that names the store.
        json: Print JSON, as `GET /v1/usage` answers.
    """
    try:
        names, span = groups(by), (moment(since), end(until))
        named(baseline)
    except ValueError as error:
        raise LynkrError(str(error)) from None
    if savings:
        from lynkr_core.cli.savings import tell

        tell(span, limit, config, json)
        return
    told = anyio.run(asked, names, span, baseline, limit, config)
    if json:
        print_json(told)
        return
    show(told)


async def asked(by: list[str], span: tuple[float, float], baseline: str, limit: int, config: Path) -> dict[str, Any]:
    async with journal_of(config) as (kernel, journal):
        against = (baseline, kernel.catalog.price(baseline)) if baseline else None
        return await report(journal, by, since=span[0], until=span[1], baseline=against, limit=limit)


@asynccontextmanager
async def journal_of(config: Path) -> AsyncGenerator[tuple[Kernel, Journal]]:
    """Raises `LynkrError` where nothing outlives the gateway."""
    kernel = kernel_of(config)
    journal = kernel.stores.journal()
    if journal is kernel.stores.memory:
        raise LynkrError(f"{config} has no store that keeps records; [store.sqlite] and [sink.journal] do")
    async with kernel:
        yield kernel, journal


def show(told: dict[str, Any]) -> None:
    """A table at a terminal; else the same cells with tabs between them."""
    shown = (*COLUMNS, *(COMPARED if told["baseline"] else ()))
    heads = [*told["by"], *[head for head, _ in shown]]
    rows = [
        [*[name(value) for value in row["group"].values()], *[cell(key, row[key]) for _, key in shown]] for row in told["rows"]
    ]
    if told["by"]:
        rows.append(["total", *[""] * (len(told["by"]) - 1), *[cell(key, told["total"][key]) for _, key in shown]])
    if not sys.stdout.isatty():
        sys.stdout.write("".join("\t".join(row) + "\n" for row in [heads, *rows]))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None)
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place < len(told["by"]) else "right")
    for row in rows:
        table.add_row(*[Text(value) for value in row])
    Console().print(table)
    baseline = told["baseline"]
    if baseline and not baseline["priced"]:
        sys.stdout.write(f"what {baseline['model']} costs is not known: [prices] can say it\n")


def name(value: str | None) -> str:
    """A group's value, without what would move the cursor of a terminal: callers choose some of them."""
    return "-" if value is None else "".join(letter if letter.isprintable() else "?" for letter in value)[:80]


def cell(key: str, value: float | None) -> str:
    if value is None:
        return "?"
    if key.endswith("_share"):
        return f"{value:.0%}"
    return f"{value:.4f}" if key.endswith("usd") else f"{value:d}"

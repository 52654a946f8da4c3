"""`lynkr prices`: what each model costs, and who says so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from lynkr_core.candidates import Catalog, unique
from lynkr_core.cards import Price
from lynkr_core.cli.configured import kernel_of
from lynkr_core.cli.printing import print_json
from lynkr_core.errors import LynkrError
from lynkr_core.exchange import Candidate

DEFAULT = Path("lynkr.toml")
SHOWN = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


def prices(*models: str, config: Path = DEFAULT, json: bool = False) -> None:
    """Tell what the configured models cost, and where each price is from.

    Args:
        models: Names that callers may ask for, as `provider/model`, a tier or an alias; all that are configured when left out.
        config: The file to read.
        json: Print JSON, with everything that is known of each price.
    """
    catalog = kernel_of(config).catalog
    found = [(candidate.id, candidate.price) for candidate in served(catalog, models)]
    if json:
        rows = [{"model": id, "price": builtins(price) if price else None} for id, price in found]
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "input", "output", "cache read", "write", "write 1h", "more", "source", "dated", box=None)
    for id, price in found:
        table.add_row(id, *(row_of(price) if price else ("unknown",)))
    Console(width=None if sys.stdout.isatty() else 240).print(table)  # a pipe has no width, and rich would fold at 80
    sys.stdout.write("USD per million tokens. [prices] of lynkr.toml wins over every catalogue.\n")


def served(catalog: Catalog, names: Sequence[str]) -> tuple[Candidate, ...]:
    """The candidates of these names; without names of all that there are. Raises `LynkrError` for a name that nobody serves."""
    targets = [(name, catalog.resolve(name)) for name in names or catalog.names()]
    unknown = [name for name, target in targets if target is None]
    if names and unknown:
        raise LynkrError(f"nobody serves {', '.join(unknown)}; lynkr check tells what is configured")
    return unique(candidate for _, target in targets if target for candidate in target.candidates)


def row_of(price: Price) -> tuple[str, ...]:
    rates = [getattr(price, name) for name in SHOWN]
    day = price.dated.isoformat() if price.dated else ""
    return (*["" if rate is None else f"{rate:g}" for rate in rates], ", ".join(more_of(price)), price.source, day)


def more_of(price: Price) -> list[str]:
    """What the price has beside the rates of the table."""
    told = [f"over {tier.above:,} tokens {tier.input:g} and {tier.output:g}" for tier in price.tiers]
    told += [f"{name} {usd:g} each" for name, usd in price.fees.items() if usd]
    told += [f"a request {price.per_request:g}"] if price.per_request else []
    told += [f"{name} {plan.input:g} and {plan.output:g}" for name, plan in price.services.items()]
    return [*told, "other prices at some hours"] if price.hours else told


def builtins(price: Price) -> dict[str, Any]:
    """All fields, also those that are as they are by default."""
    return {**msgspec.to_builtins(price), "source": price.source, "dated": structs.asdict(price)["dated"]}

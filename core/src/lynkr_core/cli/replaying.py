"""`lynkr replay`: what another configuration would have made of the traffic of the past."""

from __future__ import annotations

import math
import os
import random
import statistics
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anyio

from lynkr_core.cli.exporting import records
from lynkr_core.cli.printing import print_json
from lynkr_core.cli.redeciding import decide, exchange_of, price_now, scored_alike
from lynkr_core.cli.usage import DEFAULT, journal_of, name
from lynkr_core.config import Config, load
from lynkr_core.errors import GatewayError, InvalidRequest, LynkrError
from lynkr_core.exchange import Candidate
from lynkr_core.kernel import Kernel
from lynkr_core.stores import Record
from lynkr_core.stores.report import end, iso, moment

LEFT_OUT = ("sink", "extension", "cache", "auth")
"""Kinds of plugins that have no part in a decision on a request of somebody who is known already."""
REMEMBERED = 2000
"""Durations of one model; of more a random choice."""
SHOWN = 15


def replay(
    *, config: Path, since: str = "7d", until: str = "", journal: Path = DEFAULT, limit: int = 100_000, json: bool = False
) -> None:
    """Tell what another configuration would have done with the requests in the journal, without calling anyone.

    Args:
        config: The other configuration.
        since: How long ago, as 7d or 24h, or a date or time in UTC.
        until: Up to then, in the same way; now when left out.
        journal: The file that names the store with the journal.
        limit: Requests, the newest.
        json: Print JSON.
    """
    try:
        span = moment(since), math.nextafter(end(until), -math.inf)
    except ValueError as error:
        raise LynkrError(str(error)) from None
    told = anyio.run(replayed, config, span, journal, limit)
    if json:
        print_json(told)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(told)))


async def replayed(config: Path, span: tuple[float, float], journal: Path, limit: int) -> dict[str, Any]:
    other = Kernel.from_config(deciding(load(config, os.environ, strict=False)), os.environ)
    sums = Sums()
    async with journal_of(journal) as (kernel, store), other:
        async for record in records(store, span, {}):
            if sums.requests >= limit:
                break
            await sums.add(kernel, other, record)
    return {"config": str(config), "since": iso(span[0]), **sums.told()}


def deciding(config: Config) -> Config:
    """What of a configuration decides: nothing of it writes a record, sends anything or answers by itself."""
    config.plugins = [table for table in config.plugins if table.kind not in LEFT_OUT]
    return config


class Sums:
    """What is told in the end; the same memory for any number of requests."""

    def __init__(self) -> None:
        self.requests = self.skipped = self.rescored = self.moved = self.priced = self.newly_served = 0
        self.usd = [0.0, 0.0]
        self.tiers: Counter[tuple[str, str]] = Counter()
        self.models: Counter[tuple[str, str]] = Counter()
        self.refusals: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.durations: dict[str, tuple[list[float], list[int]]] = {}
        self.places: tuple[Counter[str], Counter[str]] = (Counter(), Counter())

    async def add(self, kernel: Kernel, other: Kernel, record: Record) -> None:
        self.requests += 1
        try:
            exchange = exchange_of(other, record)
        except InvalidRequest:
            exchange = None
        if exchange is None or (record.get("cache") or "off") not in ("off", "miss"):
            self.skipped += 1
            return
        rescore = await scored_alike(kernel, record)
        self.rescored += rescore
        try:
            order = await decide(other, exchange, record, rescore)
        except GatewayError as error:
            self._refused(record, error)
            return
        if record["status"] == "refused":
            self.newly_served += 1
        elif order:
            self._served(record, order[0], exchange.tier)

    def _refused(self, record: Record, error: GatewayError) -> None:
        if record["status"] != "refused":
            self.refusals[name(error.message)] += 1
            who = next(
                (f"{what} {record[what]}" for what in ("team", "user", "key", "agent") if record.get(what)), record["principal"]
            )
            self.refused[name(who)] += 1

    def _served(self, record: Record, first: Candidate, tier: str | None) -> None:
        then = first_of(record)
        self.moved += then != first.id
        self.models[name(then), name(first.id)] += 1
        self.tiers[record.get("tier") or "-", tier or "-"] += 1
        if record["status"] == "ok" and record.get("duration") is not None and record.get("model"):
            self._lasted(f"{record['provider']}/{record['model']}", record["duration"])
        self.places[0][then] += 1
        self.places[1][first.id] += 1
        before, after = record.get("cost"), price_now(record, first)
        if before is not None and after is not None:
            self.priced += 1
            self.usd[0] += before
            self.usd[1] += before if then == first.id == f"{record.get('provider')}/{record.get('model')}" else after

    def _lasted(self, model: str, seconds: float) -> None:
        held, count = self.durations.setdefault(model, ([], [0]))
        count[0] += 1
        if len(held) < REMEMBERED:
            held.append(seconds)
        elif (place := random.randrange(count[0])) < REMEMBERED:  # noqa: S311  # a fair choice, no secret
            held[place] = seconds

    def seconds(self) -> dict[str, float | None]:
        """What the models usually took, over the requests that go to each; of models that nobody has seen yet nothing is known."""
        usual = {model: statistics.median(held) for model, (held, _) in self.durations.items()}
        told: dict[str, float | None] = {}
        for when, places in zip(("before", "after"), self.places, strict=True):
            known = [(usual[model], count) for model, count in places.items() if model in usual]
            total = sum(count for _, count in known)
            told[when] = sum(seconds * count for seconds, count in known) / total if total else None
            told[f"{when}_known"] = total / places.total() if places.total() else None
        return told

    def told(self) -> dict[str, Any]:
        """JSON values."""
        decided = self.requests - self.skipped
        return {
            "requests": self.requests, "skipped": self.skipped, "decided": decided, "rescored": self.rescored, "moved": self.moved,
            "usd": {"before": self.usd[0], "after": self.usd[1], "saved": self.usd[0] - self.usd[1], "requests": self.priced},
            "seconds": self.seconds(), "newly_served": self.newly_served,
            "refused": {"requests": self.refusals.total(), "why": dict(self.refusals.most_common()), "who": dict(self.refused.most_common())},
            "tiers": pairs(self.tiers), "models": pairs(self.models),
        }  # fmt: skip


def first_of(record: Record) -> str:
    """Who was to be asked first."""
    order = record.get("order") or ()
    return order[0] if order else f"{record.get('provider')}/{record.get('model')}"


def pairs(counted: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"before": before, "after": after, "requests": count} for (before, after), count in counted.most_common()]


def lines(told: dict[str, Any]) -> list[str]:
    usd, seconds, refused = told["usd"], told["seconds"], told["refused"]
    found = [f"{told['requests']} requests since {told['since']}, decided by {told['config']}"]
    found += [f"  skipped   {told['skipped']} from a cache, or of a kind that is not decided on"] if told["skipped"] else []
    found.append(f"  scored    {told['rescored']} anew by their texts, the others as they were then")
    found.append(f"  moved     {told['moved']} to another model")
    found.append(
        f"  cost      ${usd['before']:.4f} -> ${usd['after']:.4f}, saves ${usd['saved']:.4f} ({usd['requests']} with known prices)"
    )
    found.append(f"  seconds   {shown(seconds, 'before')} -> {shown(seconds, 'after')} for a usual answer")
    found.append(f"  refused   {refused['requests']} that were served; {told['newly_served']} served that were refused")
    found += [f"            {count} because {why}" for why, count in first(refused["why"].items())]
    found += [f"            {count} of {who}" for who, count in first(refused["who"].items())]
    for what in ("tiers", "models"):
        rows = [row for row in told[what] if row["before"] != row["after"]]
        found += [f"  {what:9} {row['requests']} from {row['before']} to {row['after']}" for row in first(rows)]
    return found


def first(rows: Iterable[Any]) -> list[Any]:
    return list(rows)[:SHOWN]


def shown(seconds: dict[str, float | None], when: str) -> str:
    value, known = seconds[when], seconds[f"{when}_known"]
    return f"{value:.2f} (known for {known:.0%})" if value is not None and known is not None else "?"

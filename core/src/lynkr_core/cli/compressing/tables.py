"""What `lynkr eval compressors` prints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import quantiles
from typing import Any

from lynkr_core.cli.compressing.bills import Figures
from lynkr_core.cli.compressing.running import Findings, Times

SIZES = (0, 30_000, 90_000, 200_000, 400_000, 10**9)
MILLION = 1_000_000


def change(before: float, after: float) -> str:
    return f"{after / before - 1:+8.1%}" if before else "       -"


def table(name: str, figures: Figures, price: float) -> Iterator[str]:
    """Of one corpus; `price` in dollars for a million tokens of input."""
    yield f"{name}:" if not figures.conversations else f"{name}: {figures.conversations} conversations"
    if figures.conversations:
        client, ours = figures.client, figures.ours
        kept = f"{ours.kept / max(ours.could, 1):.2%} (client's own {client.kept / max(client.could, 1):.2%})"
        yield f"  input bill against caching only {change(client.cached, ours.cached)}"
        yield f"  a client without caching        {change(client.plain, ours.cached)}"
        yield f"  prefix kept                     {kept}"
        yield f"  {'':20}{'tokens sent':>14}{'dollars':>12}{'saved':>12}"
        yield from (plugin_line(*row) for row in by_plugin(figures, price))
    for kind, (count, before, after) in sorted(figures.kinds.items(), key=lambda item: -item[1][1]):
        yield f"  {kind:14} {count:5} results {before:9} -> {after:9} tokens {change(before, after)}"
    for kind, (count, verbatim, folded) in sorted(figures.needles.items()):
        yield f"  {kind:8} needles: {(verbatim + folded) / count:8.3%} of {count}, to the letter {verbatim / count:8.3%}"


def by_plugin(figures: Figures, price: float) -> Iterator[tuple[str, float, float, float | None]]:
    """The client's own bill, then after each plugin: tokens sent, dollars, and the dollars that this plugin saved."""
    bills = [("client alone", figures.client), *figures.plugins.items()]
    yield bills[0][0], bills[0][1].plain, bills[0][1].cached * price / MILLION, None
    for (_, before), (name, bill) in pairwise(bills):
        yield name, bill.plain, bill.cached * price / MILLION, (before.cached - bill.cached) * price / MILLION


def plugin_line(name: str, tokens: float, dollars: float, saved: float | None) -> str:
    return f"  {name:20}{tokens:>14.0f}{dollars:>12.4f}{'' if saved is None else f'{saved:>12.4f}'}"


def timing(times: Times, cold: Times) -> Iterator[str]:
    """CPU beyond a gateway that reads nothing."""
    yield "milliseconds of CPU a request, by size of its body (warm conversation)"
    for least, most in pairwise(SIZES):
        own = sorted([1e3 * seconds for size, seconds in times if least <= size < most])
        if len(own) > 1:
            cuts = quantiles(own, n=20)
            yield f"  {least // 1000:4} KB and more: {len(own):5} requests, p50 {cuts[9]:7.2f}, p95 {cuts[18]:7.2f}"
    scaled = [1e3 * seconds * 60_000 / max(size, 60_000) for size, seconds in times]
    if len(scaled) > 1:
        cuts = quantiles(scaled, n=20)
        yield f"  for each 60 KB: p50 {cuts[9]:.2f}, p95 {cuts[18]:.2f}"
    for size, seconds in cold:
        yield f"  cold, {size // 1000} KB: {1e3 * seconds:.1f}"


def report(found: Findings, price: float) -> Iterator[str]:
    for name, figures in found.figures.items():
        yield from table(name, figures, price)
        yield ""
    yield from timing(found.times, found.cold)


def plain(found: Findings, price: float) -> dict[str, Any]:
    """For `--json`: by corpus. Needles: how many, to the letter, in a shorter notation. Kinds: results, tokens before and after."""
    return {
        name: {
            "conversations": figures.conversations,
            "prefix_kept": figures.ours.kept / max(figures.ours.could, 1),
            "plugins": [
                {"plugin": name, "tokens": round(tokens), "usd": usd, "saved_usd": saved}
                for name, tokens, usd, saved in by_plugin(figures, price)
            ],
            "needles": figures.needles,
            "kinds": figures.kinds,
        }
        for name, figures in found.figures.items()
    }

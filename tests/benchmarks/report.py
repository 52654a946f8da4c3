"""What the figures say: medians over the rounds, ratios to `bare` within each round, and the aims with met or missed."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from .measures import Idle, Measure, Point, Points
from .processes import GATEWAY_CORES, OTHER_CORES


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One target in one measure. `cost`: CPU ms per request, or µs per streamed chunk. Latencies in ms, `added` to direct's."""

    target: str
    cost: float | None
    ratio: float | None
    low: float | None
    high: float | None
    rate: float
    p50: float
    p99: float
    added_p50: float | None
    added_p99: float | None
    chunk_p50: float
    chunk_p99: float
    failed: int
    busy: float


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """An aim and what came of it. `met` is None when it could not be measured."""

    aim: str
    measured: float | None
    limit: float
    at_least: bool
    met: bool | None


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of `target` over that of `base` in one measure; at most `limit`, or at least."""

    aim: str
    measure: str
    target: str
    base: str = "bare"
    limit: float
    at_least: bool = False


RATIOS = (
    Ratio(aim="no plugins, small, c=64", measure="small c=64", target="lynkr", limit=1.4),
    Ratio(aim="tiers and scorer, small", measure="small c=64", target="tiers", limit=2.5),
    Ratio(aim="tiers and scorer, 60 KB", measure="agent c=64", target="tiers", limit=2.0),
    Ratio(aim="with journal, small", measure="small c=64", target="journal", limit=3.5),
    Ratio(aim="key, budget, rate and journal", measure="small c=64", target="governed", base="lynkr", limit=1.35),
    Ratio(aim="chunk, same dialect, 10 ms", measure="stream 10 ms", target="lynkr", limit=1.3),
    Ratio(aim="chunk, same dialect, 0 ms", measure="stream 0 ms", target="lynkr", limit=1.3),
    Ratio(aim="chunk, translated, 10 ms", measure="translated 10 ms", target="lynkr", limit=3.0),
    Ratio(aim="chunk, translated, 0 ms", measure="translated 0 ms", target="lynkr", limit=3.0),
    Ratio(aim="LiteLLM over tiers and scorer", measure="small c=64", target="litellm", base="tiers", limit=60, at_least=True),
    Ratio(aim="Portkey over tiers and scorer", measure="small c=64", target="portkey", base="tiers", limit=10, at_least=True),
)


def median(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def ratios(measure: Measure, target: list[Point], base: list[Point]) -> list[float]:
    """Within each round, so that a slow minute cancels out."""
    pairs = [(t.cost(measure.stream), b.cost(measure.stream)) for t, b in zip(target, base, strict=False)]
    return [t / b for t, b in pairs if t is not None and b]


def row(measure: Measure, name: str, points: Mapping[str, list[Point]]) -> Row:
    own, direct = points[name], points.get("direct", [])
    found = ratios(measure, own, points.get("bare", [])) if name != "direct" else []
    samples = [point.sample for point in own]
    pairs = [(point.sample, other.sample) for point, other in zip(own, direct, strict=False)] if name != "direct" else []

    def middle(values: Iterable[float]) -> float:
        return median(values) or 0.0

    return Row(
        target=name, cost=median(point.cost(measure.stream) for point in own) if name != "direct" else None, ratio=median(found),
        low=min(found, default=None), high=max(found, default=None), failed=sum(s.failed for s in samples),
        rate=middle((s.chunks if measure.stream else s.done) / s.seconds for s in samples), busy=middle(s.busy for s in samples),
        p50=middle(s.latency.p50 for s in samples), p99=middle(s.latency.p99 for s in samples),
        added_p50=median(s.latency.p50 - d.latency.p50 for s, d in pairs),
        added_p99=median(s.latency.p99 - d.latency.p99 for s, d in pairs),
        chunk_p50=middle(s.chunk_delay.p50 for s in samples), chunk_p99=middle(s.chunk_delay.p99 for s in samples),
    )  # fmt: skip


def rows(measure: Measure, points: Points) -> list[Row]:
    return [row(measure, name, points[measure.name]) for name, own in points[measure.name].items() if own]


def verdict(aim: str, measured: float | None, limit: float, at_least: bool = False) -> Verdict:
    met = None if measured is None else (measured >= limit if at_least else measured <= limit)
    return Verdict(aim=aim, measured=measured, limit=limit, at_least=at_least, met=met)


def verdicts(measures: Iterable[Measure], points: Points, idle: Mapping[str, Idle]) -> list[Verdict]:
    by_name = {measure.name: measure for measure in measures}
    found: list[Verdict] = []
    for aim in RATIOS:
        measured = None
        if aim.measure in by_name:
            both = points[aim.measure]
            measured = median(ratios(by_name[aim.measure], both.get(aim.target, []), both.get(aim.base, [])))
        found.append(verdict(f"{aim.aim} (x {aim.base})", measured, aim.limit, aim.at_least))
    rest = idle.get("lynkr")
    found.append(verdict("KB per idle stream", rest.stream_kb if rest else None, 5))
    found.append(verdict("idle RSS, MB", rest.rss if rest else None, 60))
    found.append(verdict("exec to listening, s", start(rest) if rest else None, 0.7))
    return found


def start(idle: Idle) -> float:
    """The first start compiles and fills caches; the median of the others counts when there are any."""
    return statistics.median(idle.starts[1:] or idle.starts)


def cell(value: float | None, width: int, digits: int = 2) -> str:
    return f"{'-' if value is None else f'{value:.{digits}f}':>{width}}"


def block(measure: Measure, found: list[Row]) -> list[str]:
    """The table of one measure."""
    unit = "CPU µs/chunk" if measure.stream else "CPU ms/req"
    rate = "chunks/s" if measure.stream else "requests/s"
    last = f"{'chunk p50':>10}{'p99 ms':>9}" if measure.stream else f"{'p50 ms':>10}{'p99 ms':>9}{'added p50':>11}{'p99':>8}"
    about = f"{measure.body} body, {measure.front}, c={measure.connections}" + (f", {measure.rate:.0f}/s" if measure.rate else "")
    lines = [f"\n{measure.name}  ({about})"]
    lines.append(f"  {'target':10}{unit:>13}{'x bare':>9}{'low-high':>14}{rate:>12}{last}{'failed':>8}")
    for r in found:
        range_ = "-" if r.low is None or r.high is None else f"{r.low:.2f}-{r.high:.2f}"
        line = f"  {r.target:10}{cell(r.cost, 13, 2 if measure.stream else 4)}{cell(r.ratio, 9)}{range_:>14}{r.rate:>12.0f}"
        if measure.stream:
            line += f"{r.chunk_p50:>10.2f}{r.chunk_p99:>9.2f}"
        else:
            line += f"{r.p50:>10.2f}{r.p99:>9.2f}{cell(r.added_p50, 11)}{cell(r.added_p99, 8)}"
        lines.append(line + f"{r.failed:>8}")
    return lines


def idle_block(idle: Mapping[str, Idle]) -> list[str]:
    lines = ["\nat rest", f"  {'target':10}{'listening s':>13}{'RSS MB':>9}{'PSS MB':>9}{'processes':>11}{'KB/stream':>11}"]
    for name, rest in idle.items():
        line = f"  {name:10}{start(rest):>13.2f}{rest.rss:>9.1f}{rest.pss:>9.1f}{rest.processes:>11}{cell(rest.stream_kb, 11, 1)}"
        lines.append(line + (f"  {rest.trouble}" if rest.trouble else ""))
    return lines


def aims_block(found: Iterable[Verdict]) -> list[str]:
    lines = ["\naims"]
    for v in found:
        word = "not measured" if v.met is None else "met" if v.met else "MISSED"
        lines.append(f"  {v.aim:44}{cell(v.measured, 9)}  {'≥' if v.at_least else '≤'} {v.limit:<6g} {word}")
    return lines


def machine() -> dict[str, Any]:
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S"), "python": platform.python_version(), "machine": platform.machine(),
        "load": os.getloadavg()[0], "gateway_cores": list(GATEWAY_CORES), "other_cores": list(OTHER_CORES),
    }  # fmt: skip


def text(measures: tuple[Measure, ...], points: Points, idle: Mapping[str, Idle], missing: Mapping[str, str]) -> str:
    """The whole report as it is printed."""
    lines = [" · ".join(f"{name} {value}" for name, value in machine().items())]
    for measure in measures:
        lines += block(measure, rows(measure, points))
    lines += idle_block(idle) + aims_block(verdicts(measures, points, idle))
    lines += [f"\nnot measured: {name}: {why.strip()}" for name, why in missing.items()]
    return "\n".join(lines)


def whole(measures: tuple[Measure, ...], points: Points, idle: Mapping[str, Idle], missing: Mapping[str, str]) -> bytes:
    """Everything as JSON: summary, verdicts and each single run."""
    summary = {measure.name: rows(measure, points) for measure in measures}
    everything = {
        "machine": machine(), "measures": measures, "summary": summary, "idle": idle, "missing": missing,
        "aims": verdicts(measures, points, idle), "points": points,
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(everything))

"""`lynkr eval`: how well a scorer routes, on a data set with known outcomes."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lynkr_core.candidates import BOUNDS
from lynkr_core.cli import metrics
from lynkr_core.cli.dataset import Dataset, Row, read
from lynkr_core.cli.metrics import TIERS, tier
from lynkr_core.cli.mistaken import mistaken
from lynkr_core.cli.scoring import Scores, run
from lynkr_core.errors import LynkrError

DEFAULT = Path("lynkr.toml")
SHARED = Path("../shared/routing")
SOLVED = 0.5
"""From this score on a model has solved a request."""
RESAMPLES = 100
Table = dict[str, float]


def evaluate(
    dataset: Path | None = None, *, scorer: str = "heuristic", only: int = 0, worst: int = 0, config: Path = DEFAULT,
    intervals: bool = True, json: bool = False,
) -> None:  # fmt: skip
    """Run installed scorers on a data set and print how well they route.

    Args:
        dataset: A .jsonl or .jsonl.gz file, or a folder of them; the guide tells the format. Left out: ../shared/routing, if there.
        scorer: The plugin's name; of several, separated by commas, each is measured, and all together as the gateway combines them.
        only: At most so many rows of each source; 0 is all.
        worst: Also show so many of the rows that are routed worst.
        config: The file whose [scorer.NAME] tables configure them, if it is there.
        intervals: Add 95 per cent intervals (bootstrap).
        json: Print JSON.
    """
    data = read(dataset or shared(), only)
    names = [name.strip() for name in scorer.split(",") if name.strip()]
    found = asyncio.run(run(names, config, data.rows))
    report = measured(data, found.together, intervals) | {"milliseconds": latency(found.milliseconds)}
    if len(names) > 1:
        report["scorers"] = {name: measured(data, found.each.get(f"scorer.{name}", {}), False) for name in names}
    if worst:
        report["worst"] = mistaken(data, found, worst)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n" if json else "\n".join(told(report)) + "\n")


def shared() -> Path:
    """The data that lies beside a checkout. Raises `LynkrError` when it does not."""
    if not SHARED.is_dir():
        raise LynkrError("say which data set: a .jsonl file, or a folder of them, as the guide tells")
    return SHARED


def measured(data: Dataset, scores: Scores, intervals: bool) -> dict[str, Any]:
    """What is printed, for what the rows allow. A row without a score counts as 0."""
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in data.rows:
        if row.scores:
            by_source[row.source].append(row)
    report: dict[str, Any] = {"rows": len(data.rows), "without_score": len({row.id for row in data.rows} - set(scores))}
    if known := {name: rows for name, rows in by_source.items() if data.pairs.get(name)}:
        report |= outcomes(known, data.pairs, scores, intervals)
    if labelled := [row for row in data.rows if row.right]:
        report["tiers"] = tiers(labelled, scores)
    if perturbed := [row for row in data.rows if row.base]:
        report["robustness"] = robustness(perturbed, {row.id for row in data.rows}, scores)
    return report


def outcomes(
    by_source: Mapping[str, list[Row]], pairs: Mapping[str, list[tuple[str, str]]], scores: Scores, intervals: bool
) -> dict[str, Any]:
    """Per source, their mean, and all in one ranking in which each source weighs the same."""
    sources = {name: of_source(rows, pairs[name], scores) for name, rows in by_source.items()}
    names = ("apgr", "cpt50", "cpt80", "auc_solved")
    report: dict[str, Any] = {
        "sources": sources,
        "macro": {name: metrics.mean(source[name] for source in sources.values()) for name in names},
        "pooled": pooled(by_source, pairs, scores),
    }
    if intervals:
        samples = [resampled(by_source, pairs, scores, random.Random(seed)) for seed in range(RESAMPLES)]  # noqa: S311
        report["macro"]["apgr_95"] = interval([macro for macro, _ in samples])
        report["pooled"]["apgr_95"] = interval([pool for _, pool in samples])
    return report


def resampled(
    by_source: Mapping[str, list[Row]], pairs: Mapping[str, list[tuple[str, str]]], scores: Scores, dice: random.Random
) -> tuple[float, float]:
    drawn = {name: dice.choices(rows, k=len(rows)) for name, rows in by_source.items()}
    macro = metrics.mean(
        metrics.mean(gains_of(rows, weak, strong, scores).apgr for weak, strong in pairs[name]) for name, rows in drawn.items()
    )
    return macro, pooled(drawn, pairs, scores)["apgr"]


def interval(values: list[float]) -> tuple[float, float]:
    ranked = sorted(values)
    return ranked[round(0.025 * (len(ranked) - 1))], ranked[round(0.975 * (len(ranked) - 1))]


def both(rows: Sequence[Row], weak: str, strong: str) -> list[Row]:
    return [row for row in rows if weak in row.scores and strong in row.scores]


def gains_of(rows: Sequence[Row], weak: str, strong: str, scores: Scores) -> metrics.Gains:
    known = both(rows, weak, strong)
    return metrics.gains([scores.get(row.id, 0.0) for row in known], [row.scores[strong] - row.scores[weak] for row in known])


def of_source(rows: Sequence[Row], pairs: Sequence[tuple[str, str]], scores: Scores) -> Table:
    """The means over the source's pairs of models."""
    found = [gains_of(rows, weak, strong, scores) for weak, strong in pairs]
    solved: list[float] = []
    for weak, strong in pairs:
        known = [row for row in both(rows, weak, strong) if row.scores[strong] >= SOLVED]
        solved.append(metrics.auc([scores.get(row.id, 0.0) for row in known], [row.scores[weak] < SOLVED for row in known]))
    names = ("apgr", "cpt50", "cpt80")
    table = {name: metrics.mean(getattr(gains, name) for gains in found) for name in names}
    over = sum(scores.get(row.id, 0.0) > BOUNDS[1] for row in rows) / len(rows)
    return {"n": len(rows)} | table | {"auc_solved": metrics.mean(solved), "over_50": over}


def pooled(by_source: Mapping[str, list[Row]], pairs: Mapping[str, list[tuple[str, str]]], scores: Scores) -> Table:
    values: list[float] = []
    gained: list[float] = []
    weights: list[float] = []
    for name, rows in by_source.items():
        gain = {
            row.id: [row.scores[s] - row.scores[w] for w, s in pairs[name] if w in row.scores and s in row.scores] for row in rows
        }
        known = [row for row in rows if gain[row.id]]
        values += [scores.get(row.id, 0.0) for row in known]
        gained += [metrics.mean(gain[row.id]) for row in known]
        weights += [1 / len(known)] * len(known)
    found = metrics.gains(values, gained, weights)
    return {"apgr": found.apgr, "cpt50": found.cpt50, "cpt80": found.cpt80}


def tiers(rows: Sequence[Row], scores: Scores) -> dict[str, Any]:
    """Right: one of the acceptable tiers. Under, over: below or above all of them."""
    found = [(tier(scores.get(row.id, 0.0)), row.right) for row in rows]

    def share(is_so: Callable[[int, set[int]], bool]) -> float:
        return sum(is_so(given, right) for given, right in found) / len(found)

    given = Counter(TIERS[index] for index, _ in found)
    return {
        "n": len(rows), "right": share(lambda given, right: given in right), "under": share(lambda given, right: given < min(right)),
        "over": share(lambda given, right: given > max(right)), "given": dict(given),
    }  # fmt: skip


def robustness(rows: Sequence[Row], known: set[str], scores: Scores) -> dict[str, Any]:
    """The share of perturbed copies that keep the tier of what they were made from."""
    kept: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row.base in known:
            kept[row.kind].append(tier(scores.get(row.id, 0.0)) == tier(scores.get(row.base, 0.0)))
    every = [same for kind in kept.values() for same in kind]
    return {
        "n": len(every),
        "same": metrics.mean(every),
        "kinds": {kind: metrics.mean(same) for kind, same in sorted(kept.items())},
    }


def latency(milliseconds: list[float]) -> Table:
    ranked = sorted(milliseconds)
    return {"p50": ranked[len(ranked) // 2], "p99": ranked[int(len(ranked) * 0.99)]}


def told(report: dict[str, Any]) -> list[str]:
    """The report as a table."""
    lines = [f"{report['rows']} rows, {report['without_score']} without a score"]
    if sources := report.get("sources"):
        lines += [f"{'source':24}{'n':>6}{'APGR':>8}{'CPT50':>8}{'CPT80':>8}{'AUCsolv':>9}{'over 50':>9}"]
        lines += [source_line(name, table) for name, table in sources.items()]
        lines += [source_line(name, report[name]) + within(report[name]) for name in ("macro", "pooled")]
    if found := report.get("tiers"):
        given = ", ".join(f"{name} {found['given'].get(name, 0)}" for name in TIERS)
        lines += [
            f"tiers of {found['n']}: right {found['right']:.3f}, under {found['under']:.3f}, over {found['over']:.3f}; given: {given}"
        ]
    if found := report.get("robustness"):
        kinds = ", ".join(f"{kind} {same:.2f}" for kind, same in found["kinds"].items())
        lines += [f"same tier after a change, of {found['n']}: {found['same']:.3f} ({kinds})"]
    lines += [*beside(report.get("scorers") or {}), *[worst_line(row) for row in report.get("worst") or ()]]
    return [*lines, f"milliseconds a decision: p50 {report['milliseconds']['p50']:.2f}, p99 {report['milliseconds']['p99']:.2f}"]


def beside(scorers: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """Each of several scorers alone."""
    if scorers:
        yield f"{'alone':24}{'no score':>9}{'APGR':>8}{'pooled':>8}{'right':>8}{'same':>8}"
    for name, report in scorers.items():
        cells = [report.get(part, {}).get(key) for part, key in ALONE]
        yield f"{name:24}{report['without_score']:>9}" + "".join(
            "       -" if cell is None else f"{cell:>8.3f}" for cell in cells
        )


def worst_line(row: Mapping[str, Any]) -> str:
    return f"{row['wrong']:>6} {row['score']:5.0f}  {row['id']}: {row['why']}; {row['reason']}; {row['text']!r}"


def source_line(name: str, table: Table) -> str:
    cells = [f"{table[key]:>{width}.3f}" if key in table else " " * width for key, width in COLUMNS]
    return f"{name:24}{table.get('n', ''):>6}{''.join(cells)}".rstrip()


def within(table: Mapping[str, Any]) -> str:
    low_high = table.get("apgr_95")
    return f"   APGR within {low_high[0]:.3f} and {low_high[1]:.3f}" if low_high else ""


COLUMNS = (("apgr", 8), ("cpt50", 8), ("cpt80", 8), ("auc_solved", 9), ("over_50", 9))
ALONE = (("macro", "apgr"), ("pooled", "apgr"), ("tiers", "right"), ("robustness", "same"))

"""Whether the files that an ask names foretell the work: recorded conversations beside a checkout of the repository they are about.

    python measure.py CONVERSATIONS.jsonl.gz WORKSPACE

Each line of the file is a conversation with `messages` in Anthropic's format. For each ask that names a file of the workspace: the ranks of
this score, the heuristic scorer's, and the ask's length, against those of the calls of tools, the edits and the characters that the agent
then wrote until the next ask. Spearman's rho, and 95 per cent of 1,000 bootstrap samples.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import correlation
from typing import Any

from lynkr_core.plugins import manifest
from lynkr_core.testing import factories
from lynkr_scorer_codegraph import plugin
from lynkr_scorer_heuristic.ask import last_ask

EDITS = ("Edit", "MultiEdit", "Write", "NotebookEdit")


def asks(record: dict[str, Any]) -> Iterator[tuple[Any, str, list[Any]]]:
    """Each ask as an exchange, its text, and what the agent answered until the next one."""
    messages = record["messages"]
    found: list[tuple[int, Any, str]] = []
    for turn, message in enumerate(messages):
        if message["role"] == "user":
            body = {"model": "m", "max_tokens": 4096, "messages": messages[: turn + 1]}
            exchange = factories.exchange(body, dialect="anthropic.messages")
            ask = last_ask(exchange.envelope.fields)
            if ask.text and not ask.steps:
                found.append((turn, exchange, ask.text))
    for (turn, exchange, text), end in zip(found, [*[turn for turn, _, _ in found[1:]], len(messages)], strict=True):
        yield exchange, text, [message for message in messages[turn:end] if message["role"] == "assistant"]


def effort(answers: Sequence[Any]) -> dict[str, int]:
    calls = [
        block["name"]
        for answer in answers
        if isinstance(answer["content"], list)
        for block in answer["content"]
        if block["type"] == "tool_use"
    ]
    written = sum(len(json.dumps(answer["content"])) for answer in answers)
    return {"calls": len(calls), "edits": sum(name in EDITS for name in calls), "characters": written}


def ranks(values: Sequence[float]) -> list[float]:
    """Ties have their mean rank."""
    ordered = sorted(values)
    return [(bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 for value in values]


def spearman(rows: Sequence[tuple[float, float]]) -> float:
    xs, ys = zip(*rows, strict=True)
    return correlation(ranks(xs), ranks(ys)) if len(set(xs)) > 1 and len(set(ys)) > 1 else 0.0


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")


async def main(file: Path, workspace: Path) -> None:
    context = factories.context("codegraph", "scorer", environ=dict(os.environ))
    heuristic = factories.build(manifest("scorer", "heuristic"), {}, factories.context("heuristic", "scorer"))
    rows: list[dict[str, float]] = []
    total = 0
    async with factories.running(factories.build(plugin, {"workspace": str(workspace), "wait": 60}, context)) as scorer:
        tell(f"{len(scorer.index.files)} files")
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for exchange, text, answers in (one for line in lines for one in asks(json.loads(line))):
                total += 1
                if (score := scorer.score(exchange)) is not None:
                    row = {"codegraph": score.value, "heuristic": heuristic.score(exchange).value, "length": len(text)}
                    rows.append(row | effort(answers))
    tell(f"{total} asks, {len(rows)} name a file of the workspace")
    for outcome in ("calls", "edits", "characters"):
        for name in ("codegraph", "heuristic", "length"):
            pairs = [(row[name], row[outcome]) for row in rows]
            dice = random.Random(1)  # noqa: S311
            drawn = sorted(spearman(dice.choices(pairs, k=len(pairs))) for _ in range(1000))
            tell(f"{outcome:11} {name:10} {spearman(pairs):6.2f}   within {drawn[25]:.2f} and {drawn[974]:.2f}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))

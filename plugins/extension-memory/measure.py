"""What is kept of the labelled conversations, and recalled: `python measure.py`. With `--show` each fact missed and all junk."""

from __future__ import annotations

import asyncio
import random
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from lynkr_core.exchange import Principal
from lynkr_core.testing import factories
from lynkr_extension_memory import Memory, plugin
from lynkr_extension_memory.recall import rank
from lynkr_extension_memory.rows import Row

DATA = tomllib.loads(Path(__file__).with_name("labelled.toml").read_text())
TURNS = 40


def turns_of(talk: dict[str, Any], seed: int) -> list[str]:
    """The conversation's own turns in their order, with others between them."""
    chance = random.Random(seed)  # noqa: S311
    turns = [chance.choice(DATA["filler"]) for _ in range(TURNS - len(talk["turns"]))]
    for place, turn in zip(sorted(chance.sample(range(TURNS), len(talk["turns"]))), talk["turns"], strict=True):
        turns.insert(place, turn)
    return turns


async def told(memory: Memory, who: str, session: str, turns: list[str]) -> list[float]:
    """Every turn of a session through the plugin. Gives the processor's seconds of each."""
    messages: list[dict[str, str]] = []
    spent: list[float] = []
    for turn in turns:
        messages.append({"role": "user", "content": turn})
        spent.append(await ask(memory, who, session, messages))
        messages.append({"role": "assistant", "content": "I see."})
    return spent


async def ask(memory: Memory, who: str, session: str, messages: list[dict[str, str]]) -> float:
    exchange = factories.exchange({"model": "auto", "messages": messages}, headers={"x-lynkr-session": session})
    exchange.principal = Principal(id=who)
    exchange.candidates = factories.candidates()
    request = exchange.request
    began = time.process_time()
    await memory.transform_request(exchange, request, exchange.candidates[0])
    await memory.post_response(exchange, factories.outcome())
    return time.process_time() - began


async def rows_of(memory: Memory, who: str) -> list[Row]:
    return [row async for _, row in memory.shelf.all() if row.who == who]


async def measured(talks: list[dict[str, Any]], show: bool) -> dict[str, Any]:
    """One principal for each conversation; the questions are asked of all that is remembered of it."""
    memory: Memory = factories.build(plugin, {"scope": "user"}, factories.context("memory"))
    counts = {
        "facts": 0,
        "kept": 0,
        "stored": 0,
        "junk": 0,
        "probes": 0,
        "at 1": 0,
        "at 3": 0,
        "at 6": 0,
        "of kept": 0,
        "idle": 0,
        "told": 0,
    }
    spent: list[float] = []
    for number, talk in enumerate(talks):
        who = f"{talk['split']} {number}"
        spent += await told(memory, who, "first", turns_of(talk, number))
        rows = await rows_of(memory, who)
        kept = [fact for fact in talk["facts"] if any(fact in row.text for row in rows)]
        junk = [row for row in rows if not any(fact in row.text for fact in talk["facts"])]
        counts["facts"] += len(talk["facts"])
        counts["kept"] += len(kept)
        counts["stored"] += len(rows)
        counts["junk"] += len(junk)
        if show:
            for fact in talk["facts"]:
                sys.stdout.write("" if fact in kept else f"  missed: {fact}\n")
            sys.stdout.writelines([f"  junk: {row.kind}: {row.text}\n" for row in junk])
        told_of = [bool(rank(turn, rows, time.time(), 6, standing=False)) for turn in DATA["filler"]]
        counts["idle"] += len(told_of)
        counts["told"] += sum(told_of)
        for question, want in talk["probes"]:
            best = [row.text for row in rank(question, rows, time.time(), 6, standing=False)]
            place = next((place for place, text in enumerate(best) if want in text), 99)
            counts["probes"] += 1
            counts["of kept"] += any(want in row.text for row in rows)
            for most in (1, 3, 6):
                counts[f"at {most}"] += place < most
            if show and place:
                sys.stdout.write(f"  asked: {question} -> {best[:2]}\n")
    spent.sort()
    return {**counts, "ms": 1000 * spent[len(spent) // 2], "ms 99": 1000 * spent[int(len(spent) * 0.99)]}


async def main() -> None:
    show = "--show" in sys.argv
    for split in ("dev", "seen", "held"):
        got = await measured([talk for talk in DATA["talk"] if talk["split"] == split], show)
        sys.stdout.write(
            f"{split}: {got['kept']} of {got['facts']} facts kept ({got['kept'] / got['facts']:.0%}), {got['junk']} of "
            f"{got['stored']} memories are junk ({got['junk'] / got['stored']:.0%}); {got['probes']} questions: answered by the first "
            f"{got['at 1'] / got['probes']:.0%}, the first three {got['at 3'] / got['probes']:.0%}, the first six "
            f"{got['at 6'] / got['probes']:.0%}, of those whose fact was kept "
            f"{got['at 6'] / got['of kept']:.0%}; at {got['told'] / got['idle']:.1%} of the turns that need none a memory is "
            f"recalled; {got['ms']:.2f} ms a turn, 99th percentile {got['ms 99']:.2f} ms\n"
        )


if __name__ == "__main__":
    asyncio.run(main())

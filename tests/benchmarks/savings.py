"""`python -m tests.benchmarks.savings FOLDER`: what compressors save in dollars, and whether all that matters is still there."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

from msgspec import Struct, field

from lynkr_core.plugins import manifest
from lynkr_core.request import Request, Tool
from lynkr_core.testing import factories
from lynkr_core.tokens import FRAME, Tokens

from .compressed import Compressors, Out
from .spoken import Spoken, conversations, lines, results, single, texts

WRITE, READ = 1.25, 0.1
"""Of the price of input: what is new is written to the provider's cache for five minutes, what was sent a turn before is read."""
DEFAULT = ("json", "tool-results")
PLANTED = "planted-7f3a9c1e"


class Bill(Struct):
    """In tokens at the price of input. `kept`: tokens of the turn before that were sent again as they were, of `could`."""

    plain: float = 0.0
    cached: float = 0.0
    kept: int = 0
    could: int = 0

    def add(self, sent: Sequence[tuple[bytes, int]], before: Sequence[tuple[bytes, int]]) -> None:
        """One turn: what is sent, in pieces with their tokens, after what was sent the turn before."""
        total = sum([tokens for _, tokens in sent])
        same = next((i for i, (a, b) in enumerate(zip(sent, before, strict=False)) if a[0] != b[0]), min(len(sent), len(before)))
        read = sum([tokens for _, tokens in sent[:same]])
        self.plain += total
        self.cached += READ * read + WRITE * (total - read)
        self.kept += read
        self.could += sum([tokens for _, tokens in before])


class Figures(Struct):
    """Of one corpus. Needles by kind: how many there are, are sent to the letter, and are sent in a shorter notation."""

    conversations: int = 0
    client: Bill = field(default_factory=Bill)
    ours: Bill = field(default_factory=Bill)
    kinds: dict[str, list[int]] = {}
    needles: dict[str, list[int]] = {}


class Meter:
    """Counts texts once."""

    def __init__(self, tokens: Tokens) -> None:
        self.count = tokens.count

    def pieces(self, request: Request) -> list[tuple[bytes, int]]:
        """Tools, prompt, and messages: what each says, and its tokens."""
        said = [[tool_text(tool) for tool in request.tools], [part.text for part in request.system if hasattr(part, "text")]]
        said += [texts(message) for message in request.messages]
        return [("\0".join(one).encode("utf-8", "replace"), FRAME + self.count(*one)) for one in said]


def tool_text(tool: Tool) -> str:
    return f"{tool.name}\n{tool.description}\n{bytes(tool.parameters or b'').decode()}"


def exact() -> Tokens:
    """As the plugin `tokens` counts, where it is installed; else estimated."""
    tokens = Tokens()
    try:
        from lynkr_tokens import count
    except ImportError:
        print("# lynkr-tokens is not installed: tokens are estimated", file=sys.stderr)
    else:
        tokens.use(count)
    return tokens


# conversations
def told(spoken: Spoken, make: Callable[[], Compressors], meter: Meter, into: Figures, times: list[tuple[int, float]]) -> None:
    """Every turn of one conversation through new compressors."""
    compressors = make()
    before: tuple[Any, Any] = ((), ())
    used = defaultdict(list)
    for needle in spoken.record["used_needles"]:
        used[needle["use"]].append(needle)
    into.conversations += 1
    out = None
    for turn in spoken.turns():
        out = compressors.send(spoken.body(turn), spoken.dialect)
        times.append((out.size, out.seconds))
        sent = meter.pieces(out.before), meter.pieces(out.after)
        into.client.add(sent[0], before[0])
        into.ours.add(sent[1], before[1])
        before = sent
        if turn in used:
            found = [("edit" if needle["type"] == "edit" else "used", needle["text"]) for needle in used[turn]]
            look(found, out, compressors, into)
    if out is not None:
        last(spoken, out, compressors, meter, into)


def last(spoken: Spoken, out: Out, compressors: Compressors, meter: Meter, into: Figures) -> None:
    """What became of each result, and its own needles, when all was said."""
    old, new = results(out.before), results(out.after)
    for result in spoken.record["results"]:
        if result["id"] in old:
            row = into.kinds.setdefault(result["kind"], [0, 0, 0])
            row[0] += 1
            row[1] += meter.count(old[result["id"]])
            row[2] += meter.count(new[result["id"]])
            look([("content", one) for one in result["content_needles"] if one in old[result["id"]]], out, compressors, into)


def look(found: Iterable[tuple[str, str]], out: Out, compressors: Compressors, into: Figures) -> None:
    """Is each needle sent: to the letter, or in what the text sent stands for?"""
    said = "\n".join([text for message in out.after.messages for text in texts(message)])
    stood = None
    for kind, needle in found:
        row = into.needles.setdefault(kind, [0, 0, 0])
        row[0] += 1
        if needle in said:
            row[1] += 1
            continue
        if stood is None:
            stood = "\n".join([text for message in compressors.expand(out.after).messages for text in texts(message)])
        row[2] += needle in stood


# single results
def alone(folder: Path, make: Callable[[], Compressors], meter: Meter, limit: int) -> Figures:
    """Each recorded result by itself, and again with something planted in its middle."""
    figures = Figures(kinds={}, needles={})
    dialect = factories.find_dialect("anthropic.messages")
    for file in sorted(folder.glob("tool_results.jsonl*")):
        for number, result in enumerate(lines(file)):
            if limit and number >= limit:
                break
            for text, needles in ((result["text"], result["content_needles"]), (planted(result), [PLANTED])):
                compressors = make()
                out = compressors.send(single(result, text), dialect)
                kind = "planted" if needles == [PLANTED] else "content"
                look([(kind, one) for one in needles if one in text], out, compressors, figures)
                if kind == "content":
                    source = "tau" if "tau" in result["source"] else ""
                    row = figures.kinds.setdefault(" ".join([result["kind"], source]).strip(), [0, 0, 0])
                    row[0] += 1
                    row[1] += meter.count(text)
                    row[2] += meter.count(results(out.after)["toolu_1"])
    return figures


def planted(result: dict[str, Any]) -> str:
    """The text with an error's line, or a value of JSON's, at half its depth."""
    text: str = result["text"]
    middle = len(text) // 2
    if text.lstrip()[:1] in ("[", "{") and (start := text.find(': "', middle)) >= 0:
        return f"{text[: start + 3]}{PLANTED} {text[start + 3 :]}"
    start = text.find("\n", middle) + 1
    return f"{text[:start]}src/app.py:77: error: {PLANTED} [no-any]\n{text[start:]}"


# the tables
def change(before: float, after: float) -> str:
    return f"{after / before - 1:+8.1%}" if before else "       -"


def table(name: str, figures: Figures) -> Iterator[str]:
    if figures.conversations:
        client, ours = figures.client, figures.ours
        kept = f"{ours.kept / max(ours.could, 1):.2%} (client's own {client.kept / max(client.could, 1):.2%})"
        yield f"{name}: {figures.conversations} conversations"
        yield f"  input bill against caching only {change(client.cached, ours.cached)}"
        yield f"  a client without caching        {change(client.plain, ours.cached)}"
        yield f"  prefix kept                     {kept}"
    else:
        yield f"{name}:"
    for kind, (count, before, after) in sorted(figures.kinds.items(), key=lambda item: -item[1][1]):
        yield f"  {kind:14} {count:5} results {before:9} -> {after:9} tokens {change(before, after)}"
    for kind, (count, verbatim, folded) in sorted(figures.needles.items()):
        yield f"  {kind:8} needles: {(verbatim + folded) / count:8.3%} of {count}, to the letter {verbatim / count:8.3%}"


def timing(times: Sequence[tuple[int, float]], cold: Sequence[tuple[int, float]]) -> Iterator[str]:
    """CPU beyond a gateway that reads nothing."""
    yield "milliseconds of CPU a request, by size of its body (warm conversation)"
    for least, most in ((0, 30_000), (30_000, 90_000), (90_000, 200_000), (200_000, 400_000), (400_000, 10**9)):
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


def coldest(spoken: Sequence[Spoken], make: Callable[[], Compressors]) -> list[tuple[int, float]]:
    """The turn of each of a few conversations that is the nearest to 300 KB, for compressors that have seen nothing."""
    found: list[tuple[int, float]] = []
    for one in sorted(spoken, key=lambda one: -len(one.record["messages"]))[:4]:
        sizes = {turn: len(json.dumps(one.body(turn))) for turn in one.turns()[:: max(len(one.turns()) // 20, 1)]}
        turn = min(sizes, key=lambda turn: abs(sizes[turn] - 300_000))
        out = min([make().send(one.body(turn), one.dialect) for _ in range(3)], key=lambda out: out.seconds)
        found.append((out.size, out.seconds))
    return found


def evaluate(folder: Path, plugins: Sequence[str], tokens: Tokens, limit: int = 0) -> tuple[dict[str, Figures], list[str]]:
    """Figures by corpus, and lines about time. `limit`: so many conversations of each corpus, and single results; 0 for all."""
    meter, times = Meter(tokens), list[tuple[int, float]]()
    figures: dict[str, Figures] = {}
    seen: Counter[str] = Counter()
    spoken: list[Spoken] = []
    for one in conversations(folder):
        seen[one.corpus] += 1
        if limit and seen[one.corpus] > limit:
            continue
        spoken.append(one)
        into = figures.setdefault(one.corpus, Figures(client=Bill(), ours=Bill(), kinds={}, needles={}))
        told(one, lambda: Compressors(plugins, tokens), meter, into, times)
    figures["all"] = summed([*figures.values()])
    figures["single results"] = alone(folder, lambda: Compressors(plugins, tokens), meter, limit)
    # a gateway by default estimates; what the exact count costs is the affair of the plugin that brings it
    return figures, list(timing(times, coldest(spoken, lambda: Compressors(plugins, Tokens()))))


def summed(all: Sequence[Figures]) -> Figures:
    made = Figures(client=Bill(), ours=Bill(), kinds={}, needles={})
    for one in all:
        made.conversations += one.conversations
        for mine, other in ((made.client, one.client), (made.ours, one.ours)):
            for name in Bill.__struct_fields__:
                setattr(mine, name, getattr(mine, name) + getattr(other, name))
        for mine, other in ((made.kinds, one.kinds), (made.needles, one.needles)):
            for kind, row in other.items():
                mine[kind] = [a + b for a, b in zip(mine.get(kind, [0, 0, 0]), row, strict=True)]
    return made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.savings", description=__doc__)
    parser.add_argument("folder", type=Path, help="conversations as the README of the sample says")
    parser.add_argument("--plugins", default=",".join(DEFAULT), help="compressors by name, separated by commas")
    parser.add_argument("--limit", type=int, default=0, help="so many conversations of each file, and single results")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    plugins = [name for name in options.plugins.split(",") if name]
    for name in plugins:
        manifest("compressor", name)
    figures, seconds = evaluate(options.folder, plugins, exact(), options.limit)
    for name, one in figures.items():
        print("\n".join(table(name, one)), end="\n\n")
    print("\n".join(seconds))
    if options.json:
        from msgspec import to_builtins

        options.json.write_text(json.dumps(to_builtins(figures), indent=1))


if __name__ == "__main__":
    main()

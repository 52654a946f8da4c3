"""Strings that an agent will need: are they sent, to the letter or in a notation that stands for them?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lynkr_core.cli.compressing.bills import Figures, Meter
from lynkr_core.cli.compressing.pipeline import Compressors, Out
from lynkr_core.cli.compressing.spoken import Spoken, lines, results, single, texts
from lynkr_core.testing import factories

PLANTED = "planted-7f3a9c1e"


def look(found: Iterable[tuple[str, str]], out: Out, compressors: Compressors, into: Figures) -> None:
    """Counts needles, given with their kinds."""
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


def last(spoken: Spoken, out: Out, compressors: Compressors, meter: Meter, into: Figures) -> None:
    """What became of each result, and its own needles, when all was said."""
    old, new = results(out.before), results(out.after)
    for result in spoken.record.get("results", ()):
        if result["id"] in old:
            weigh(result["kind"], old[result["id"]], new[result["id"]], meter, into)
            look([("content", one) for one in result["content_needles"] if one in old[result["id"]]], out, compressors, into)


def weigh(kind: str, before: str, after: str, meter: Meter, into: Figures) -> None:
    row = into.kinds.setdefault(kind, [0, 0, 0])
    row[0] += 1
    row[1] += meter.count(before)
    row[2] += meter.count(after)


def alone(folder: Path, make: Any, meter: Meter, limit: int) -> Figures:
    """Each recorded result by itself, and again with something planted in its middle. `make` gives new compressors."""
    figures = Figures()
    dialect = factories.find_dialect("anthropic.messages")
    for file in sorted(folder.glob("tool_results.jsonl*")):
        for number, result in enumerate(lines(file)):
            if limit and number >= limit:
                break
            for kind, text, needles in (
                ("content", result["text"], result["content_needles"]),
                ("planted", planted(result["text"]), [PLANTED]),
            ):
                compressors: Compressors = make()
                out = compressors.send(single(result, text), dialect)
                look([(kind, one) for one in needles if one in text], out, compressors, figures)
                if kind == "content":
                    weigh(result["kind"], text, results(out.after)["toolu_1"], meter, figures)
    return figures


def planted(text: str) -> str:
    """The text with an error's line, or a value of JSON's, at half its depth."""
    middle = len(text) // 2
    if text.lstrip()[:1] in ("[", "{") and (start := text.find(': "', middle)) >= 0:
        return f"{text[: start + 3]}{PLANTED} {text[start + 3 :]}"
    start = text.find("\n", middle) + 1
    return f"{text[:start]}src/app.py:77: error: {PLANTED} [no-any]\n{text[start:]}"

"""What is measured of an ask, each from 0 to 1, and how much it weighs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import exp, log1p
from typing import Annotated

from msgspec import Meta, Struct

from lynkr_scorer_heuristic.reading import Reading

Weight = Annotated[float, Meta(ge=-10, le=10)]


class Weights(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The linear model: a signal of 1 adds its weight. The sum is squashed so that -1.1, 0 and 1.1 are the scores 25, 50 and 75."""

    base: Annotated[Weight, Meta(description="Where a request without any signal stands.")] = -1.85
    length: Annotated[Weight, Meta(description="Words of prose on a log scale; full at 400.")] = 1.3
    code: Annotated[Weight, Meta(description="Code, identifiers or a stack trace.")] = 0.5
    make: Annotated[Weight, Meta(description="Something is to be written, built or fixed.")] = 0.7
    question: Annotated[Weight, Meta(description="Why, how, compare, analyse.")] = 0.8
    steps: Annotated[Weight, Meta(description="Wording of several steps.")] = 0.5
    parts: Annotated[Weight, Meta(description="Things listed with commas or numbers.")] = 1.0
    design: Annotated[Weight, Meta(description="Words of design and trade-offs.")] = 1.4
    formal: Annotated[Weight, Meta(description="Words of proofs, algorithms and concurrency.")] = 1.6
    files: Annotated[Weight, Meta(description="Distinct files named, beyond the first.")] = 0.8
    constraints: Annotated[Weight, Meta(description="Must, at most, without, numbers.")] = 0.6
    lookup: Annotated[Weight, Meta(description="The shape of a look-up.")] = -1.3
    one_step: Annotated[Weight, Meta(description="The shape of one small step.")] = -0.9


FULL_LENGTH = log1p(40)
SUBSTANCE = 12.0
"""Words below which trigger words count for less: a word alone is no task."""
CEILING = 75.0
"""Above it is only what has to be proved or searched for; a request does not get there by being large."""
SEARCHING = 2
"""Formal words that tell of that."""
TASKS = frozenset(("make", "design", "formal", "question"))
"""Signals of which at least one makes a list a list of work."""
LOOKED_AT = 2_000
"""Characters searched for code, files and lists: what a human wrote himself is rarely longer."""
EXTENSIONS = (
    "py|pyi|js|jsx|mjs|ts|tsx|go|rs|java|kt|c|h|cc|cpp|hpp|cs|rb|php|swift|scala|sh|sql|html|css|scss|vue|json|yaml|yml|toml|md|txt|csv|ini"
    "|cfg|xml|proto|tf|lock|ipynb"
)

_code: Mapping[str, re.Pattern[str]] = {
    "`": re.compile(r"`[^`\n]+`"), "_": re.compile(r"_(?<=[a-z0-9]_)[a-z0-9]"), "(": re.compile(r"\((?<=\w\()\)"),
    ";": re.compile(r";(?:(?<=\w\);)|[ \t]*\n)"), "{": re.compile(r"\{[ \t]*\n"), "<": re.compile(r"</\w"),
    ">": re.compile(r">(?<=->)"), "=": re.compile(r"=(?:[=>]|(?<=[!<>]=)|(?:(?<=\w=)|(?<=\w =)) ?[\w\"'\[{(])"),
}  # fmt: skip
"""What makes code of a mark. Each pattern begins with its mark, which is found far quicker than a choice."""
_no_digit = bytes(set(range(256)) - set(b"0123456789"))
_trace = ("Traceback", 'File "', "Error:", "Exception:", "Exception in", "\n    at ")
_extension = re.compile(rf"\.(?:{EXTENSIONS})\b")
_named = re.compile(rf"(?<![\w./-])[\w./-]{{1,120}}\.(?:{EXTENSIONS})\b")
_item = re.compile(r"\n[ \t]{0,20}(?:[-*]|\d{1,2}[.)])\s")


def share(count: float, full: float) -> float:
    """0 to 1: all of it from `full` on."""
    return count / full if count < full else 1.0


def length(reading: Reading) -> float:
    units = reading.units
    if reading.pasted:
        units += share(reading.pasted, 4000) * 20
    return share(log1p(units / 10), FULL_LENGTH)


def code(reading: Reading) -> float:
    if reading.pasted:
        return 1.0
    text = reading.text[:LOOKED_AT]
    if ":" in text and ("::" in text or any(map(text.__contains__, _trace))):
        return 1.0
    for mark, pattern in _code.items():
        if mark in text and pattern.search(text):
            return 1.0
    return 0.0


def steps(reading: Reading) -> float:
    return share(reading.count("steps"), 3)


def parts(reading: Reading) -> float:
    """Lists count in full only in a task: three names to sort are no work."""
    text = reading.text[:LOOKED_AT]
    listed = text.count(",") + text.count(";")
    if not text.isascii():
        listed += text.count("、") + text.count("，") + text.count("；")
    if "\n" in text:
        listed += len(_item.findall(text))
    return share(listed, 5) * (0.4 if TASKS.isdisjoint(reading.hits) else 1.0) if listed else 0.0


def design(reading: Reading) -> float:
    return share(reading.count("design"), 2) * weighty(reading)


def formal(reading: Reading) -> float:
    return share(reading.count("formal"), 3) * weighty(reading)


def weighty(reading: Reading) -> float:
    """How far trigger words may be believed: little in a look-up, whatever the words."""
    return 0.15 if reading.shape else share(reading.units, SUBSTANCE)


def make(reading: Reading) -> float:
    return 1.0 if "make" in reading.hits else 0.0


def question(reading: Reading) -> float:
    count = reading.count("question")
    return share(count, 2) if count > 1 else 0.75 * count


def files(reading: Reading) -> float:
    text = reading.text[:LOOKED_AT]
    return share(len(set(_named.findall(text))) - 1, 4) if _extension.search(text) else 0.0


def constraints(reading: Reading) -> float:
    return share(reading.hits.get("constraints", 0) + min(2, numbers(reading)) / 2, 4)


def numbers(reading: Reading) -> int:
    """How many words are numbers."""
    phrase = reading.phrase
    if phrase.isascii() and not phrase.encode().translate(None, _no_digit):
        return 0
    return sum(map(str.isdigit, reading.words))


ALWAYS: Mapping[str, Callable[[Reading], float]] = {each.__name__: each for each in (length, code, parts, files, constraints)}
HEARD: Mapping[str, Callable[[Reading], float]] = {each.__name__: each for each in (make, question, steps, design, formal)}
"""Those that are nothing unless a word of theirs occurs."""


def contributions(reading: Reading, weights: Mapping[str, float]) -> dict[str, float]:
    """What each signal adds to the sum, without those that add nothing."""
    added: dict[str, float] = {}
    for name, measure in ALWAYS.items():
        if amount := measure(reading):
            added[name] = weights[name] * amount
    for name in reading.hits:
        if measure := HEARD.get(name):
            added[name] = weights[name] * measure(reading)
    if reading.shape:
        added[reading.shape] = weights[reading.shape]
    return added


def value_of(total: float, reading: Reading) -> float:
    """The sum squashed to 0–100; 0 is 50."""
    value = 100.0 / (1.0 + exp(-total))
    return value if reading.count("formal") >= SEARCHING else min(value, CEILING)

"""What is measured of an ask's text, each from 0 to 1. How much each counts was learned: `model.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import log1p

from lynkr_scorer_heuristic.reading import Reading
from lynkr_scorer_heuristic.words import DOMAIN, POINTING

FULL_LENGTH = log1p(16)
FULL_BULK = log1p(5)
SUBSTANCE = 12.0
"""Words below which trigger words count for less: a word alone is no task."""
REPEATED = 60.0
"""Words from which it is asked whether they repeat themselves."""
BRIEF = 8.0
"""Words from which an ask is not brief."""
TASKS = frozenset(("make", "design", "formal", "question"))
"""Words of which at least one makes a list a list of work."""
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
_formula = re.compile(r"[\^√∑∫≤≥≠∈∀∃→∞⊢∧∨]|\d[a-z]\b|[a-z0-9)] ?= ?[\w(-]", re.IGNORECASE)
_factor = re.compile(r"\d[a-z]\b", re.IGNORECASE)
"""What of it can be in ASCII without = and ^, found five times as fast."""


def share(count: float, full: float) -> float:
    """0 to 1: all of it from `full` on."""
    return count / full if count < full else 1.0


def token_count(reading: Reading) -> float:
    """Words on a log scale, full at 160."""
    return share(log1p(units(reading) / 10), FULL_LENGTH)


def bulk(reading: Reading) -> float:
    """Words beyond 160 on a log scale, full at 960. Weak models fail more at long questions, but length alone raises no tier."""
    beyond = units(reading) - 160
    return share(log1p(beyond / 160), FULL_BULK) if beyond > 0 else 0.0


def units(reading: Reading) -> float:
    """Words in which nothing is said again and again; what was pasted is five at most."""
    spoken = reading.units
    if spoken > REPEATED:
        spoken *= share(2 * len(set(reading.words)), len(reading.words) or 1)
    return spoken + share(reading.pasted, 4000) * 5


def brevity(reading: Reading) -> float:
    """1 for no words, 0 from eight on."""
    return 1.0 - share(reading.units, BRIEF)


def prompt_complexity(reading: Reading) -> float:
    """Things listed with commas or numbers. They count in full only in a task: three names to sort are no work."""
    text = reading.text[:LOOKED_AT]
    listed = reading.listed + (len(_item.findall(text)) if "\n" in text else 0)
    return share(listed, 5) * (0.4 if TASKS.isdisjoint(reading.hits) else 1.0) if listed else 0.0


def weighty(reading: Reading) -> float:
    """How far trigger words may be believed: little in a look-up, whatever the words."""
    return 0.15 if reading.shape else share(reading.units, SUBSTANCE)


def technical_depth(reading: Reading) -> float:
    """Words of design and trade-offs."""
    return share(reading.count("design"), 2) * weighty(reading)


def formal(reading: Reading) -> float:
    """Words of proofs, algorithms and concurrency."""
    return share(reading.count("formal"), 3) * weighty(reading)


def domain(reading: Reading) -> float:
    """Words of law, medicine, finance and mathematics, or formulas."""
    found = len(DOMAIN.intersection(reading.words))
    if not reading.pasted and has_formula(reading.text):
        found += len(formula_for(reading.text).findall(reading.text, 0, LOOKED_AT)) / 2
    return share(found, 3)


def has_formula(text: str) -> bool:
    """Whether it is worth looking for one: a pattern over the whole text costs more than the other signals together."""
    return not text.isascii() or "=" in text or "^" in text or bool(text.encode().translate(None, _no_digit))


def formula_for(text: str) -> re.Pattern[str]:
    return _factor if text.isascii() and "=" not in text and "^" not in text else _formula


def multi_step(reading: Reading) -> float:
    """Wording of several steps."""
    return share(reading.count("steps"), 3)


def code(reading: Reading) -> float:
    """Code, identifiers or a stack trace."""
    if reading.pasted:
        return 1.0
    text = reading.text[:LOOKED_AT]
    if ":" in text and ("::" in text or any(map(text.__contains__, _trace))):
        return 1.0
    for mark, pattern in _code.items():
        if mark in text and pattern.search(text):
            return 1.0
    return 0.0


def make(reading: Reading) -> float:
    """Something is to be written, built or fixed."""
    return 1.0 if "make" in reading.hits else 0.0


def code_generation(reading: Reading) -> float:
    """Code is to be made: a verb of making beside code, a file or the name of a language."""
    if "make" not in reading.hits:
        return 0.0
    return 1.0 if reading.count("language") or code(reading) or _extension.search(reading.text, 0, LOOKED_AT) else 0.0


def analysis_depth(reading: Reading) -> float:
    """Why, how, compare, analyse."""
    count = reading.count("question")
    return share(count, 2) if count > 1 else 0.75 * count


def constraints(reading: Reading) -> float:
    """Must, at most, without, numbers."""
    return share(reading.count("constraints") + min(2, numbers(reading)) / 2, 4)


def numbers(reading: Reading) -> int:
    """How many words are numbers."""
    phrase = reading.phrase
    if phrase.isascii() and not phrase.encode().translate(None, _no_digit):
        return 0
    return sum(map(str.isdigit, reading.words))


def quantity(reading: Reading) -> float:
    """Numbers among the words, on a log scale."""
    count = numbers(reading)
    return share(log1p(count), 3.0) if count else 0.0


def word_length(reading: Reading) -> float:
    """The mean length of the first 200 words written in ASCII, full at ten letters."""
    words = [word for word in reading.words[:200] if word.isascii()]
    return share(sum(map(len, words)), 10.0 * len(words)) if words else 0.0


def agentic_pattern(reading: Reading) -> float:
    """Distinct files named, beyond the first: work through a repository."""
    text = reading.text[:LOOKED_AT]
    return share(len(set(_named.findall(text))) - 1, 4) if _extension.search(text) else 0.0


def ambiguity(reading: Reading) -> float:
    """The share of words that only point at something said before, in a brief ask."""
    if reading.units > 2 * BRIEF or not reading.words:
        return 0.0
    return sum([word in POINTING for word in reading.words]) / len(reading.words)


def risk(reading: Reading) -> float:
    """Words of outages, breaches and security reviews."""
    return 0.0 if reading.shape else share(reading.count("incident"), 1)


def closed(reading: Reading) -> float:
    """The answer's form leaves little to think of: yes or no, a label, a translation, what is to be found in a text."""
    return share(reading.count("closed"), 2)


def lay(reading: Reading) -> float:
    """Meant for laymen or an occasion: a recipe, a speech, a joke, for a child, without formulas."""
    return share(reading.count("lay"), 2)


def lookup(reading: Reading) -> float:
    """The shape of a look-up."""
    return 1.0 if reading.shape == "lookup" else 0.0


def one_step(reading: Reading) -> float:
    """The shape of one small step."""
    return 1.0 if reading.shape == "one_step" else 0.0


TEXT: Mapping[str, Callable[[Reading], float]] = {
    each.__name__: each
    for each in (
        token_count, prompt_complexity, technical_depth, domain, multi_step, code_generation, analysis_depth, ambiguity, risk,
        agentic_pattern, formal, make, code, constraints, quantity, word_length, brevity, closed, lay, lookup, one_step, bulk,
    )
}  # fmt: skip
"""In the order of the learned weights."""


NAMED = frozenset(
    (
        "token_count", "prompt_complexity", "technical_depth", "domain", "multi_step", "code_generation", "analysis_depth", "ambiguity",
        "risk", "agentic_pattern",
    )
)  # fmt: skip
"""Those that routers are known by: told even when they are 0. The other five are around the ask."""

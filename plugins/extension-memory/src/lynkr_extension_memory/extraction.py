"""What of somebody's words is worth remembering, by rules of how a clause begins (`rules.toml`). No model is asked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

from lynkr_extension_memory.screening import is_order, is_secret
from lynkr_extension_memory.words import grams, words

Kind = Literal["name", "fact", "preference", "decision", "project", "note"]
LOOKED_AT = 6_000
"""Characters of a message that are read: half of them at its beginning, half at its end."""
LONGEST, SHORTEST = 300, 8
"""Characters of a clause."""
LONG = 1_500
"""Characters from which on a message is a paste or a template for the most part: what it orders or tells is not the user's."""
MOST = 20
"""Findings of one message."""
LEAST = 2
"""Grams that a clause must have: fewer say nothing."""


class Rule(Struct, forbid_unknown_fields=True):
    """`own`: it speaks of somebody's thing, which must not be one of passing interest. `short`: long texts are full of such clauses,
    so they count in short ones only.

    `specific`: only where a name or a number is told.
    """

    kind: Kind
    weight: float
    pattern: str
    key: str | None = None
    own: bool = False
    answers: bool = False
    answers_only: bool = False
    short: bool = False
    specific: bool = False


class Data(Struct, forbid_unknown_fields=True):
    """`rules.toml`."""

    skip: list[str]
    elsewhere: str
    passing: str
    moment: str
    things: str
    single: str
    stop: list[str]
    weak: list[str]
    rule: list[Rule]


class Finding(Struct, frozen=True, kw_only=True):
    """`slot`: what has one value only, as somebody's address; a newer value takes the place of the older one."""

    kind: Kind
    text: str
    weight: float
    words: list[str]
    slot: str | None = None


DATA = msgspec.convert(tomllib.loads(files("lynkr_extension_memory").joinpath("rules.toml").read_text()), Data)
SKIP = tuple(DATA.skip)
RULES = [(rule, re.compile(rule.pattern, re.IGNORECASE)) for rule in DATA.rule]
_elsewhere = re.compile(DATA.elsewhere, re.IGNORECASE)
_passing = re.compile(DATA.passing, re.IGNORECASE)
_moment = re.compile(DATA.moment, re.IGNORECASE)
_things = re.compile(DATA.things + r"(?:\Z| (?:on|in|of|for|at|from|here|above|below)\b)", re.IGNORECASE)
_single = re.compile(DATA.single, re.IGNORECASE)
_detail = re.compile(r"\d|\w[.@/_:]\w|(?<=[\w,] )(?!I\b)[^\W\d_a-zà-öø-ÿа-яё]\w+")
_code = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_tag = re.compile(r"<(\w[\w-]{0,40})\b[^<>]{0,200}>")
_quoted = re.compile(r"[\"“«„][^\"“”«»„\n]{30,}[\"”»“]")
_ends = re.compile(r"(?<=[.!?;。！？])\s+|(?<=[。！？])|\n+")
_clauses = re.compile(
    r"(?:,\s+|\s+)(?:and|but|so|also|und|aber|y|pero|и|а|но)\s+(?=(?:i|i['’]m|my|we|our|please|call|always|never|ich|mein|meine|wir|mi|yo|я|мой|моя|мы)\b)"
    r"|,\s+(?=(?:i|i['’]m|my|we|our|please|call me)\b)",
    re.IGNORECASE,
)
_lead = re.compile(
    r"(?:[-*•–>#]\s*|\d+[.)]\s+|(?:ok(?:ay)?|hi|hello|hey|well|so|and|but|also|btw|by the way|actually|oh|yes|no|yeah|sure|right|great"
    r"|thanks|thank you|hallo|hola|привет|кстати|first|second|finally|one more thing|just so you know|important"
    r"|(?:quick )?context|background|heads[- ]up|reminder|as (?:i|you) (?:said|know)"
    r"|in general)\b(?: there| all)?[\s,:!—-]*)*",
    re.IGNORECASE,
)


def found(text: str, answer: bool = False) -> list[Finding]:
    """What a message says that is worth keeping. `answer`: it is the model's own."""
    elsewhere = not answer and bool(_elsewhere.search(text[:300]))
    kept: list[Finding] = []
    for clause in clauses(text):
        finding = judged(clause, answer, len(text) >= LONG)
        if finding is not None and not (elsewhere and finding.kind != "note"):
            kept.append(finding)
            if len(kept) == MOST:
                break
    return kept


def clauses(text: str) -> Iterator[str]:
    """What stands in a message outside code, markup and longer quotations."""
    if len(text) > LOOKED_AT:
        text = f"{text[: LOOKED_AT // 2]}\n{text[-LOOKED_AT // 2 :]}"
    text = _quoted.sub(" … ", without_markup(_code.sub("\n", text)))
    for sentence in _ends.split(text):
        if sentence and "…" not in sentence and not sentence.startswith(("    ", "\t", ">", "|", "+", '"', "“")):
            for clause in _clauses.split(sentence):
                yield _lead.sub("", clause, count=1).strip()


def without_markup(text: str) -> str:
    """Without what stands between a tag and its end."""
    kept: list[str] = []
    open_ones: set[str] = set()  # each is looked for once
    place = 0
    while (tag := _tag.search(text, place)) is not None:
        end = f"</{tag[1]}>"
        after = -1 if end in open_ones else text.find(end, tag.end())
        if after < 0:
            open_ones.add(end)
        kept.append(text[place : tag.start() if after >= 0 else tag.end()])
        place = after + len(end) if after >= 0 else tag.end()
    return "\n".join([*kept, text[place:]]) if kept else text


def judged(clause: str, answer: bool, is_long: bool = False) -> Finding | None:
    if not SHORTEST <= len(clause) <= LONGEST or clause.endswith(("?", ":", "：", "？")) or not is_prose(clause):
        return None
    for rule, pattern in RULES:
        if (answer and not rule.answers) or (rule.answers_only and not answer) or (rule.short and is_long):
            continue
        match = pattern.match(clause)
        if match is None:
            continue
        if rule.kind != "note" and (_passing.match(clause) or not holds(rule, match, clause)):
            continue
        return finding(rule, match, clause)
    return None


def is_prose(clause: str) -> bool:
    """Words, not code or a line of a log."""
    odd = sum(not (sign.isalnum() or sign.isspace() or sign in "'’,.-!\"()/:%") for sign in clause)
    return odd * 12 <= len(clause)


def holds(rule: Rule, match: re.Match[str], clause: str) -> bool:
    """Whether it says something that is still so tomorrow."""
    slot, rest = match.groupdict().get("slot"), clause[match.end() :].strip(" ,.!")
    if rule.own and (_things.match(slot or "") or _moment.match(rest)):
        return False
    if rule.specific and not _detail.search(clause):
        return False
    return bool(rest) or rule.kind in ("name", "preference", "fact", "project")


def finding(rule: Rule, match: re.Match[str], clause: str) -> Finding | None:
    text = " ".join(clause.split()).rstrip(" .!,;")
    said = words(text)
    if len(grams(said)) < (1 if rule.kind in ("name", "fact") else LEAST) or is_secret(text) or is_order(text):
        return None
    return Finding(kind=rule.kind, text=text, weight=rule.weight, words=said, slot=rule.key or single(match))


def single(match: re.Match[str]) -> str | None:
    slot = (match.groupdict().get("slot") or "").casefold()
    return slot if _single.fullmatch(slot) else None

"""Finds values in a text: one pass for what they begin with, one for numbers, then what each rule says of the few places found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lynkr_policy_guardrails.checks import Place
from lynkr_policy_guardrails.engine import Pattern, any_of, cases, compiled
from lynkr_policy_guardrails.rules import Ready

BEFORE, BEHIND = 64, 24
"""Bytes around a value where a word that belongs to it may stand."""
REACH = 256
"""Bytes that may be looked at for the price of one place."""
LOCAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
NUMBERS = compiled(r"[+(]?[0-9][0-9 ().\-/]{5,}[0-9]")
ESCAPES = ((b"\\n", b" \n"), (b"\\r", b" \r"), (b"\\t", b" \t"), (b'\\"', b' "'))
CODED = tuple(
    [
        (b"\\u00" + code, b"     " + char)
        for code, char in ((b"3c", b"<"), (b"3e", b">"), (b"26", b"&"), (b"27", b"'"), (b"22", b'"'))
    ]
)


class Finding(NamedTuple):
    """Where, in bytes, and which rule. Never what: a finding may be logged."""

    start: int
    end: int
    rule: str
    group: str


class Exhausted(Exception):
    """There was more to look at than one request may cost."""


class Budget:
    """How much is still looked at: places, and checks at ten times their price."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, cost: int) -> None:
        """Raises `Exhausted`."""
        self.left -= cost
        if self.left < 0:
            raise Exhausted


class Scanner:
    """Reads texts by the rules given. `allow`: values that are none."""

    def __init__(self, rules: Sequence[Ready], allow: Sequence[Pattern] = (), regions: Sequence[str] = ()) -> None:
        self._allow = allow
        self._regions = tuple(regions)
        literal: dict[bytes, list[Ready]] = {}
        for one in rules:
            for start in one.rule.starts:
                literal.setdefault(start.encode(), []).append(one)
        words = {word.encode().lower(): one for one in rules for word in cases(one.rule.words)}
        self._literal = _by_beginning(literal)
        self._words = words
        self._edges = {start: start[:1].isalnum() for start in self._literal}
        kinds = [any_of([start.decode() for start in self._literal])] if literal else []
        kinds += [f"(?i:{any_of([word.decode() for word in words])})"] if words else []
        self._trigger = compiled("|".join(kinds)) if kinds else None
        self._numbers = sorted([one for one in rules if one.rule.digits], key=lambda one: one.rule.digits)
        self._fewest = min([one.rule.digits for one in self._numbers], default=0)
        self._anywhere = [one for one in rules if not (one.rule.starts or one.rule.words or one.rule.digits)]
        self._some = compiled("|".join([f"(?:{one.rule.pattern})" for one in self._anywhere]))

    def find(self, text: bytes, budget: Budget) -> list[Finding]:
        """In their order, none over another. Raises `Exhausted`."""
        flat = flattened(text) if b"\\" in text else text
        found = [*self._begun(flat, budget), *self._numbered(flat, budget), *self._elsewhere(flat, budget)]
        if not found:
            return []
        found.sort(key=lambda hit: (hit[1], -hit[2], hit[0].order))
        return list(_apart(found))

    def _begun(self, text: bytes, budget: Budget) -> Iterator[tuple[Ready, int, int]]:
        """Values by what they begin with, or by the word before them."""
        if self._trigger is None:
            return
        for hit in self._trigger.finditer(text):
            budget.spend(1)
            start, literal = hit.start(), hit.group()
            if literal == b"@":
                yield from self._around(text, start, budget)
            elif literal in self._literal:
                if not (self._edges[literal] and start and text[start - 1 : start].isalnum()):
                    yield from self._at(self._literal[literal], text, start, budget)
            elif (one := self._words.get(literal.lower())) is not None:
                yield from self._at((one,), text, start, budget)

    def _around(self, text: bytes, at: int, budget: Budget) -> Iterator[tuple[Ready, int, int]]:
        """An `@` stands in the middle."""
        if not text[at + 1 : at + 2].isalnum():
            return
        before = text[max(0, at - 64) : at]
        local = before[len(before.rstrip(LOCAL)) :].lstrip(b"._%+-")
        if local:
            yield from self._at(self._literal[b"@"], text, at - len(local), budget)

    def _at(self, rules: Iterable[Ready], text: bytes, start: int, budget: Budget) -> Iterator[tuple[Ready, int, int]]:
        for one in rules:
            budget.spend(one.rule.reach // REACH)
            hit = one.pattern.match(text[start : start + one.rule.reach])
            if hit is not None:
                group = 1 if one.pattern.groups and hit.start(1) >= 0 else 0
                begin, end = start + hit.start(group), start + hit.end(group)
                if self._is(one, text, begin, end, budget):
                    yield one, begin, end
                    return

    def _numbered(self, text: bytes, budget: Budget) -> Iterator[tuple[Ready, int, int]]:
        if not self._numbers:
            return
        for run in NUMBERS.finditer(text):
            budget.spend(1)
            start = max(0, run.start() - 1)
            piece = text[start : run.end() + 1]
            digits = len(piece) - len(piece.translate(None, b"0123456789"))
            if digits < self._fewest:
                continue
            for one in self._numbers:
                if one.rule.digits > digits:
                    break
                yield from self._all(one, piece, text, start, budget)

    def _elsewhere(self, text: bytes, budget: Budget) -> Iterator[tuple[Ready, int, int]]:
        if not self._anywhere or self._some.search(text) is None:
            return
        for one in self._anywhere:
            yield from self._all(one, text, text, 0, budget)

    def _all(self, one: Ready, piece: bytes, text: bytes, offset: int, budget: Budget) -> Iterator[tuple[Ready, int, int]]:
        group = 1 if one.pattern.groups else 0
        for hit in one.pattern.finditer(piece):
            start, end = hit.start(group) + offset, hit.end(group) + offset
            if start < end and self._is(one, text, start, end, budget):
                yield one, start, end

    def _is(self, one: Ready, text: bytes, start: int, end: int, budget: Budget) -> bool:
        budget.spend(10)
        near = one.near is not None and bool(
            one.near.search(text[max(0, start - BEFORE) : start]) or one.near.search(text[end : end + BEHIND])
        )
        if one.needs and not near:
            return False
        if one.check is not None and not one.check(Place(text, start, end, near, self._regions)):
            return False
        return not any(pattern.fullmatch(text[start:end]) for pattern in self._allow)


def _by_beginning(literal: dict[bytes, list[Ready]]) -> dict[bytes, list[Ready]]:
    """Of literals that begin with another one only that stays, with the rules of all: the first that is found ends the search there."""
    kept: dict[bytes, list[Ready]] = {}
    for start in sorted(literal, key=len):
        short = next((one for one in kept if start.startswith(one)), start)
        kept.setdefault(short, []).extend([one for one in literal[start] if one not in kept.get(short, ())])
    return {start: sorted(ones, key=lambda one: one.order) for start, ones in kept.items()}


def flattened(text: bytes) -> bytes:
    """The text with escapes, as in JSON inside of texts, in the place of what they stand for; every byte stays where it is."""
    for escape, plain in ESCAPES:
        text = text.replace(escape, plain)
    if b"\\u00" in text:
        for escape, plain in CODED:
            text = text.replace(escape, plain).replace(escape.upper().replace(b"\\U", b"\\u"), plain)
    return text


def _apart(found: Iterable[tuple[Ready, int, int]]) -> Iterator[Finding]:
    last = 0
    for one, start, end in found:
        if start >= last:
            last = end
            yield Finding(start, end, one.rule.name, one.rule.group)

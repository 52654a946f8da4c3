"""What is known of a candidate's prompt cache: from `providers.toml`, and of what it bills from the catalogue."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from importlib.resources import files

import msgspec
from msgspec import Struct

from lynkr_core.exchange import Candidate

MOST_RULES = 4096


class Named(Struct, forbid_unknown_fields=True):
    names: list[str]
    tokens: int


class Smallest(Struct, forbid_unknown_fields=True):
    otherwise: int
    models: list[Named]


class Multiples(Struct, forbid_unknown_fields=True):
    names: list[str]
    read: float
    write: float
    write_1h: float


class Affinity(Struct, forbid_unknown_fields=True):
    vendors: list[str]


class Data(Struct, forbid_unknown_fields=True):
    """`providers.toml`."""

    marks: dict[str, int]
    smallest: Smallest
    rates: Multiples
    affinity: Affinity


DATA = msgspec.convert(tomllib.loads(files("lynkr_compressor_cache_guard").joinpath("providers.toml").read_text()), Data)


class Rule(Struct, frozen=True, kw_only=True, gc=False):
    """One candidate's. `marks`: how many it takes, 0 for none. `smallest`: tokens from which it keeps a prompt.

    `read`, `write` and `write_1h` are what a token costs, in units of one of fresh input; `write_1h` None when nothing is kept so long.
    `affinity`: whether it takes a key that brings a conversation's requests together.
    """

    marks: int
    smallest: int
    read: float
    write: float
    write_1h: float | None
    affinity: bool


class Rules:
    """By candidate and the dialect in which it is asked, each made once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Rule] = {}

    def of(self, candidate: Candidate, front: str) -> Rule:
        """`front`: the caller's dialect, in which the candidate is asked where it speaks it."""
        key = (candidate.id, front)
        rule = self._known.get(key)
        if rule is None:
            if len(self._known) >= MOST_RULES:
                self._known.clear()
            rule = self._known[key] = made(candidate, front)
        return rule


def made(candidate: Candidate, front: str) -> Rule:
    spoken = candidate.provider.dialects_of(candidate.model)
    dialect = front if front in spoken else spoken[0] if spoken else ""
    read, write, hour = multiples(candidate)
    return Rule(
        marks=DATA.marks.get(dialect, 0) if write > 1 else 0,
        smallest=smallest(candidate.model),
        read=read,
        write=write,
        write_1h=hour,
        affinity=candidate.provider.vendor in DATA.affinity.vendors,
    )


def multiples(candidate: Candidate) -> tuple[float, float, float | None]:
    """What reading, writing and writing for an hour cost beside fresh input. A price that does not tell leaves it to the model's name."""
    price = candidate.price
    if price is not None and price.cache_read is not None and price.input > 0:
        write = price.input if price.cache_write is None else price.cache_write
        hour = None if price.cache_write_1h is None else price.cache_write_1h / price.input
        return price.cache_read / price.input, write / price.input, hour
    if price is None and matches(candidate.model, DATA.rates.names):
        return DATA.rates.read, DATA.rates.write, DATA.rates.write_1h
    return 1.0, 1.0, None


def smallest(model: str) -> int:
    found = (entry.tokens for entry in DATA.smallest.models if matches(model, entry.names))
    return next(found, DATA.smallest.otherwise)


def matches(model: str, names: list[str]) -> bool:
    return any(fnmatchcase(model.lower(), name) for name in names)

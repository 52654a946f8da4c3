"""Whom a limit is about, as policies' settings say it: `everyone`, `team:research`, `key:* + model:vendor/*`.

`team:*` means each team for itself, `team:data-*` all whose names begin so together. Every part of a combination must apply. `model`
is compared with `provider/model` where the pattern has a slash, else with the model alone; `tier` with those that list the candidate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import blake2b
from itertools import product
from urllib.parse import quote

from lynkr_core import sessions
from lynkr_core.candidates import TIERS, Tiers
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.sessions import short

Read = Callable[[Exchange, Candidate | None], Sequence[str | None]]
MAX_VALUE = 120
"""Characters of a name that are kept; callers choose some of them, and they become names in a store."""
PARTS = re.compile(r"\s+\+\s+")
CALLER: dict[str, Read] = {
    "key": lambda exchange, _: (exchange.principal.key,),
    "user": lambda exchange, _: (exchange.principal.user,),
    "team": lambda exchange, _: (exchange.principal.team,),
    "agent": lambda exchange, _: (exchange.principal.agent,),
    "class": lambda exchange, _: (exchange.principal.principal_class,),
    "tag": lambda exchange, _: exchange.principal.tags,
}
SERVED = ("model", "provider", "tier")
KINDS = (*CALLER, "session", *SERVED)


class Scope:
    """A scope. `of_caller`: whether it can be told before there is a candidate; `of_session`: whether principal and candidate do not
    tell it all. Raises `ValueError` for a text that is none.
    """

    def __init__(self, text: str, tiers: Tiers, sessions: Sequence[bytes] = ()) -> None:
        parts = [] if text.strip() == "everyone" else [part.partition(":") for part in PARTS.split(text.strip())]
        for kind, _, pattern in parts:
            if kind not in KINDS or not pattern:
                raise ValueError(f"{text!r} is no scope: everyone, or {', '.join(KINDS)} with a name as in team:research")
        self.text = " + ".join([f"{kind}:{pattern}" for kind, _, pattern in parts]) or "everyone"
        self.of_caller = not any(kind in SERVED for kind, _, _ in parts)
        self.of_session = any(kind == "session" for kind, _, _ in parts)
        self._parts = [Part(kind, pattern, reader(kind, pattern, tiers, sessions)) for kind, _, pattern in parts]

    def subjects(self, exchange: Exchange, candidate: Candidate | None) -> Sequence[str]:
        """Names of those it applies to here, each of whom has a limit of its own; empty when it does not apply."""
        if not self._parts:
            return ("everyone",)
        if len(self._parts) == 1:
            return self._parts[0].labels(exchange, candidate)
        return [" + ".join(labels) for labels in product(*[part.labels(exchange, candidate) for part in self._parts])]


class Part:
    """`kind:pattern`."""

    def __init__(self, kind: str, pattern: str, read: Read) -> None:
        self._kind = kind
        self._pattern = pattern
        self._read = read
        self._each = pattern == "*"
        self._glob = not self._each and any(sign in pattern for sign in "*?[")
        self._one = (f"{kind}:{pattern}" if self._glob else label(kind, pattern),)

    def labels(self, exchange: Exchange, candidate: Candidate | None) -> Sequence[str]:
        values = self._read(exchange, candidate)
        if self._each:
            if len(values) == 1:
                return (label(self._kind, values[0]),) if values[0] else ()
            return [label(self._kind, value) for value in values if value]
        if self._glob:
            return self._one if any(value and fnmatchcase(value, self._pattern) for value in values) else ()
        return self._one if self._pattern in values else ()


def reader(kind: str, pattern: str, tiers: Tiers, sessions: Sequence[bytes]) -> Read:
    """How the values of this kind are read off an exchange."""
    if kind in CALLER:
        return CALLER[kind]
    if kind == "session":
        return lambda exchange, _: (session_of(exchange, sessions),)
    if kind == "provider":
        return lambda _, candidate: (candidate.provider.name,) if candidate else ()
    if kind == "tier":
        return lambda _, candidate: [name for name in TIERS if candidate in tiers.candidates(name)]
    if pattern == "*" or "/" in pattern:
        return lambda _, candidate: (candidate.id,) if candidate else ()
    return lambda _, candidate: (candidate.model,) if candidate else ()


def session_of(exchange: Exchange, names: Sequence[bytes] = ()) -> str | None:
    """Which run of an agent this belongs to; two callers never share one. By the first of these headers that is there, else as
    `sessions.py` knows it by its client's own name. How a conversation begins is no name: two runs may begin alike.
    """
    found = next((short(value.decode("latin-1").strip()) for name in names if (value := exchange.headers.get(name))), "")
    session = None if found else sessions.named(exchange)
    found = session.id if session else found
    return f"{exchange.principal.id}/{found}" if found else None


@lru_cache(maxsize=8192)
def label(kind: str, value: str) -> str:
    """A name that is told apart from every other, however long a caller made it."""
    if len(value) > MAX_VALUE:
        value = f"{value[:MAX_VALUE]}~{blake2b(value.encode('utf-8', 'replace'), digest_size=12).hexdigest()}"
    return f"{kind}:{quote(value, safe='/:@.,-_~ ()')}"

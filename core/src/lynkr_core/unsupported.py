"""What models turned out not to take: learnt from a refused request, left out of the next ones, and forgotten after a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from lynkr_core.dialect import Dialect, Fields, Refusal
from lynkr_core.exchange import Candidate

log = logging.getLogger("lynkr.unsupported")
FOR = 3600.0
"""Seconds for which a refusal is remembered: models are changed behind their names."""
MAX_MODELS = 1000
MAX_EACH = 32
"""Refusals of one model; values that callers make up may be among them."""
encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Unsupported:
    """By model and the dialect it is asked in. Empty, and so free, until something was refused."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.known: dict[tuple[Candidate, Dialect], dict[Refusal, float]] = {}

    def learn(self, candidate: Candidate, dialect: Dialect, refusals: Sequence[Refusal]) -> bool:
        """Whether anything was to be learnt, so that the request may be sent again without it."""
        if not refusals:
            return False
        if len(self.known) >= MAX_MODELS:
            self.known.clear()
        own = self.known.setdefault((candidate, dialect), {})
        if len(own) + len(refusals) > MAX_EACH:
            own.clear()
        own |= dict.fromkeys(refusals, self._clock() + FOR)
        log.info("%s refuses %s: left out for %.0f minutes", candidate.id, ", ".join([r.path for r in refusals]), FOR / 60)
        return True

    def leave_out(self, candidate: Candidate, dialect: Dialect, fields: Fields, losses: list[str]) -> bool:
        """Takes what this model refused out of a request on its way. True when something was changed."""
        own, now, changed = self.known.get((candidate, dialect), {}), self._clock(), False
        for refusal, until in list(own.items()):
            if now >= until:
                own.pop(refusal, None)
            elif taken_out(fields, refusal):
                changed = True
                if not refusal.instead:
                    losses.append(f"{refusal.path}: {candidate.model} refused it")
        return changed


def taken_out(fields: Fields, refusal: Refusal) -> bool:
    """Whether it was there. An object that has nothing else in it goes with it."""
    key, _, inner = refusal.path.partition(".")
    found: Any = _decode(encode(fields.get(key))) if inner else fields
    place = cast("Fields", found) if isinstance(found, dict) else {}
    name = inner or key
    if name not in place or (refusal.beside and refusal.beside not in place):
        return False
    if refusal.value not in (None, encode(_decode(encode(place[name])))):
        return False
    value = place.pop(name)
    if refusal.instead:
        place.setdefault(refusal.instead, value)
    if inner:
        fields[key] = place
        if not place:
            del fields[key]
    return True

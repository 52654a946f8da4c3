"""Masks: what stands in the place of a value, always the same for one caller, and the way back."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b

from lynkr_policy_guardrails.engine import compiled

MASK = compiled(r"(?i)masked_[a-z][a-z0-9_]{0,39}_([0-9a-f]{12})")
BEGUN = compiled(r"(?i)\b(?:m|ma|mas|mask|maske|masked|masked_[a-z0-9_]{0,53})\z")
"""The end of a text that may go on as a mask."""
LONGEST = 61
"""Bytes of a mask."""
SIZE = 6


class Values:
    """Masks of one caller, and what they stand for. Printing one shows nothing."""

    __slots__ = ("_key", "known")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.known: dict[bytes, bytes] = {}

    def mask(self, rule: str, value: bytes) -> bytes:
        """The mask of a value, from now on known."""
        name = self.name(rule, value)
        self.known[name[-2 * SIZE :]] = value
        return name

    def name(self, rule: str, value: bytes) -> bytes:
        """The mask of a value, which is not kept."""
        digest = blake2b(value, digest_size=SIZE, key=self._key).hexdigest().encode()
        return b"MASKED_%s_%s" % (rule.upper().encode(), digest)

    def restored(self, text: bytes, written: Callable[[bytes], bytes], others: Callable[[bytes], bytes | None]) -> bytes:
        """The text with values for masks. `written`: how a value is written there; `others`: those of earlier requests."""
        pieces: list[bytes] = []
        place = 0
        for hit in MASK.finditer(text):
            digest = hit.group(1).lower()
            value = self.known.get(digest) or others(digest)
            if value is not None:
                pieces += (text[place : hit.start()], written(value))
                place = hit.end()
        return b"".join([*pieces, text[place:]]) if pieces else text


class Vault:
    """What masks of earlier requests stand for, by caller and conversation: where an API keeps the history, requests do not repeat it.

    In this process only, never written anywhere. `most`: bytes of values; the conversations heard of longest ago go first.
    """

    def __init__(self, ttl: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl = ttl
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, dict[bytes, bytes]]] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, of: tuple[str, str], values: dict[bytes, bytes]) -> None:
        """Adds to what is known of a conversation, and counts its time anew."""
        before = self._pop(of)
        merged = {**before, **values}
        while len(merged) > ENTRIES:
            del merged[next(iter(merged))]
        self._kept[of] = (self._clock() + self._ttl, merged)
        self.size += _bytes(merged.values())
        while self._kept and (self.size > self._most or next(iter(self._kept.values()))[0] <= self._clock()):
            self._pop(next(iter(self._kept)))

    def find(self, of: tuple[str, str], digest: bytes) -> bytes | None:
        kept = self._kept.get(of)
        return kept[1].get(digest) if kept is not None and kept[0] > self._clock() else None

    def holds(self, of: tuple[str, str]) -> bool:
        return of in self._kept

    def _pop(self, of: tuple[str, str]) -> dict[bytes, bytes]:
        until, values = self._kept.pop(of, (0.0, {}))
        self.size -= _bytes(values.values())
        return values if until > self._clock() else {}


ENTRIES = 2_000
"""Values of one conversation."""
OVERHEAD = 150
"""Bytes that an entry takes beside its value."""


def _bytes(values: Iterable[bytes]) -> int:
    return sum([len(value) + OVERHEAD for value in values])


def key_of(secret: bytes, principal: str) -> bytes:
    """Another key for each caller: from a mask nobody learns that two have the same value."""
    return blake2b(principal.encode("utf-8", "surrogatepass"), key=blake2b(secret).digest()[:64], digest_size=32).digest()

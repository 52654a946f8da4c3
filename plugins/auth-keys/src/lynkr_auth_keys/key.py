"""A key's text, and what is kept of it.

`lk_` + id (10 characters) + secret (43) + mark (8), letters and digits of base 62. The mark is a keyed hash of what stands before it: a key
that lynkr did not make is known for it without asking the store. All that is stored of the secret is another keyed hash.
"""

from __future__ import annotations

import re
import secrets
import time
from hashlib import blake2b
from hmac import compare_digest

import msgspec
from msgspec import Struct

from lynkr_core.exchange import Principal

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
START, ID, SECRET, MARK = "lk_", 10, 43, 8  # 43 characters of 62 are 256 bits, 8 are 47
KEY = re.compile(f"{START}[0-9A-Za-z]{{{ID + SECRET + MARK}}}")
ID_PATTERN = re.compile(f"(?:{START})?([0-9A-Za-z]{{{ID}}})")
SEAL = 16
"""Bytes before a stored record that only who has the pepper can make."""


class Record(Struct, kw_only=True, omit_defaults=True):
    """What is kept of a key. Times are in seconds since 1970. `before`: the hash that a rotation has replaced, good until `before_until`."""

    id: str
    name: str = ""
    note: str = ""
    hash: str = ""
    before: str = ""
    before_until: float = 0.0
    created: float
    rotated: float | None = None
    expires: float | None = None
    user: str | None = None
    team: str | None = None
    agent: str | None = None
    principal_class: str | None = msgspec.field(default=None, name="class")
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    local_only: bool = False

    def good_until(self, hash: str, now: float) -> float:
        """When a key with this hash stops being good; 0 when it is not good now."""
        until = 0.0
        if compare_digest(hash, self.hash):
            until = float("inf")
        elif compare_digest(hash, self.before):
            until = self.before_until
        until = min(until, self.expires if self.expires is not None else float("inf"))
        return until if until > now else 0.0

    def principal(self) -> Principal:
        return Principal(
            id=f"key:{self.id}", key=self.name or self.id, user=self.user, team=self.team, agent=self.agent,
            principal_class=self.principal_class, tags=self.tags, models=self.models, tiers=self.tiers, local_only=self.local_only,
        )  # fmt: skip


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class Pepper:
    """The secret without which neither a key nor a record can be made or checked. At least 16 characters."""

    def __init__(self, secret: str) -> None:
        self._key = blake2b(secret.encode(), digest_size=64).digest()

    def _hash(self, person: bytes, text: bytes, size: int) -> bytes:
        return blake2b(text, digest_size=size, key=self._key, person=person).digest()

    def minted(self, id: str) -> str:
        """A new key with this id."""
        text = START + id + random_text(SECRET)
        return text + self._mark(text)

    def _mark(self, text: str) -> str:
        number = int.from_bytes(self._hash(b"lynkr mark", text.encode(), 16), "big")
        return "".join([ALPHABET[number // 62**place % 62] for place in range(MARK)])

    def made(self, key: str) -> bool:
        """Whether this is a key that was made with this pepper; whether it is still good only the store knows."""
        return compare_digest(self._mark(key[:-MARK]), key[-MARK:])

    def hash(self, key: str) -> str:
        """What is stored of a key."""
        return self._hash(b"lynkr key", key.encode(), 32).hex()

    def check(self) -> bytes:
        """By which another process sees that it has the same pepper."""
        return self._hash(b"lynkr pepper", b"", 16)

    def sealed(self, record: Record) -> bytes:
        """As it is stored."""
        text = _encode(record)
        return self._hash(b"lynkr record", text, SEAL) + text

    def opened(self, id: str, value: bytes) -> Record | None:
        """A stored record; None when it is damaged, another's, or not written by somebody who has the pepper."""
        text = value[SEAL:]
        if not compare_digest(value[:SEAL], self._hash(b"lynkr record", text, SEAL)):
            return None
        try:
            record = _decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return record if record.id == id else None


def random_text(length: int) -> str:
    return "".join([secrets.choice(ALPHABET) for _ in range(length)])


def id_of(text: str) -> str | None:
    """The id that a key begins with, or that is given by itself; None for anything else."""
    if KEY.fullmatch(text):
        return text[len(START) : len(START) + ID]
    found = ID_PATTERN.fullmatch(text)
    return found.group(1) if found else None


def new_record(**fields: object) -> Record:
    return msgspec.convert({"id": random_text(ID), "created": time.time(), **fields}, Record)

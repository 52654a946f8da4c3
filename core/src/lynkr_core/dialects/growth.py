"""Conversations grow at their end: what was found out about a request is true of the next one's beginning.

Of each long body a digest is remembered up to the end of its last message. A body that begins with the same bytes is read from there on,
and what costs to find out is found out about what was added only. Nothing of a text is kept: digests are Python's own, 64 bits under a key
that each process draws. They are shared by all callers; what is known follows from the bytes alone.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.surrogates import read_fields

LEAST = 8_192
"""Bytes of a body that is worth it."""
MOST = 2_048
"""Beginnings that are remembered, times `SIMILAR` where they go on differently."""
SIMILAR = 4
TRIES = 2
MOVING = b'"cache_control"'
"""Clients take this mark from a message when they put it on a later one, so what is remembered ends before the first message that has it."""
NEAR = 16_384
"""Bytes of the end of a conversation in which that mark is looked for."""
PLACES = 4
"""How often the conversation's key may stand in what comes before it."""
SPACE = b" \t\r\n"
EMPTY = b"[]"
AFTER = b",]" + SPACE
"""What may follow a message."""

_object = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_rest = secrets.token_hex(16)
_opening = b'{"%b":[' % _rest.encode()


class Beginning:
    """The first `size` bytes of bodies, up to the end of a message. The conversation begins at `start`; `head` has each key before it
    with the place of its value. `facts` is for whoever finds something out about the messages so far; it may only ever be true.
    """

    __slots__ = ("digest", "facts", "head", "size", "start")

    def __init__(self, size: int, start: int, head: tuple[tuple[str, int, int], ...]) -> None:
        self.size = size
        self.start = start
        self.head = head
        self.digest = 0
        self.facts: dict[str, Any] = {}


class Growth:
    """A long body. `before`: what is known of its beginning, None when it is seen for the first time. `now`: as what the next may begin.

    `added` has the messages from the one to the other, `left` those after `now`: JSON lists.
    """

    __slots__ = ("added", "before", "left", "now")

    def __init__(self, before: Beginning | None, now: Beginning, added: bytes, left: bytes) -> None:
        self.before = before
        self.now = now
        self.added = added
        self.left = left


def joined(first: bytes, second: bytes) -> bytes:
    """Two JSON lists as one."""
    return b"%b,%b" % (first[:-1], second[1:]) if EMPTY not in (first, second) else first if second == EMPTY else second


class Beginnings:
    """By the digest of the first half of it at least, a power of two in length: the most recent ones."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], tuple[Beginning, ...]] = {}

    def find(self, view: memoryview, dialect: str) -> Beginning | None:
        """The longest that is known of this body, or nearly."""
        half = 1 << (len(view).bit_length() - 1)
        for _ in range(TRIES):
            key = (dialect, half, hash(view[:half]))
            found = self._known.get(key)
            if found is not None:
                self._known[key] = self._known.pop(key)
                fitting = [one for one in found if one.size < len(view) and view[one.size] in AFTER]
                fitting = [one for one in fitting if hash(view[half : one.size]) == one.digest]
                if fitting:
                    return max(fitting, key=lambda one: one.size)
            half //= 2
        return None

    def keep(self, view: memoryview, dialect: str, beginning: Beginning) -> None:
        half = 1 << (beginning.size.bit_length() - 1)
        beginning.digest = hash(view[half : beginning.size])
        key = (dialect, half, hash(view[:half]))
        others = self._known.pop(key, ())
        self._known[key] = (beginning, *others[: SIMILAR - 1])
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]


_beginnings = Beginnings()


def read_grown(body: bytes, key: str, dialect: str) -> tuple[dict[str, Raw], Growth | None]:
    """As `read_fields`; and what is known of the list of messages under `key`, where the body is long. Raises `InvalidRequest`.

    `dialect`: what is known of a body is so in one API only.
    """
    if len(body) < LEAST:
        return read_fields(body), None
    view = memoryview(body)
    before = _beginnings.find(view, dialect)
    if before is not None and (read := _onward(body, view, key, dialect, before)) is not None:
        return read
    fields = read_fields(body)
    first = _first(body, key, fields)
    return fields, _grown(view, dialect, None, first, first.size, bytes(fields[key])[1:-1]) if first else None


def _onward(
    body: bytes, view: memoryview, key: str, dialect: str, before: Beginning
) -> tuple[dict[str, Raw], Growth | None] | None:
    """None where the messages do not go on, or end, right there, and for whatever is no JSON."""
    rest = body[before.size :].lstrip(SPACE)
    goes_on = rest[:1] == b","
    if not goes_on and rest[:1] != b"]":
        return None
    begin = len(body) - len(rest) + goes_on
    try:
        later = _object(_opening + rest[goes_on:])
    except UNREADABLE:
        return None
    more = memoryview(later.pop(_rest))
    inner = bytes(more[1:-1])
    if key in later or _rest in later or goes_on != bool(inner.strip(SPACE)):
        return None  # what stands twice, or nothing after a comma
    fields = {name: Raw(view[at:end]) for name, at, end in before.head}
    fields[key] = Raw(view[before.start : begin + len(more) - 1])
    fields.update(later)
    return fields, _grown(view, dialect, before, before, begin, inner)


def _grown(view: memoryview, dialect: str, before: Beginning | None, like: Beginning, begin: int, inner: bytes) -> Growth | None:
    """`inner` are the messages from `begin` on, without their brackets."""
    size = _settled(inner)
    if not size:
        return Growth(before, before, EMPTY, b"[%b]" % inner.strip(SPACE)) if before else None
    now = Beginning(begin + size, like.start, like.head)
    _beginnings.keep(view, dialect, now)
    return Growth(before, now, b"[%b]" % inner[:size], b"[%b]" % inner[size:].lstrip(SPACE + b","))


def _settled(inner: bytes) -> int:
    """Up to the end of which message these will stay as they are."""
    end = len(inner.rstrip(SPACE))
    if MOVING not in inner[-NEAR:]:
        return end
    place = settled = 0
    for item in _list(b"[%b]" % inner):
        size = len(memoryview(item))
        place = inner.index(memoryview(item)[:1], place)
        place += size
        if place > end - NEAR and MOVING in bytes(item):
            return settled
        settled = place
    return end


def _first(body: bytes, key: str, fields: dict[str, Raw]) -> Beginning | None:
    """Where the conversation stands, told beyond doubt: what precedes it, closed right after its key, is an object that ends with it."""
    value = memoryview(fields[key]) if key in fields else None
    if value is None or value[0] != EMPTY[0]:
        return None
    quoted, at = b'"%b"' % key.encode(), 0
    for _ in range(PLACES):
        at = body.find(quoted, at) + len(quoted)
        if at < len(quoted):
            return None
        colon = body[at : at + 16].lstrip(SPACE)
        start = at + body[at : at + 64].find(b"[")
        if (
            colon[:1] == b":"
            and memoryview(body)[start : start + len(value)] == value
            and (head := _head(body, start, key)) is not None
        ):
            return Beginning(start + 1, start, head)
    return None


def _head(body: bytes, start: int, key: str) -> tuple[tuple[str, int, int], ...] | None:
    """The keys before the conversation and where their values stand: somewhere with the same bytes is as good."""
    try:
        before = _object(body[:start] + b"null}")
    except UNREADABLE:
        return None
    if next(reversed(before)) != key or bytes(before.pop(key)) != b"null":
        return None
    found = [(name, body.find(memoryview(raw), 0, start), len(memoryview(raw))) for name, raw in before.items()]
    return tuple([(name, at, at + size) for name, at, size in found])

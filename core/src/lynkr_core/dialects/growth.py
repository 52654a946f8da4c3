"""Conversations grow at their end: what was found out about a request is true of the next one's beginning.

When a long body seems to have gone on from another, its bytes up to the end of its last message are remembered. The next one, which
begins with the same bytes, is read from there on, and what costs to find out is found out about what was added only.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.beginnings import SPACE, Beginning, Beginnings, sampled
from lynkr_core.dialects.surrogates import read_fields
from lynkr_core.request import Message

T = TypeVar("T")
LEAST = 8_192
"""Bytes of a body that is worth it."""
MOVING = b'"cache_control"'
"""Clients take this mark from a message when they put it on a later one, so what is remembered ends before the first message that has it."""
NEAR = 16_384
"""Bytes of the end of a conversation in which that mark is looked for."""
SIGHT = 64
"""Bytes by which a value is looked for, and in which a key is found that has to be next."""
PLACES = 4
"""At how many places a value is looked for."""
BETWEEN = b"," + SPACE
EMPTY = b"[]"
NULL = Raw(b"null")
BRACE = b"{"


_object = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_rest = secrets.token_hex(16)
_opening = b'{"%b":[' % _rest.encode()


class Growth:
    """A long body. `before`: what is known of its beginning, None when it is seen for the first time. `now`: as what the next may begin."""

    __slots__ = ("_body", "_end", "_start", "before", "now")

    def __init__(self, before: Beginning | None, now: Beginning, body: bytes, start: int, end: int) -> None:
        self.before = before
        self.now = now
        self._body = body
        self._start = start
        self._end = end

    @property
    def added(self) -> bytes:
        """The messages from `before` to `now`, as a JSON list."""
        return b"[%b]" % self._body[self._start : self.now.size].strip(BETWEEN)

    @property
    def left(self) -> bytes:
        """Those after `now`: mostly none."""
        return b"[%b]" % self._body[self.now.size : self._end].strip(BETWEEN)

    @property
    def rest(self) -> bytes:
        """Both."""
        return b"[%b]" % self._body[self._start : self._end].strip(BETWEEN)

    def messages(self, read: Callable[[Raw], tuple[Message, ...] | None]) -> tuple[Message, ...] | None:
        """The conversation, of which only what was added is read. None where `read` can make nothing of it."""
        known = self.before.messages if self.before else ()
        fresh = self.added if known else b"%b]" % self._body[self.now.start : self.now.size]
        new, left = [() if piece == EMPTY else read(Raw(piece)) for piece in (fresh, self.left)]
        if new is None or left is None:
            return None
        if new:
            known += new
            _beginnings.hold(known, self.braces, self.now, self.before)
        return known + left

    @property
    def braces(self) -> int:
        """How many opening braces the whole body has."""
        return self.counted(BRACE, 0)

    def counted(self, sign: bytes, start: int | None = None) -> int:
        """How often `sign` stands in the body, from its conversation on if nothing else is said: of what was there before it is known."""
        known = self.before.facts.get(sign) if self.before else None
        begin = self._start if known is not None else self.now.start if start is None else start
        self.now.facts[sign] = so_far = (known or 0) + self._body.count(sign, begin, self.now.size)
        return so_far + self._body.count(sign, self.now.size)

    def leading(self, key: str) -> Raw | None:
        """This key's value where it stands before the conversation: whoever goes on from it has the same there."""
        for name, start, end in self.now.head:
            if name == key:
                return Raw(memoryview(self._body)[start:end])
        return None

    def once(self, name: str, beside: object, find: Callable[[], tuple[T, int]]) -> T:
        """What `find` says of how the messages begin, and after how many bytes of them it knew. `beside`: on what else it depends."""
        known = self.before.facts.get(name) if self.before else None
        if known is None or known[0] != beside:
            value, seen = find()
            if seen > self.now.size - self.now.start:
                return value
            known = beside, value
        self.now.facts[name] = known
        return known[1]


_beginnings = Beginnings()


def read_grown(body: bytes, key: str, dialect: str) -> tuple[dict[str, Raw], Growth | None]:
    """As `read_fields`; and what is known of the list of messages under `key`, where the body is long. Raises `InvalidRequest`.

    `dialect`: what is known of a body is so in one API only.
    """
    if len(body) < LEAST or not _beginnings.again(samples := sampled(body, dialect)):
        return read_fields(body), None
    before = _beginnings.find(body, samples)
    read = _onward(body, key, before) if before is not None else None
    if before is None or read is None:
        fields = read_fields(body)
        first = _first(body, key, fields)
        return fields, first and _grown(body, samples, None, first, first.size + len(memoryview(fields[key])) - 2)
    return read[0], _grown(body, samples, before, before, read[1])


def _onward(body: bytes, key: str, before: Beginning) -> tuple[dict[str, Raw], int] | None:
    """The fields, and where the messages end. None where they do not go on, or end, right there, and for whatever is no JSON."""
    rest = body[before.size :].lstrip(SPACE)
    goes_on = rest[:1] == b","
    if not goes_on and rest[:1] != b"]":
        return None
    try:
        later = _object(_opening + rest[goes_on:])
    except UNREADABLE:
        return None
    more = memoryview(later.pop(_rest))
    if key in later or goes_on != bool(bytes(more[1:-1]).strip(SPACE)):
        return None  # what stands twice, or nothing after a comma
    end = len(body) - len(rest) + goes_on + len(more) - 2
    view = memoryview(body)
    fields = {name: Raw(view[at:to]) for name, at, to in before.head}
    fields[key] = Raw(view[before.start : end + 1])
    fields.update(later)
    return fields, end


def _grown(body: bytes, samples: list[int], before: Beginning | None, like: Beginning, end: int) -> Growth | None:
    """Of messages that go on from `like`, and end at `end`."""
    size = _settled(body, like.size, end)
    if size == like.size:
        return Growth(before, before, body, like.size, end) if before else None
    now = Beginning(size, like.start, like.head)
    _beginnings.keep(body, samples, now)
    return Growth(before, now, body, like.size, end)


def _settled(body: bytes, start: int, end: int) -> int:
    """Up to the end of which message these will stay as they are; `start` when there is none."""
    while end > start and body[end - 1] in BETWEEN:
        end -= 1
    near = max(start, end - NEAR)
    if body.find(MOVING, near, end) < 0:
        return end
    settled = place = start
    for item in _list(b"[%b]" % body[start:end].strip(BETWEEN)):
        message = memoryview(item)
        place = body.index(message[:1], place) + len(message)
        if place > near and MOVING in bytes(message):
            return settled
        settled = place
    return end


def _first(body: bytes, key: str, fields: dict[str, Raw]) -> Beginning | None:
    """Where the conversation stands, told beyond doubt: what precedes it, closed right after its key, is an object that ends with it."""
    head: list[tuple[str, int, int]] = []
    at = 0
    for name, raw in fields.items():
        if name == key:
            break
        value = memoryview(raw)
        at = _place(body, at, value)
        if at < 0:
            return None
        head.append((name, at, at + len(value)))
        at += len(value)
    value = memoryview(fields.get(key, NULL))
    at = body.find(b'"%b"' % key.encode(), at, at + SIGHT)
    start = body.find(b"[", at, at + SIGHT)
    if at < 0 or value[0] != b"["[0] or not body.startswith(value, start):
        return None
    try:
        before = _object(body[:start] + b"null}")
    except UNREADABLE:
        return None
    return Beginning(start + 1, start, tuple(head)) if next(reversed(before)) == key and before[key] == NULL else None


def _place(body: bytes, at: int, value: memoryview) -> int:
    """Where these bytes stand: the same somewhere else are as good. -1 when they are not found soon."""
    begins = bytes(value[:SIGHT])
    for _ in range(PLACES):
        at = body.find(begins, at)
        if at < 0 or body.startswith(value, at):
            return at
        at += 1
    return -1

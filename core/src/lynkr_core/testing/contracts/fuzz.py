"""Bodies that are wrong, made from bodies that are right."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast

import msgspec

DEEP = b'{"model":"m","messages":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
NO_OBJECTS = (
    b"",
    b" ",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"\xff\xfe\x00",
    b'{"model":',
    b"{'model': 'm'}",
    b'{"model":"m"} x',
    DEEP,
)
"""None of these is a JSON object that could be read."""
WRONG: tuple[Any, ...] = (None, True, -1, 1.5, "", "wrong", [], [None], [[]], {}, {"type": 7}, {"type": "unheard_of"})
ERRORS: tuple[bytes, ...] = (
    b"", b"<html>502</html>", b"null", b"[]", b'"text"', b"{}", b'{"error":null}', b'{"error":"text"}', b'{"error":7}', b'{"error":[]}',
    b'{"error":{"message":7,"type":[],"code":{}}}', b'{"message":"text"}', b'{"detail":[{"msg":"text"}]}', b"\xff\xfe", b"{",
)  # fmt: skip
"""Bodies of error answers that somebody might send."""


def mutations(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The body with each of its values in turn replaced by each wrong one, or taken out. Gives the path with it."""
    whole = msgspec.json.decode(body)
    for path in paths(whole):
        if path:
            place = "$" + "".join(f"[{step!r}]" for step in path)
            for wrong in WRONG:
                yield f"{place} = {wrong!r}", msgspec.json.encode(replaced(whole, path, wrong))
            yield f"{place} gone", msgspec.json.encode(without(whole, path))


def paths(value: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value of a JSON document is; of a list only the first three."""
    yield so_far
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from paths(item, (*so_far, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)[:3]):
            yield from paths(item, (*so_far, index))


def replaced(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    made, parent = _copied(whole, path)
    parent[path[-1]] = value
    return made


def without(whole: Any, path: tuple[Any, ...]) -> Any:
    made, parent = _copied(whole, path)
    del parent[path[-1]]
    return made


def _copied(whole: Any, path: tuple[Any, ...]) -> tuple[Any, Any]:
    """A copy and, in it, what holds the value at the path."""
    made = copy.deepcopy(whole)
    parent = made
    for step in path[:-1]:
        parent = parent[step]
    return made, parent

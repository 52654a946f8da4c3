"""Changing some keys of a JSON object and leaving every other byte as it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from lynkr_core.request import Node

_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode
_items = msgspec.json.Decoder(list[Raw]).decode
_NULL = Raw(b"null")


def splice(native: Raw | None, changes: dict[str, Any]) -> Raw:
    """`native` with these keys replaced in place, or added at its end; a value of `UNSET` takes the key out. None is an empty object."""
    fields: dict[str, Any] = {} if native is None else _decode(native)
    return Raw(_encode(apply(fields, changes)))


def apply(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The same on an object that is already read. Changes `fields` and returns it."""
    for key, value in changes.items():
        if value is UNSET:
            fields.pop(key, None)
        else:
            fields[key] = value
    return fields


def untouched(nodes: Sequence[Node], raw: Raw) -> bool:
    """Whether these are exactly the nodes that were read from this list; null is an empty one."""
    items = [] if raw == _NULL else _items(raw)
    if len(items) != len(nodes):
        return False
    return all(not node.edited and node.native == item for node, item in zip(nodes, items, strict=True))


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The changes that lead from one object to the other; keys that are gone are `UNSET`."""
    changes: dict[str, Any] = {key: UNSET for key in before if key not in after}
    changes.update({key: value for key, value in after.items() if key not in before or before[key] != value})
    return changes

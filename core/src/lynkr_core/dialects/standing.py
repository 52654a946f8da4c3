"""Prompts and tools, which stand beside conversations and come again with every turn: read once, and known by their bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from msgspec import Raw

from lynkr_core.dialects.beginnings import BYTE, NODE
from lynkr_core.stores.recent import Recent

T = TypeVar("T")
LEAST, MOST = 1_024, 256 * 1024
"""Bytes of what is kept: less is read as quickly as it is found."""
KEPT = 256
ROOM = 16 * 1024 * 1024
"""Bytes of all that is kept."""

_read: Recent[tuple[Callable[[Raw], Any], bytes], Any] = Recent(KEPT, ROOM)


def standing(read: Callable[[Raw], T], raw: Raw) -> T:
    """What `read` makes of this, where it is not None. It must not depend on anything else, nor what it gives be changed."""
    if not LEAST <= len(memoryview(raw)) <= MOST:
        return read(raw)
    text = bytes(raw)
    found = _read.get((read, text))
    if found is None:
        found = read(Raw(text))  # of its own: `raw` keeps the whole body that it came in
        if found is not None:
            _read.set((read, text), found, len(text) * BYTE + text.count(b"{") * NODE)
    return cast("T", found)

"""What was made of each message, by everything before it. Bounded; each principal has its own, and none can see another's."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """Forgets what was not asked for the longest when there are more than `most` or their sizes come to more than `size`."""

    def __init__(self, most: int, size: int) -> None:
        self._most = most
        self._size = size
        self._held = 0
        self._kept: OrderedDict[tuple[str, int], tuple[T, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: tuple[str, int]) -> T | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def pop(self, key: tuple[str, int]) -> T | None:
        found = self._kept.pop(key, None)
        if found is None:
            return None
        self._held -= found[1]
        return found[0]

    def set(self, key: tuple[str, int], value: T, size: int) -> None:
        self.pop(key)
        self._kept[key] = value, size
        self._held += size
        while self._kept and (len(self._kept) > self._most or self._held > self._size):
            _, (_, gone) = self._kept.popitem(last=False)
            self._held -= gone

"""What was used lately, for plugins that would otherwise work it out or ask for it again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Recent(Generic[K, T]):
    """Forgets what was not read or set for the longest when there are more than `most`, or their sizes come to more than `size`.

    The principal belongs into the key of whatever no other may see.
    """

    def __init__(self, most: int, size: float = float("inf")) -> None:
        self._most, self._size, self._held = most, size, 0
        self._kept: OrderedDict[K, tuple[T, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> T | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found and found[0]

    def pop(self, key: K) -> T | None:
        value, size = self._kept.pop(key, (None, 0))
        self._held -= size
        return value

    def set(self, key: K, value: T, size: int = 0) -> None:
        self.pop(key)
        self._kept[key] = value, size
        self._held += size
        while len(self._kept) > self._most or self._held > self._size:
            self._held -= self._kept.popitem(last=False)[1][1]

"""The vectors of what is kept, in groups of texts that may share an answer: only those of one group are ever compared, all of them."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from lynkr_cache_semantic.local import Vector

Found = tuple[str, float]
"""The key of an entry, and how alike it is, up to 1."""


class Group:
    """At most so many vectors, the newest ones."""

    __slots__ = ("_matrix", "until", "vectors")

    def __init__(self) -> None:
        self.vectors: OrderedDict[str, Vector] = OrderedDict()
        self.until = 0.0
        self._matrix: Vector | None = None

    def add(self, key: str, vector: Vector, most: int) -> None:
        self.vectors.pop(key, None)
        self.vectors[key] = vector
        if len(self.vectors) > most:
            self.vectors.popitem(last=False)
        self._matrix = None

    def drop(self, key: str) -> None:
        if self.vectors.pop(key, None) is not None:
            self._matrix = None

    def nearest(self, vector: Vector) -> Found | None:
        if not self.vectors:
            return None
        if self._matrix is None:
            self._matrix = np.stack(list(self.vectors.values()))
        likeness = np.vecdot(self._matrix, vector)  # row by row: `@` waits for BLAS's threads on busy cores
        best = int(likeness.argmax())
        return list(self.vectors)[best], float(likeness[best])


class Index:
    """Groups by their key, those used last; `most` vectors in each and `groups` of them."""

    def __init__(self, most: int, groups: int) -> None:
        self._most = most
        self._limit = groups
        self._groups: OrderedDict[str, Group] = OrderedDict()

    def __len__(self) -> int:
        return sum([len(group.vectors) for group in self._groups.values()])

    def group(self, key: str) -> Group:
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = Group()
            if len(self._groups) > self._limit:
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return found

    def add(self, group: str, key: str, vector: Vector) -> None:
        self.group(group).add(key, vector, self._most)

"""Who imports whom among the files of a workspace, by their names alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from posixpath import dirname, join, normpath

MAX_HITS = 3
"""A name that fits more files than this says nothing."""
FRONTS = ("/__init__", "/index", "/mod", "/lib")
"""Files that speak for their folder."""


class Names:
    """Finds the files that an import means."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.stems: dict[str, list[str]] = defaultdict(list)
        self.tails: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            for stem in {stem_of(path), dirname(path)} if path.endswith(".go") else {stem_of(path)}:
                self.stems[stem].append(path)
                self.tails[stem.rpartition("/")[2]].append(stem)

    def find(self, name: str, importer: str) -> list[str]:
        """Files by the whole name or, as it may end in something that a file holds, by all but its last word."""
        relative = name.startswith(".")
        wanted = normpath(join(dirname(importer), name)) if relative else name
        for stem in (wanted, wanted.rpartition("/")[0]):
            found = self.stems.get(stem, ()) if relative else self._ending(stem)
            if found:
                return list(found)
        return []

    def _ending(self, name: str) -> list[str]:
        """Files whose path ends in the name; or, where it has at least two words, whose path the name ends in."""
        hits = [
            stem
            for stem in set(self.tails.get(name.rpartition("/")[2], ()))
            if stem == name or stem.endswith("/" + name) or ("/" in stem and name.endswith("/" + stem))
        ]
        return [path for stem in hits for path in self.stems[stem]] if len(hits) <= MAX_HITS else []


def stem_of(path: str) -> str:
    stem = path.rpartition(".")[0]
    for front in FRONTS:
        if stem.endswith(front):
            return stem.removesuffix(front)
    return stem


def importers(imports: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """By path, how many others import it. `imports`: the names in each file."""
    names = Names(imports)
    found: dict[str, set[str]] = defaultdict(set)
    for importer, wanted in imports.items():
        for name in wanted:
            for path in names.find(name, importer):
                if path != importer:
                    found[path].add(importer)
    return {path: len(who) for path, who in found.items()}

"""The options of `lynkr serve` as they are mostly written, read at once.

cyclopts, which reads every other command line, takes longer to import than the gateway itself. What is unusual here is left to it: help,
mistakes, and whatever stands for a value in more ways than one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

OPTIONS: Mapping[str, Callable[[str], Any]] = {"config": Path, "host": str, "port": int, "workers": int}


def plain(words: Sequence[str]) -> dict[str, Any] | None:
    """Values by name, of `--name value` and `--name=value`; None when there is anything else."""
    found: dict[str, Any] = {}
    left = iter(words)
    for word in left:
        name, equals, value = word[2:].partition("=")
        value = value if equals else next(left, "")
        read = OPTIONS.get(name)
        if not word.startswith("--") or read is None or name in found or not value or value.startswith("-"):
            return None
        if read is int and not (value.isascii() and value.isdigit()):
            return None
        found[name] = read(value)
    return found

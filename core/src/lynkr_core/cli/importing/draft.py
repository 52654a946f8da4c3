"""A `lynkr.toml` in the making: what another gateway's file comes to, and what of it has no counterpart."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ORDER = ("server", "provider", "models", "tiers", "routing", "prices")
BARE = re.compile(r"[A-Za-z0-9_-]+")


class Draft:
    """`tables` in the order they are written; `missing` is told to the user; `keys` are variables that must be set before it serves."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tables: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.missing: list[str] = []
        self.keys: dict[str, str] = {}
        self._instances: dict[tuple[str, str], str] = {}

    def table(self, name: str) -> dict[str, Any]:
        return self.tables.setdefault(name, {})

    def miss(self, what: str, why: str = "has no counterpart") -> None:
        """Once for each."""
        told = f"{what}: {why}"
        if told not in self.missing:
            self.missing.append(told)

    def secret(self, value: str, name: str) -> str:
        """`${NAME}` for a key: it is never written into the file, so one that stood in the other has to be put into a variable."""
        self.keys[name] = value
        return f"${{{name}}}"

    def provider(self, plugin: str, settings: Mapping[str, Any]) -> str:
        """The instance with these settings, which is made when there is none yet."""
        known = (plugin, json.dumps(settings, sort_keys=True))
        if known not in self._instances:
            count = sum(1 for other, _ in self._instances if other == plugin)
            name = self._instances[known] = plugin if not count else f"{plugin}-{count + 1}"
            self.table(f"provider.{name}").update(({"use": plugin} if count else {}) | dict(settings))
        return self._instances[known]

    def text(self) -> str:
        """The file."""
        lines = [f"# Made by `lynkr import` of {self.source}."]
        if self.missing:
            lines += ["# What has no counterpart here, or another meaning:", *[f"#   {told}" for told in self.missing]]
        for name, table in sorted(self.tables.items(), key=lambda item: place(item[0])):
            lines += ["", f"[{name}]", *[f"{key(left)} = {value(right)}" for left, right in table.items()]]
        for name, entries in self.lists.items():
            for entry in entries:
                lines += ["", f"[[{name}]]", *[f"{key(left)} = {value(right)}" for left, right in entry.items()]]
        return "\n".join(lines) + "\n"


def place(table: str) -> int:
    """Where in the file a table stands: the server first, then providers, names and tiers, then what else is switched on."""
    kind = table.partition(".")[0]
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def key(name: str) -> str:
    return name if BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def value(of: Any) -> str:
    """As TOML, whose strings, numbers, booleans and lists are JSON's."""
    if isinstance(of, dict):
        fields = cast("dict[str, Any]", of)
        return "{ " + ", ".join([f"{key(name)} = {value(inner)}" for name, inner in fields.items()]) + " }"
    if isinstance(of, list):
        return "[" + ", ".join([value(item) for item in cast("list[Any]", of)]) + "]"
    return json.dumps(of, ensure_ascii=False)

"""The hidden tools: what the model is told of each, and how it finds one."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, cast

import msgspec
from msgspec import Raw

from lynkr_core.request import Tool

SUMMARY = 100
"""Characters of a tool's first sentence."""
MOST = 10
"""Tools whose schemas one look gives at most; all that are named are given, up to this."""
FEW = 5
"""Tools that a look by words gives."""
K, B = 1.2, 0.75
"""BM25: how fast repeated words stop to count, and how much long descriptions count less."""
TWICE = 3
"""A word in a tool's name counts as so many in its description."""
_words = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_sentence = re.compile(r"(?<=[.!?])\s|\n")
_schema = msgspec.json.Decoder(dict[str, Any])


class Catalogue:
    """Tools by name. Made once for a list of tools, and shared by all its turns."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.tools = {tool.name: tool for tool in tools}

    @cached_property
    def index(self) -> str:
        """A line for each tool; servers' names are said once."""
        lines: list[str] = []
        last = ""
        for name in sorted(self.tools):
            server = server_of(name)
            if server != last:
                lines.append(f"{server}…")
                last = server
            summary = first_sentence(self.tools[name].description or "")
            lines.append(f"- {name[len(server) :]}: {summary}" if summary else f"- {name[len(server) :]}")
        return "\n".join(lines)

    def named(self, name: str) -> Tool | None:
        """The tool of this name, or the only one that it is the end of."""
        exact = self.tools.get(name)
        if exact is not None or not name:
            return exact
        found = [tool for full, tool in self.tools.items() if full.endswith(f"_{name}")]
        return found[0] if len(found) == 1 else None

    def find(self, query: str, limit: int = FEW) -> list[Tool]:
        """Those that are named, else those whose words fit best."""
        asked = [word.strip("`'\"().:;") for word in re.split(r"[\s,]+", query)]
        names = asked if len(asked) == 1 else [word for word in asked if "_" in word or word in self.tools]
        exact = {tool.name: tool for word in names if (tool := self.named(word)) is not None}
        if exact:
            return list(exact.values())[:MOST]
        scores = self._scores(words(query))
        best = sorted(scores, key=lambda name: (-scores[name], name))
        return [self.tools[name] for name in best[: max(min(limit, MOST), 1)]]

    def _scores(self, asked: Sequence[str]) -> dict[str, float]:
        counts, lengths = self._counts
        mean = sum(lengths.values()) / max(len(lengths), 1) or 1.0
        scores: dict[str, float] = {}
        for word in set(asked):
            holding = [name for name, count in counts.items() if word in count]
            rare = math.log(1 + (len(counts) - len(holding) + 0.5) / (len(holding) + 0.5))
            for name in holding:
                times = counts[name][word]
                weight = times * (K + 1) / (times + K * (1 - B + B * lengths[name] / mean))
                scores[name] = scores.get(name, 0.0) + rare * weight
        return scores

    @cached_property
    def _counts(self) -> tuple[dict[str, Counter[str]], dict[str, int]]:
        counts = {name: Counter(self._said(tool)) for name, tool in self.tools.items()}
        return counts, {name: count.total() for name, count in counts.items()}

    def _said(self, tool: Tool) -> list[str]:
        return words(tool.name) * TWICE + words(tool.description or "") + words(" ".join(properties(tool)))


def server_of(name: str) -> str:
    """`mcp__playwright__` of `mcp__playwright__click`; empty where there is none."""
    parts = name.split("__", 2)
    return f"{parts[0]}__{parts[1]}__" if len(parts) == 3 else ""


def words(text: str) -> list[str]:
    """In lower case, without a plural's `s`."""
    found = [word.lower() for word in _words.findall(text)]
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found]


def first_sentence(text: str) -> str:
    whole = next((line for line in _sentence.split(text.strip()) if line.strip()), "").strip().rstrip(".")
    return whole if len(whole) <= SUMMARY else whole[: SUMMARY - 1].rpartition(" ")[0] + "…"


def schema_of(tool: Tool) -> dict[str, Any]:
    """Empty for one that cannot be read."""
    try:
        return {} if tool.parameters is None else _schema.decode(tool.parameters)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}


def properties(tool: Tool) -> list[str]:
    found = schema_of(tool).get("properties")
    return list(cast("dict[str, Any]", found)) if isinstance(found, dict) else []


def required(tool: Tool) -> list[str]:
    found = schema_of(tool).get("required")
    return [name for name in cast("list[Any]", found) if isinstance(name, str)] if isinstance(found, list) else []


def described(tools: Iterable[Tool]) -> str:
    """Everything that the caller said of these tools."""
    return "\n\n".join([f"{tool.name}: {tool.description or ''}\n{_spelt(tool.parameters)}" for tool in tools])


def _spelt(parameters: Raw | None) -> str:
    return "takes no arguments" if parameters is None else "arguments: " + bytes(parameters).decode("utf-8", "replace")

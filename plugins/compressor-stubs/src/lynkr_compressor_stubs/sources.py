"""Which results are logs, test output, listings and reports of other agents, by the call that they answer."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.request import Message, ToolCall


class Sources(Struct, forbid_unknown_fields=True):
    """`sources.toml`"""

    shells: list[str]
    others: list[str]
    read_by: list[str]


_prefix = re.compile(r"^\s*(?:\w+=\S*\s+|(?:sudo|time|nohup|env)\s+|timeout\s+\S+\s+)*")
_arguments = msgspec.json.Decoder(dict[str, Any])


def read() -> Sources:
    text = files("lynkr_compressor_stubs").joinpath("sources.toml").read_text()
    return msgspec.convert(tomllib.loads(text), Sources)


SOURCES = read()


def calls_of(messages: Iterable[Message]) -> Mapping[str, ToolCall]:
    """The calls of a conversation by id."""
    return {part.id: part for message in messages for part in message.parts if isinstance(part, ToolCall)}


def may_be_stub(call: ToolCall, also: tuple[str, ...] = ()) -> bool:
    """Whether the result of this call may be cut. `also`: more patterns of names."""
    kind = kind_of(call.name.lower(), also)
    return kind == "other" or (kind == "shell" and not reads(command(call.arguments)))


@lru_cache(4096)
def kind_of(name: str, also: tuple[str, ...]) -> str:
    if any(fnmatchcase(name, pattern) for pattern in SOURCES.shells):
        return "shell"
    return "other" if any(fnmatchcase(name, pattern) for pattern in (*SOURCES.others, *also)) else ""


def command(arguments: str) -> str:
    """What a shell was told; all texts of the arguments where no key says so. Empty when they cannot be read."""
    try:
        given = _arguments.decode(arguments.encode())
    except UNREADABLE:
        return ""
    said = given.get("command") or given.get("cmd") or ""
    return " ".join([str(word) for word in cast("list[Any]", said)]) if isinstance(said, list) else str(said)


def reads(said: str) -> bool:
    """Whether any part of a command shows a file's own text, which may be edited next. What only filters a program's output does not."""
    for line in re.split(r"&&|;|\n|\|\|", said):
        first = _prefix.sub("", line.split("|")[0])
        if any(first == word or first.startswith(f"{word} ") for word in SOURCES.read_by):
            return True
        if "<<" not in line and any(f"-c {quote}{word} " in first for word in SOURCES.read_by for quote in ("", "'", '"')):
            return True
    return False

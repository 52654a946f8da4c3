"""A routing data set: requests with what several models made of them, with a tier, or with what they were made from. See the guide."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from lynkr_core.cli.metrics import TIERS
from lynkr_core.errors import LynkrError

Tier = Annotated[str, Meta(pattern=f"^({'|'.join(TIERS)})$")]
Pairs = Mapping[str, list[tuple[str, str]]]


class Message(Struct):
    """As far as it is shown."""

    content: Any = ""


class Row(Struct, kw_only=True):
    """One line: `messages`, or a `prompt` alone. `scores`: by model, 0 to 1. `ok`: the tiers that are right beside `best`. `base`, `kind`: a
    perturbed copy of a row.
    """

    id: str = ""
    messages: Raw = Raw()
    prompt: str = ""
    tools: Raw = Raw()
    source: str = "all"
    scores: dict[str, float] = {}
    best: Tier | None = None
    ok: list[Tier] = []
    tier: Tier | None = None
    base: str = ""
    kind: str = ""

    @property
    def right(self) -> set[int]:
        """The tiers that are right; empty where none is known."""
        named = {*self.ok, self.best or self.tier} - {None}
        return {TIERS.index(name) for name in named if name}

    @property
    def text(self) -> str:
        """What is asked last, on one line, to know the row by."""
        try:
            content = _said.decode(self.messages)[-1].content if self.messages else self.prompt
        except (msgspec.MsgspecError, UnicodeDecodeError, IndexError):
            content = ""
        return " ".join((content if isinstance(content, str) else msgspec.json.encode(content).decode()).split())

    def body(self) -> bytes:
        """As a request of an OpenAI client; which dialect the messages are in does not matter to a scorer."""
        fields: dict[str, Any] = {"model": "auto", "messages": self.messages or [{"role": "user", "content": self.prompt}]}
        return msgspec.json.encode(fields | ({"tools": self.tools} if self.tools else {}))


class Source(Struct):
    """What `sources.json` says of one source."""

    pairs: list[tuple[str, str]] = []


class Dataset(Struct):
    """All rows, and the (weak, strong) models of each source."""

    rows: list[Row]
    pairs: dict[str, list[tuple[str, str]]]


_said = msgspec.json.Decoder(list[Message])
_row = msgspec.json.Decoder(Row)


def read(path: Path, only: int = 0) -> Dataset:
    """A file of JSON lines, or a folder of them, `.gz` or not; of each source and file `only` so many rows. Raises `LynkrError`."""
    files = sorted(file for file in path.iterdir() if ".jsonl" in file.suffixes) if path.is_dir() else [path]
    beside = (path if path.is_dir() else path.parent) / "sources.json"
    sources = msgspec.json.decode(beside.read_bytes(), type=dict[str, Source]) if beside.exists() else {}
    rows = [row for file in files for row in limited(lines(file), only)]
    if not rows:
        raise LynkrError(f"{path}: no rows; a data set is a file or a folder of .jsonl")
    return Dataset(rows, {name: source.pairs for name, source in sources.items()})


def limited(rows: Iterator[Row], only: int) -> Iterator[Row]:
    seen: dict[str, int] = {}
    for row in rows:
        seen[row.source] = seen.get(row.source, 0) + 1
        if not only or seen[row.source] <= only:
            yield row


def lines(file: Path) -> Iterator[Row]:
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as error:
        raise LynkrError(f"{file}: {error}") from error
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                row = _row.decode(line)
            except msgspec.MsgspecError as error:
                raise LynkrError(f"{file}:{number}: {error}") from error
            if not row.messages and not row.prompt:
                raise LynkrError(f"{file}:{number}: it needs messages, or a prompt")
            row.id = row.id or f"{file.name}:{number}"
            yield row

"""What a provider was asked and answered: a file that `lynkr record` writes, and a contract suite plays.

A file of JSON. `takes` are calls in the dialects that the provider speaks, each `plain`, `stream`, `tools`, `tools stream` or `error`;
`models` is the list of models.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import Dialect
from lynkr_core.dialects.fold import fold
from lynkr_core.errors import LynkrError
from lynkr_core.request import Response, Text, ToolCall, Usage
from lynkr_core.testing.canned import Script
from lynkr_core.testing.contracts import samples

VERSION = 1
FRONT = "openai.chat"
"""Whose words a caller uses where the provider's own dialect is no caller's."""
WORDS = "Say hello in a few words."
LIMITS = {"openai.responses": "max_output_tokens"}
NAMES = ("plain", "stream", "tools", "tools stream")
ERROR, LISTING = "error", "models"
STREAMED = frozenset(("stream", "tools stream"))
SSE, LINES = "text/event-stream", ("ndjson", "jsonl", "json-seq")


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What lynkr read in an answer. `calls`: name and arguments, as text, of each call of a tool."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    finish: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


class Take(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call. `path` is below the base URL; `pieces` are the answer's body: texts, or base64 where `binary`.

    `asked`: the request as sent. `kind`: of an error, as the provider's plugin called it.
    """

    name: str
    dialect: str
    method: str = "POST"
    path: str
    asked: Raw = Raw(b"null")
    status: int = 200
    headers: Mapping[str, str] = {}
    pieces: tuple[str, ...] = ()
    binary: bool = False
    said: Said | None = None
    kind: str = ""

    @property
    def chunks(self) -> tuple[bytes, ...]:
        return tuple([b64decode(piece) if self.binary else piece.encode() for piece in self.pieces])

    @property
    def script(self) -> Script:
        """For a scripted provider."""
        headers = {name: value for name, value in self.headers.items() if name != "content-type"}
        made = Script(status=self.status, headers=headers, content_type=self.headers.get("content-type", "application/json"))
        return made.but(events=self.chunks) if self.name in STREAMED else made.but(body=b"".join(self.chunks))


class Transcript(Struct, frozen=True, kw_only=True):
    """`use`: the plugin's name. `base_path`: the path of the base URL. `max_tokens`: what the answers were limited to."""

    version: int = VERSION
    use: str
    model: str
    base_path: str = ""
    max_tokens: int
    takes: tuple[Take, ...]

    def take(self, dialect: str, name: str) -> Take | None:
        return next((take for take in self.takes if (take.dialect, take.name) == (dialect, name)), None)

    @property
    def dialects(self) -> tuple[str, ...]:
        """Those with a plain answer."""
        return tuple([take.dialect for take in self.takes if take.name == "plain"])


def read(path: Path) -> Transcript:
    """Raises `LynkrError` for what is none."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Transcript)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LynkrError(f"{path} is no transcript: {error}") from None
    if found.version != VERSION:
        raise LynkrError(f"{path} is a transcript of version {found.version}, this core reads {VERSION}; record it again")
    return found


def texts(transcript: Transcript) -> bytes:
    """The file, with a line for each value so that changes can be reviewed."""
    return msgspec.json.format(msgspec.json.encode(transcript), indent=1) + b"\n"


def cut(body: bytes, content_type: str) -> tuple[tuple[str, ...], bool]:
    """A streamed body in its events or lines, whole in one piece where it has none, and whether it is binary."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return (b64encode(body).decode(),), True
    if SSE in content_type:
        return tuple(split(text, "\r\n\r\n" if "\r\n\r\n" in text else "\n\n")), False
    if any(word in content_type for word in LINES):
        return tuple(split(text, "\n")), False
    return ((text,) if text else ()), False


def split(text: str, end: str) -> Iterator[str]:
    *pieces, last = text.split(end)
    yield from [piece + end for piece in pieces]
    if last:
        yield last


def heard(answer: Response) -> Said:
    """What a plain answer says."""
    parts = answer.choices[0].parts if answer.choices else ()
    return Said(
        text="".join([part.text for part in parts if isinstance(part, Text)]),
        calls=tuple([(part.name, part.arguments) for part in parts if isinstance(part, ToolCall)]),
        finish=answer.choices[0].finish_reason if answer.choices else "",
        **used(answer.usage),
    )


def listened(dialect: Dialect, pieces: Sequence[bytes]) -> Said:
    """What a streamed answer says. Raises the `UpstreamError` in it."""
    decoder = dialect.decoder()
    return heard(fold([*[event for piece in pieces for event in decoder.feed(piece)], *decoder.close()]))


def used(usage: Usage | None) -> dict[str, Any]:
    return {} if usage is None else {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}


def asked(dialect: Dialect, name: str, max_tokens: int) -> dict[str, Any]:
    """The caller's request that leads to a take."""
    front = dialect.name if dialect.routes else FRONT
    more: dict[str, Any] = {LIMITS.get(front, "max_tokens"): max_tokens} | ({"stream": True} if name in STREAMED else {})
    return samples.with_tools(front, **more) if name.startswith("tools") else samples.request(front, WORDS, **more)

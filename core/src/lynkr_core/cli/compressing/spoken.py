"""Recorded conversations as the requests that a client sends, one for each of the agent's turns."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lynkr_core.dialect import Dialect
from lynkr_core.errors import LynkrError
from lynkr_core.request import Message, Request, Text, ToolCall, ToolCallResponse
from lynkr_core.testing import factories

_object = msgspec.json.Decoder(dict[str, Any])
DIALECTS = {"openai": "openai.chat", "anthropic": "anthropic.messages"}


class Spoken(NamedTuple):
    """`record` is a line of a file of conversations, `tools` the schemas that it was told of."""

    corpus: str
    record: dict[str, Any]
    tools: list[Any]

    @property
    def format(self) -> str:
        return self.record.get("format", "openai")

    @property
    def dialect(self) -> Dialect:
        return factories.find_dialect(DIALECTS[self.format])

    def turns(self) -> list[int]:
        """How many messages each request has: an assistant's message at index t was the answer to `messages[:t]`."""
        return [t for t, message in enumerate(self.record["messages"]) if message["role"] == "assistant" and t]

    def body(self, messages: int) -> dict[str, Any]:
        said, system = self.record["messages"][:messages], self.record.get("system", "")
        tools = {"tools": self.tools} if self.tools else {}
        if self.format == "openai":
            return {"model": "m", "messages": [*([{"role": "system", "content": system}] if system else ()), *said], **tools}
        return {"model": "m", "max_tokens": 4096, **({"system": system} if system else {}), **tools, "messages": said}


def conversations(folder: Path) -> Iterator[Spoken]:
    """Those of every file that is not of single results. Raises `LynkrError` for a line that is no conversation."""
    for file in sorted(folder.glob("*.jsonl*")):
        if not file.name.startswith("tool_results"):
            for number, record in enumerate(lines(file), 1):
                if not isinstance(record.get("messages"), list) or record.get("format", "openai") not in DIALECTS:
                    raise LynkrError(f"{file}:{number}: no conversation: it needs messages, and the format openai or anthropic")
                yield Spoken(file.name.split(".")[0], record, tools_of(folder, record))


def tools_of(folder: Path, record: dict[str, Any]) -> list[Any]:
    return record.get("tools") or [tool for name in record.get("tools_ref", ()) for tool in schemas(folder, name)]


def schemas(folder: Path, reference: str) -> list[Any]:
    """`set` or `set@prefix`: the prefix stands before each tool's name. Raises `LynkrError` when there is no such file."""
    name, _, prefix = reference.partition("@")
    try:
        tools = json.loads((folder / f"tools/{name}.json").read_text())["tools"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LynkrError(f"{folder}/tools/{name}.json has no tools: {error}") from None
    return [{**tool, "name": prefix + tool["name"]} if prefix and "name" in tool else tool for tool in tools]


def single(result: dict[str, Any], text: str) -> dict[str, Any]:
    """The body with one tool's result alone."""
    call = {"type": "tool_use", "id": "toolu_1", "name": result["tool"] or "tool", "input": result["args"]}
    if not isinstance(result["args"], dict):
        call["input"] = {"input": result["args"]}
    answer = {"type": "tool_result", "tool_use_id": "toolu_1", "content": text}
    said = [{"role": "user", "content": "go"}, {"role": "assistant", "content": [call]}, {"role": "user", "content": [answer]}]
    return {"model": "m", "max_tokens": 4096, "messages": said}


def lines(file: Path) -> Iterator[dict[str, Any]]:
    """Raises `LynkrError` for a file that cannot be read, and a line that is no object of JSON."""
    opened = gzip.open if file.suffix == ".gz" else open
    number = 0
    try:
        with opened(file, "rt", encoding="utf-8") as text:
            for number, line in enumerate(text, 1):  # noqa: B007
                if line.strip():
                    yield _object.decode(line)
    except (OSError, EOFError, ValueError) as error:
        raise LynkrError(f"{file}:{number}: {error}") from None


def texts(message: Message) -> list[str]:
    """Everything that a message says."""
    found: list[str] = []
    for part in message.parts:
        if isinstance(part, Text):
            found.append(part.text)
        elif isinstance(part, ToolCall):
            found += (part.name, part.arguments)
        elif isinstance(part, ToolCallResponse):
            found += [one.text for one in part.content if isinstance(one, Text)]
    return found


def results(request: Request) -> dict[str, str]:
    """The text of each tool's result by its call's id."""
    parts = [part for message in request.messages for part in message.parts if isinstance(part, ToolCallResponse)]
    return {part.id: "\n".join([one.text for one in part.content if isinstance(one, Text)]) for part in parts}

"""Request bodies, always the same bytes: a short question, a coding agent's 60 KB, and 1 MB of the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

Json = dict[str, Any]
HISTORY = {"agent": 37_000, "large": 950_000}
"""Characters of conversation: with 9 KB of system prompt and 14 tools they make 60 KB and 1 MB."""
TOOLS = (
    "read_file", "write_file", "edit_file", "list_files", "search_text", "run_command", "command_output", "stop_command",
    "fetch_page", "search_web", "plan", "delegate", "edit_notebook", "ask_user",
)  # fmt: skip
FILLER = (
    "the function reads each entry and returns a typed object if key is missing raise ValueError(name) for item in queue: await "
    'item.close() "quoted text" src/app/server.py:214 café → naïve {"a": [1, 2]} <li class="x"> 0x1f\tindented\n'
)


class Writer:
    """Deterministic filler that looks like code, prose and tool output."""

    def __init__(self) -> None:
        self.random = random.Random(2026)
        self.words = FILLER.split(" ")

    def text(self, length: int) -> str:
        words = self.random.choices(self.words, k=length // 3 + 1)
        return " ".join(words)[:length]

    def schema(self) -> Json:
        names = [f"field_{n}" for n in range(self.random.randint(3, 5))]
        fields = {n: {"type": self.random.choice(("string", "integer", "boolean")), "description": self.text(80)} for n in names}
        return {"type": "object", "properties": fields, "required": names[:1], "additionalProperties": False}

    def turns(self, characters: int) -> Iterator[tuple[str, str, str, str]]:
        """(id, tool, what the assistant said, what the tool answered), until that many characters are there."""
        number = 0
        while characters > 0:
            answer = self.text(1800)
            yield f"call_{number:022d}", TOOLS[number % len(TOOLS)], self.text(120), answer
            characters -= len(answer) + 520
            number += 1


def arguments(number: str) -> Json:
    return {"path": f"/home/dev/project/src/{number}.py", "offset": 40, "limit": 200}


def openai_messages(writer: Writer, characters: int) -> list[Json]:
    messages: list[Json] = [{"role": "system", "content": writer.text(9000)}, {"role": "user", "content": writer.text(400)}]
    for number, tool, said, answer in writer.turns(characters):
        call = {"id": number, "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments(number))}}
        messages += [
            {"role": "assistant", "content": said, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": number, "content": answer},
        ]
    return [*messages, {"role": "user", "content": "Now fix the failing test and run the suite again."}]


def anthropic_messages(writer: Writer, characters: int) -> list[Json]:
    messages: list[Json] = [{"role": "user", "content": writer.text(400)}]
    for number, tool, said, answer in writer.turns(characters):
        call = {"type": "tool_use", "id": number, "name": tool, "input": arguments(number)}
        result = {"type": "tool_result", "tool_use_id": number, "content": [{"type": "text", "text": answer}]}
        messages += [
            {"role": "assistant", "content": [{"type": "text", "text": said}, call]},
            {"role": "user", "content": [result]},
        ]
    return [*messages, {"role": "assistant", "content": "Done."}, {"role": "user", "content": "Now fix the failing test."}]


def small(front: str) -> Json:
    system = "You are a helpful assistant. Answer in one short paragraph."
    question = {"role": "user", "content": "What does the interpreter lock do, and when does it matter for a network proxy?"}
    if front == "anthropic":
        return {"system": system, "messages": [question]}
    return {"messages": [{"role": "system", "content": system}, question]}


def agent(front: str, characters: int) -> Json:
    writer = Writer()
    described = [(name, writer.text(340), writer.schema()) for name in TOOLS]
    if front == "anthropic":
        system = [{"type": "text", "text": writer.text(9000), "cache_control": {"type": "ephemeral"}}]
        tools = [{"name": n, "description": d, "input_schema": s} for n, d, s in described]
        return {"system": system, "tools": tools, "messages": anthropic_messages(writer, characters)}
    tools = [{"type": "function", "function": {"name": n, "description": d, "parameters": s}} for n, d, s in described]
    return {"tools": tools, "tool_choice": "auto", "messages": openai_messages(writer, characters)}


@cache
def body(kind: str, front: str, model: str, stream: bool = False) -> bytes:
    """The body `kind` (small, agent, large) in the dialect `front` (openai, anthropic)."""
    content = small(front) if kind == "small" else agent(front, HISTORY[kind])
    whole = {"model": model, "max_tokens": 512, "temperature": 0.7, **content}
    if stream:
        whole["stream"] = True
    if stream and front == "openai":
        whole["stream_options"] = {"include_usage": True}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()

"""Recorded conversations: what was said in them, and the same as each front's callers say it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FOLDERS = (Path(__file__).parent / "sample", Path(__file__).parents[3] / "shared/traffic")
CHAT, MESSAGES, RESPONSES = FRONTS = ("openai.chat", "anthropic.messages", "openai.responses")
MAX_TOKENS = 4096


class Call(NamedTuple):
    id: str
    name: str
    arguments: Any


class Result(NamedTuple):
    """The answer of a tool; its texts may have come in pieces."""

    id: str
    texts: tuple[str, ...]
    failed: bool = False


class Turn(NamedTuple):
    """All that one side says before the other one does. `speaker` is system, user or assistant; tools belong to the user's side."""

    speaker: str
    texts: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()


class Tool(NamedTuple):
    name: str
    description: str
    parameters: Any


class Conversation(NamedTuple):
    """`recorded` is the body as it was, in the API `front`, and empty where it was recorded in no front's."""

    id: str
    front: str
    recorded: dict[str, Any]
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...]


def merged(turns: Iterator[Turn]) -> tuple[Turn, ...]:
    """Neighbours of one speaker as one; turns in which nothing is said are left out."""
    found: list[Turn] = []
    for turn in turns:
        turn = turn._replace(texts=tuple([text for text in turn.texts if text]))
        if found and found[-1].speaker == turn.speaker:
            found[-1] = Turn(turn.speaker, *[before + now for before, now in zip(found[-1][1:], turn[1:], strict=True)])
        elif any(turn[1:]):
            found.append(turn)
    return tuple(found)


def texts(content: Any) -> tuple[str, ...]:
    """Of a string, a list of parts, or nothing."""
    if content is None or isinstance(content, str):
        return (content,) if content else ()
    return tuple([part["text"] for part in content])


# what was recorded
def conversations() -> Iterator[Conversation]:
    """Each whole, and each a third of it long, up to the last turn of the user's side."""
    for folder in FOLDERS:
        for file in sorted(folder.glob("*.jsonl*")):
            if file.name.startswith("tool_results"):
                continue
            opened = gzip.open if file.suffix == ".gz" else open
            with opened(file, "rt", encoding="utf-8") as lines:
                for line in lines:
                    yield from cut(json.loads(line), folder / "tools")


def cut(record: dict[str, Any], tools: Path) -> Iterator[Conversation]:
    front = {"openai": CHAT, "anthropic": MESSAGES}[record["format"]]
    described = [tool for name in record["tools_ref"] for tool in json.loads((tools / f"{name}.json").read_text())["tools"]]
    for part, most in (("third", len(record["messages"]) // 3), ("whole", len(record["messages"]))):
        said = record["messages"][:most]
        while said and said[-1]["role"] == "assistant":
            said = said[:-1]
        if said:
            body = body_of(front, record["system"], said, described)
            yield Conversation(f"{record['id']}-{part}", front, body, turns_of(front, body), tuple(map(tool_of, described)))


def body_of(front: str, system: str, said: list[Any], tools: list[Any]) -> dict[str, Any]:
    with_tools = {"tools": tools} if tools else {}
    if front == CHAT:
        return {"model": "m", "messages": [{"role": "system", "content": system}, *said], **with_tools}
    return {"model": "m", "max_tokens": MAX_TOKENS, "system": system, "messages": said, **with_tools}


def tool_of(tool: dict[str, Any]) -> Tool:
    function = tool.get("function", tool)
    return Tool(function["name"], function["description"], function.get("parameters") or function["input_schema"])


def turns_of(front: str, body: dict[str, Any]) -> tuple[Turn, ...]:
    if front == CHAT:
        return merged(map(chat_turn, body["messages"]))
    return merged(iter([Turn("system", texts(body["system"])), *map(messages_turn, body["messages"])]))


def chat_turn(message: dict[str, Any]) -> Turn:
    said = texts(message.get("content"))
    if message["role"] == "tool":
        return Turn("user", results=(Result(message["tool_call_id"], said),))
    made = [(call["id"], call["function"]) for call in message.get("tool_calls") or ()]
    calls = tuple([Call(id, function["name"], json.loads(function["arguments"])) for id, function in made])
    return Turn("system" if message["role"] == "developer" else message["role"], said, calls)


def messages_turn(message: dict[str, Any]) -> Turn:
    blocks = [{"type": "text", "text": message["content"]}] if isinstance(message["content"], str) else message["content"]
    results = [block for block in blocks if block["type"] == "tool_result"]
    return Turn(
        message["role"],
        tuple([block["text"] for block in blocks if block["type"] == "text"]),
        tuple([Call(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]),
        tuple([Result(r["tool_use_id"], texts(r.get("content")), bool(r.get("is_error"))) for r in results]),
    )


# as each front's callers say it
def asked(conversation: Conversation, front: str) -> dict[str, Any]:
    """The body as it was recorded, or the same in another front's words."""
    return conversation.recorded if front == conversation.front else WRITERS[front](conversation)


def chat(conversation: Conversation) -> dict[str, Any]:
    said: list[Any] = []
    for turn in conversation.turns:
        said += [{"role": "tool", "tool_call_id": result.id, "content": "".join(result.texts)} for result in turn.results]
        content = [{"type": "text", "text": text} for text in turn.texts] or None
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
            for call in turn.calls
        ]
        if content or calls:
            said.append({"role": turn.speaker, "content": content, **({"tool_calls": calls} if calls else {})})
    tools = [{"type": "function", "function": tool._asdict()} for tool in conversation.tools]
    return {"model": "m", "messages": said, "tools": tools}


def messages(conversation: Conversation) -> dict[str, Any]:
    said: list[Any] = []
    for turn in conversation.turns[1:]:
        blocks: list[Any] = [
            {"type": "tool_result", "tool_use_id": result.id, "content": "".join(result.texts), "is_error": result.failed}
            for result in turn.results
        ]
        blocks += [{"type": "text", "text": text} for text in turn.texts]
        blocks += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in turn.calls]
        said.append({"role": turn.speaker, "content": blocks})
    tools = [{"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in conversation.tools]
    system = [{"type": "text", "text": text} for text in conversation.turns[0].texts]
    return {"model": "m", "max_tokens": MAX_TOKENS, "system": system, "messages": said, "tools": tools}


def responses(conversation: Conversation) -> dict[str, Any]:
    said: list[Any] = []
    for turn in conversation.turns:
        said += [
            {"type": "function_call_output", "call_id": result.id, "output": "".join(result.texts)} for result in turn.results
        ]
        kind = "output_text" if turn.speaker == "assistant" else "input_text"
        parts = [{"type": kind, "text": text} for text in turn.texts]
        if parts:
            role = "developer" if turn.speaker == "system" else turn.speaker
            said.append({"type": "message", "role": role, "content": parts})
        said += [
            {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": json.dumps(call.arguments)}
            for call in turn.calls
        ]
    tools = [{"type": "function", "strict": False, **tool._asdict()} for tool in conversation.tools]
    return {"model": "m", "input": said, "tools": tools}


WRITERS = {CHAT: chat, MESSAGES: messages, RESPONSES: responses}

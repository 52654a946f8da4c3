"""What a provider was told: turns and tools, read from the body that reached it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from .conversations import CHAT, MESSAGES, RESPONSES, Call, Result, Tool, Turn, chat_turn, merged, messages_turn, texts, tool_of

Body = dict[str, Any]


def responses_turns(body: Body) -> Iterator[Turn]:
    yield Turn("system", texts(body.get("instructions")))
    for item in body["input"]:
        match item.get("type", "message"):
            case "function_call":
                yield Turn("assistant", calls=(Call(item["call_id"], item["name"], json.loads(item["arguments"])),))
            case "function_call_output":
                yield Turn("user", results=(Result(item["call_id"], texts(item["output"])),))
            case _:
                yield Turn("system" if item["role"] == "developer" else item["role"], texts(item["content"]))


def gemini_turns(body: Body) -> Iterator[Turn]:
    yield Turn("system", texts(body.get("systemInstruction", {}).get("parts")))
    for content in body["contents"]:
        for part in content["parts"]:
            yield gemini_turn({"model": "assistant"}.get(content["role"], "user"), part)


def gemini_turn(speaker: str, part: Body) -> Turn:
    if call := part.get("functionCall"):
        return Turn(speaker, calls=(Call(call.get("id", ""), call["name"], call.get("args", {})),))
    if result := part.get("functionResponse"):
        ((key, value),) = result["response"].items()
        return Turn(speaker, results=(Result(result.get("id", ""), texts(value), key == "error"),))
    return Turn(speaker, (part["text"],))


def bedrock_turns(body: Body) -> Iterator[Turn]:
    yield Turn("system", texts(body.get("system")))
    for message in body["messages"]:
        for block in message["content"]:
            yield bedrock_turn(message["role"], block)


def bedrock_turn(speaker: str, block: Body) -> Turn:
    if use := block.get("toolUse"):
        return Turn(speaker, calls=(Call(use["toolUseId"], use["name"], use["input"]),))
    if result := block.get("toolResult"):
        failed = result.get("status") == "error"
        return Turn(speaker, results=(Result(result["toolUseId"], texts(result["content"]), failed),))
    return Turn(speaker, (block["text"],))


def ollama_turns(body: Body) -> Iterator[Turn]:
    for message in body["messages"]:
        said = texts(message.get("content"))
        if message["role"] == "tool":
            yield Turn("user", results=(Result(message.get("tool_call_id", ""), said),))
            continue
        made = [(call.get("id", ""), call["function"]) for call in message.get("tool_calls") or ()]
        calls = tuple([Call(id, function["name"], function["arguments"]) for id, function in made])
        yield Turn(message["role"], said, calls)


def messages_turns(body: Body) -> Iterator[Turn]:
    yield Turn("system", texts(body.get("system")))
    yield from map(messages_turn, body["messages"])


def chat_turns(body: Body) -> Iterator[Turn]:
    return map(chat_turn, body["messages"])


TURNS: dict[str, Callable[[Body], Iterator[Turn]]] = {
    CHAT: chat_turns,
    MESSAGES: messages_turns,
    RESPONSES: responses_turns,
    "gemini": gemini_turns,
    "bedrock.converse": bedrock_turns,
    "cohere": chat_turns,
    "ollama": ollama_turns,
}


def turns(back: str, body: Body) -> tuple[Turn, ...]:
    return merged(TURNS[back](body))


def tools(back: str, body: Body) -> tuple[Tool, ...]:
    if back == "gemini":
        return tuple([gemini_tool(tool) for group in body.get("tools", ()) for tool in group["functionDeclarations"]])
    if back == "bedrock.converse":
        specs = [tool["toolSpec"] for tool in body.get("toolConfig", {}).get("tools", ())]
        return tuple([Tool(spec["name"], spec.get("description", ""), spec["inputSchema"]["json"]) for spec in specs])
    return tuple(map(tool_of, body.get("tools") or ()))


def gemini_tool(tool: Body) -> Tool:
    return Tool(tool["name"], tool["description"], tool.get("parametersJsonSchema") or tool.get("parameters"))

"""Requests that plugins meet: the same conversations in each front's dialect. Hand-made from clients.md §3 and providers.md §2."""

from __future__ import annotations

from typing import Any

DIALECTS = ("openai.chat", "anthropic.messages", "openai.responses")
SECRET = "sk-planted-7f3a9c1e5b"
CODE = "Refactor this:\n```python\ndef f(xs):\n    return [x for x in xs if x]\n```\nand prove that it terminates."
JUNK = "\x00\x07\u202e\ufffd 🤷🏽‍♀️ \\u0000 ]]}}'\"<|im_end|>\n" * 20
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TEXTS: dict[str, str] = {
    "greeting": "hi",
    "code": CODE,
    "empty": "",
    "spaces": " \n\t ",
    "junk": JUNK,
    "200 KB": "The quick brown fox jumps over the lazy dog. " * 4600,
    "one long word": "x" * 50_000,
}


def requests(dialect: str) -> dict[str, dict[str, Any]]:
    """By name; every one is valid in its dialect."""
    found = {name: request(dialect, text) for name, text in TEXTS.items()}
    found["no messages"] = bare(dialect)
    found["tool results only"] = tool_results(dialect)
    found["tools"] = with_tools(dialect)
    return found


def bare(dialect: str) -> dict[str, Any]:
    if dialect == "openai.responses":
        return {"model": "auto", "input": []}
    if dialect == "anthropic.messages":
        return {"model": "auto", "max_tokens": 100, "messages": []}
    return {"model": "auto", "messages": []}


def request(dialect: str, text: str, **more: Any) -> dict[str, Any]:
    """One user message."""
    body = bare(dialect)
    body["input" if dialect == "openai.responses" else "messages"] = [{"role": "user", "content": text}]
    return body | more


def with_tools(dialect: str, **more: Any) -> dict[str, Any]:
    """A question and a tool to answer it."""
    described = {"name": "get_weather", "description": "The weather of a city."}
    tool: dict[str, Any] = {"type": "function", "function": {**described, "parameters": SCHEMA}}
    if dialect == "anthropic.messages":
        tool = {**described, "input_schema": SCHEMA}
    elif dialect == "openai.responses":
        tool = {"type": "function", **described, "parameters": SCHEMA, "strict": False}
    return request(dialect, "What is the weather in Zürich?", tools=[tool], **more)


def tool_results(dialect: str) -> dict[str, Any]:
    """A conversation whose only words are a tool's."""
    body = bare(dialect)
    result = '{"celsius": -3}'
    if dialect == "openai.responses":
        called = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}
        body["input"] = [called, {"type": "function_call_output", "call_id": "call_1", "output": result}]
    elif dialect == "anthropic.messages":
        use: dict[str, Any] = {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {}}
        back = {"type": "tool_result", "tool_use_id": "call_1", "content": result}
        body["messages"] = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [back]}]
    else:
        call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        asked = {"role": "assistant", "content": None, "tool_calls": [call]}
        body["messages"] = [asked, {"role": "tool", "tool_call_id": "call_1", "content": result}]
    return body


def for_operation(dialect: str) -> dict[str, Any]:
    """The smallest request of any dialect."""
    if dialect.endswith(".embeddings"):
        return {"model": "auto", "input": "hi"}
    return request("anthropic.messages" if dialect == "anthropic.count_tokens" else dialect, "hi")

"""Agents' conversations that grow, for plugins that change requests: the same ones in each front dialect.

A conversation is a sequence of steps; `bodies` gives what its client sends, once for each answer that it asks for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, cast

from msgspec import Struct

from lynkr_core.testing.contracts.outputs import DIFF, HITS, LISTING, NESTED, ORDERS, READ, TESTED

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
REMINDER = (
    "<system-reminder>\n" + "Plans are kept in PLAN.md; it is empty. Never mention this to the user.\n" * 4 + "</system-reminder>"
)
SYSTEM = "You are a coding agent. Use the tools, then say in one sentence what you did.\n" * 12
MARK = {"type": "ephemeral"}


class User(Struct, frozen=True):
    """`reminder`: what the client adds by itself. `image`: a picture comes along."""

    text: str
    reminder: str = ""
    image: bool = False


class Call(Struct, frozen=True):
    id: str
    name: str
    arguments: str


class Agent(Struct, frozen=True):
    """`thinking` is signed, where the dialect has that."""

    text: str = ""
    thinking: str = ""
    calls: tuple[Call, ...] = ()


class Result(Struct, frozen=True):
    """`image`: the tool gives a picture, too."""

    id: str
    text: str
    is_error: bool = False
    image: bool = False


class Results(Struct, frozen=True):
    """Of calls made side by side."""

    results: tuple[Result, ...]
    reminder: str = ""


Step = User | Agent | Results
Steps = Sequence[Step]


def bodies(dialect: str, steps: Steps, *, marked: bool = False) -> Iterator[dict[str, Any]]:
    """The body of each turn. `marked`: its client marks what to cache, and moves the last mark along; only Anthropic's has marks."""
    for count in range(1, len(steps) + 1):
        if count == len(steps) or isinstance(steps[count], Agent):
            yield BODIES[dialect](steps[:count], marked)


def ask(dialect: str, *results: str, words: str = "Go on.") -> dict[str, Any]:
    """The body of a conversation in which one call after the other has given these results."""
    steps: list[Step] = [User(words)]
    for place, text in enumerate(results):
        steps += [Agent(calls=(Call(f"call_{place}", "Bash", '{"command": "make"}'),)), Results((Result(f"call_{place}", text),))]
    *_, last = bodies(dialect, steps)
    return last


def _chat(steps: Steps, marked: bool) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}]
    for step in steps:
        match step:
            case User():
                messages.append({"role": "user", "content": _told(step, _chat_image)})
            case Agent():
                said: dict[str, Any] = {"role": "assistant", "content": step.text or None}
                if step.thinking:
                    said["reasoning_content"] = step.thinking
                if step.calls:
                    said["tool_calls"] = [
                        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                        for call in step.calls
                    ]
                messages.append(said)
            case Results():
                messages += [{"role": "tool", "tool_call_id": one.id, "content": one.text} for one in step.results]
                messages += [{"role": "user", "content": step.reminder}] if step.reminder else []
    tools = [{"type": "function", "function": {**about, "parameters": schema}} for about, schema in TOOLS]
    return {"model": "auto", "messages": messages, "tools": tools, "temperature": 0.3, "seed": 7}


def _messages(steps: Steps, marked: bool) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for step in steps:
        match step:
            case User():
                messages.append({"role": "user", "content": _told(step, _messages_image)})
            case Agent():
                blocks: list[dict[str, Any]] = []
                if step.thinking:
                    blocks.append({"type": "thinking", "thinking": step.thinking, "signature": "c2lnbmVkIGJ5IG5vYm9keQ=="})
                if step.text:
                    blocks.append({"type": "text", "text": step.text})
                blocks += [
                    {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
                    for call in step.calls
                ]
                messages.append({"role": "assistant", "content": blocks})
            case Results():
                back = [_messages_result(one) for one in step.results]
                back += [{"type": "text", "text": step.reminder}] if step.reminder else []
                messages.append({"role": "user", "content": back})
    system: list[dict[str, Any]] = [{"type": "text", "text": SYSTEM}]
    tools: list[dict[str, Any]] = [{**about, "input_schema": schema} for about, schema in TOOLS]
    if marked:
        tools[-1] |= {"cache_control": MARK}
        system[-1] |= {"cache_control": MARK}
        last: dict[str, Any] = messages[-1]
        content: Any = last["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        last["content"] = [*blocks[:-1], {**blocks[-1], "cache_control": MARK}]
    body = {"model": "auto", "max_tokens": 8192, "system": system, "tools": tools, "messages": messages}
    return {**body, "thinking": {"type": "enabled", "budget_tokens": 4000}, "metadata": {"user_id": "user_1"}}


def _messages_result(one: Result) -> dict[str, Any]:
    content: Any = one.text
    if one.image:
        content = [{"type": "text", "text": one.text}, _messages_image()]
    found = {"type": "tool_result", "tool_use_id": one.id, "content": content}
    return {**found, "is_error": True} if one.is_error else found


def _responses(steps: Steps, marked: bool) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for step in steps:
        match step:
            case User():
                content: Any = _told(step, _responses_image)
                if isinstance(content, list):
                    content = [_input_text(part) for part in cast("list[dict[str, Any]]", content)]
                items.append({"role": "user", "content": content})
            case Agent():
                if step.thinking:
                    summary = [{"type": "summary_text", "text": step.thinking}]
                    items.append(
                        {"type": "reasoning", "id": f"rs_{len(items)}", "summary": summary, "encrypted_content": "gAAAA"}
                    )
                if step.text:
                    said: list[dict[str, Any]] = [{"type": "output_text", "text": step.text, "annotations": []}]
                    items.append({"type": "message", "role": "assistant", "content": said})
                items += [
                    {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
                    for call in step.calls
                ]
            case Results():
                items += [{"type": "function_call_output", "call_id": one.id, "output": one.text} for one in step.results]
                items += [{"role": "user", "content": step.reminder}] if step.reminder else []
    tools = [{"type": "function", **about, "parameters": schema, "strict": False} for about, schema in TOOLS]
    return {
        "model": "auto",
        "instructions": SYSTEM,
        "input": items,
        "tools": tools,
        "reasoning": {"effort": "high"},
        "store": False,
    }


def _input_text(part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "type": "input_text"} if part["type"] == "text" else part


def _told(step: User, image: Any) -> Any:
    if not (step.image or step.reminder):
        return step.text
    parts: list[dict[str, Any]] = [{"type": "text", "text": step.reminder}] if step.reminder else []
    parts.append({"type": "text", "text": step.text})
    return [*parts, image()] if step.image else parts


def _chat_image() -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}}


def _messages_image() -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}


def _responses_image() -> dict[str, Any]:
    return {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}


BODIES = {"openai.chat": _chat, "anthropic.messages": _messages, "openai.responses": _responses}


def _tool(name: str, description: str, **parameters: str) -> tuple[dict[str, Any], dict[str, Any]]:
    properties = {key: {"type": kind, "description": f"The {key}."} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters), "additionalProperties": False}
    return {"name": name, "description": description}, schema


TOOLS = [
    _tool("Read", "Reads a file and gives its lines, each with its number.", file_path="string"),
    _tool(
        "Edit",
        "Replaces text in a file; the old text must stand there exactly once.",
        file_path="string",
        old="string",
        new="string",
    ),
    _tool("Grep", "Searches file contents by a regular expression.", pattern="string"),
    _tool("Bash", "Runs a command in a shell and gives what it writes.", command="string"),
    _tool("list_orders", "Lists the orders of a customer, newest first.", customer_id="string", limit="integer"),
]

OPEN = Call("a3", "Read", '{"file_path": "/home/dev/project/src/steps.py"}')
RUN = Call("a1", "Bash", '{"command": "pytest -q"}')
CODING: Steps = (
    User("The total is off by one. Find out why, and mend it.", reminder=REMINDER),
    Agent("I look.", "Tests first, then the source.", (RUN, Call("a2", "Grep", '{"pattern": "step_"}'))),
    Results((Result("a1", TESTED, is_error=True), Result("a2", HITS)), REMINDER),
    Agent("", "The source.", (OPEN,)),
    Results((Result("a3", READ),), REMINDER),
    Agent(calls=(Call("a4", "Edit", json.dumps({"file_path": "src/steps.py", "old": "total = 1207", "new": "total = 1208"})),)),
    Results((Result("a4", "The file src/steps.py has been updated.\n" + READ[:2000]),)),
    Agent(calls=(Call("a5", "Read", '{"file_path": "/home/dev/project/src/steps.py"}'), Call("a6", "Bash", '{"command": "git diff"}'))),
    Results((Result("a5", READ), Result("a6", DIFF)), REMINDER),
    Agent("Mended.", "Done."),
    User("Thanks. Which files are there, and do the tests pass?"),
    Agent(calls=(Call("a7", "Bash", '{"command": "ls"}'), Call("a8", "Bash", '{"command": "pytest -q"}'))),
    Results((Result("a7", LISTING), Result("a8", TESTED.replace("FAILED", "PASSED")))),
)  # fmt: skip
ORDERING: Steps = (
    User("What did cus_7 order?"),
    Agent(calls=(Call("b1", "list_orders", '{"customer_id": "cus_7", "limit": 30}'),)),
    Results((Result("b1", ORDERS),)),
    Agent("Thirty orders.", calls=(Call("b2", "list_orders", '{"limit":1e2,"customer_id":"cus_7"}'),)),
    Results((Result("b2", NESTED), )),
    Agent("They fly, too."),
    User("And what is on this picture?", image=True),
    Agent("One pixel.", calls=(Call("b3", "Bash", '{"command": "screenshot"}'),)),
    Results((Result("b3", "1 of 1", image=True),)),
)  # fmt: skip
TALKING: Steps = (
    User("Explain tides  in two sentences.\n\nNo metaphors, please.   "),
    Agent("The moon pulls. The water follows."),
    User("And spring tides? {\"a\":   1}"),
    Agent("Sun and moon pull together."),
    User("hi"),
)  # fmt: skip
CONVERSATIONS: dict[str, Steps] = {"coding": CODING, "ordering": ORDERING, "talking": TALKING}

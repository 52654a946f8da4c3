"""Bodies as clients send them, by the API they speak. Hand-made and shortened after what each client was seen to send in November 2026."""

from __future__ import annotations

import json
from typing import Any

from lynkr_core.testing.contracts import samples

CHAT, MESSAGES, RESPONSES = FRONTS = ("openai.chat", "anthropic.messages", "openai.responses")
PNG = "iVBORw0KGgo="
DRAFT = "http://json-schema.org/draft-07/schema#"
PATH: dict[str, Any] = {"type": "string", "description": "Where"}
SCHEMA: dict[str, Any] = {
    "$schema": DRAFT, "type": "object", "properties": {"path": PATH, "limit": {"type": "integer", "exclusiveMinimum": 0}},
    "required": ["path"], "additionalProperties": False,
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "type": "object",
    "properties": {"x": {"type": "integer"}},
    "required": ["x"],
    "additionalProperties": False,
}
MARK = {"type": "ephemeral"}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


# Chat Completions
def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "Reads", "parameters": SCHEMA, **more}}


def called(*ids: str) -> list[Any]:
    return [{"id": id, "type": "function", "function": {"name": "read", "arguments": '{"path":"a"}'}} for id in ids]


def result(id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


SYSTEM = {"role": "system", "content": "You are a coding agent."}
CHATS: dict[str, dict[str, Any]] = {
    "llm": {"stream": True, "messages": [user("hi")]},
    "aider": {"stream": True, "temperature": 0,
              "messages": [SYSTEM, user("change it"), {"role": "assistant", "content": "Ok."}, user("now")]},
    "opencode, a title": {
        "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 32000, "temperature": 0.5,
        "messages": [{"role": "system", "content": "You are a title generator."}, user("Generate a title"), user("fix it")],
    },
    "opencode, a task": {
        "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 32000, "tool_choice": "auto",
        "tools": [function("read"), function("bash")],
        "messages": [SYSTEM, user("fix it"), {"role": "assistant", "content": "", "tool_calls": called("call_1")}, result("call_1", "one")],
    },
    "Cline": {
        "stream": True, "tools": [function(f"tool_{number}") for number in range(25)],
        "messages": [SYSTEM, user([text("fix it")]), {"role": "assistant", "content": "I look.", "tool_calls": called("call_1")},
                     result("call_1", json.dumps({"result": "one", "success": True}))],
    },
    "Qwen Code": {
        "stream": True, "stream_options": {"include_usage": True}, "temperature": 0, "tools": [function("read")],
        "messages": [SYSTEM, user([text("context")]), user([text("fix it")]),
                     {"role": "assistant", "content": None, "tool_calls": called("call_1", "call_2")},
                     result("call_1", [text("one")]), result("call_2", [text("two")])],
    },
    "pi": {
        "stream": True, "store": False, "max_completion_tokens": 8192, "reasoning_effort": "medium",
        "tools": [function("read", strict=False)],
        "messages": [{"role": "developer", "content": "Be brief."},
                     user([text("what is this?"), {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}])],
    },
    "langchain": {
        "stream": False, "temperature": 0.7, "messages": [SYSTEM, user("x?")],
        "response_format": {"type": "json_schema", "json_schema": {"name": "Answer", "schema": {"$schema": DRAFT, **ANSWER}, "strict": True}},
    },
    "n8n": {"messages": [user("hi")], "user": "u-1", "seed": 7, "n": 1, "logit_bias": {}, "frequency_penalty": 0, "presence_penalty": 0,
            "top_p": 1, "response_format": {"type": "text"}, "stop": None},
    "instructor": {"messages": [user("x?")], "tools": [function("Answer")],
                   "tool_choice": {"type": "function", "function": {"name": "Answer"}}, "parallel_tool_calls": False},
}  # fmt: skip


# Messages
def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "Reads", "input_schema": SCHEMA, **more}


def use(id: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "Read", "input": given or {"path": "a"}}


def back(id: str, content: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, **({"content": content} if content is not None else {}), **more}


CLAUDE_SYSTEM = [
    text("x-anthropic-billing-header: cc_version=2.1.329"), text("You are Claude Code.", cache_control=MARK),
    text("Long instructions", cache_control=MARK),
]  # fmt: skip
CLAUDE_CODE: dict[str, Any] = {
    "stream": True, "max_tokens": 32000, "system": CLAUDE_SYSTEM,
    "tools": [tool("Read"), tool("Bash"), tool("DeferredToolPlaceholder", defer_loading=True)],
    "metadata": {"user_id": json.dumps({"device_id": "d", "session_id": "s"})},
}  # fmt: skip
LOOP = [
    user([text("<system-reminder>be careful</system-reminder>"), text("fix it", cache_control=MARK)]),
    {"role": "assistant", "content": [text("I read."), use("toolu_1"), use("toolu_2")]},
    user([back("toolu_1", "one"), back("toolu_2", [text("two")], is_error=True, cache_control=MARK)]),
]
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
CLAUDES: dict[str, dict[str, Any]] = {
    "Claude Code, a model it knows": {
        **CLAUDE_CODE, "messages": LOOP, "thinking": {"type": "enabled", "budget_tokens": 31999},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    },
    "Claude Code, another model": {
        **CLAUDE_CODE, "messages": [user("fix it"), {"role": "system", "content": "Today is Saturday."}],
        "thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "high"},
    },
    "Claude Code, an image in a result": {
        **CLAUDE_CODE, "messages": [user("look"), {"role": "assistant", "content": [use("toolu_1")]}, user([back("toolu_1", [IMAGE])])],
    },
    "Qwen Code": {"stream": True, "max_tokens": 16000, "temperature": 1, "thinking": {"type": "enabled", "budget_tokens": 8000},
                  "system": "You are Qwen Code.", "tools": [tool("Read")], "messages": LOOP},
    "Continue": {"stream": True, "max_tokens": 4096, "system": [text("Be brief.", cache_control=MARK)],
                 "messages": [user([text("hi", cache_control=MARK)])]},
    "instructor": {"max_tokens": 1024, "messages": [user("x?")], "tools": [tool("Answer")],
                   "tool_choice": {"type": "tool", "name": "Answer", "disable_parallel_tool_use": True}},
    "the SDK's structured output": {"max_tokens": 1024, "messages": [user("x?")],
                                    "output_config": {"format": {"type": "json_schema", "schema": ANSWER}}},
    "everything": {
        "max_tokens": 4096, "messages": LOOP, "tools": [tool("Read", strict=True)], "tool_choice": {"type": "any"}, "temperature": 0.5,
        "top_p": 0.9, "top_k": 40, "stop_sequences": ["END"], "service_tier": "auto",
    },
}  # fmt: skip


# Responses
def item(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


def message(role: str, *said: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return item("message", role=role, content=[{"type": kind, "text": one} for one in said])


def flat(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": "Runs", "parameters": SCHEMA, "strict": False, **more}


PICTURE = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edits files",
         "format": {"type": "grammar", "syntax": "lark", "definition": "start: /./"}}  # fmt: skip
CODEX: dict[str, Any] = {
    "stream": True, "store": False, "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "medium", "summary": "auto"},
    "tool_choice": "auto", "parallel_tool_calls": True, "prompt_cache_key": "c-1", "client_metadata": {"x": "y"},
    "tools": [flat("exec_command"), PATCH, {"type": "namespace", "name": "crm", "description": "d", "tools": [flat("find")]},
              {"type": "web_search"}],
}  # fmt: skip
BEGUN = [message("developer", "You are Codex."), message("user", "<environment_context/>"), message("user", "fix it")]
CODEXES: dict[str, dict[str, Any]] = {
    "Codex, its first turn": {**CODEX, "input": BEGUN},
    "Codex, its next turn": {
        **CODEX,
        "input": [
            *BEGUN, item("reasoning", summary=[{"type": "summary_text", "text": "Hm."}], content=None, encrypted_content="gAAAAAB"),
            message("assistant", "I look."), item("function_call", name="exec_command", arguments='{"path":"a"}', call_id="call_1"),
            item("custom_tool_call", name="apply_patch", input="*** Begin", call_id="call_2"),
            item("function_call_output", call_id="call_1", output=[{"type": "input_text", "text": "one"}]),
            item("custom_tool_call_output", call_id="call_2", output="Done"),
        ],
    },
    "pi": {"stream": True, "store": False, "max_output_tokens": 8192, "tools": [flat("read")], "input": [
        {"role": "system", "content": "Be brief."}, user([{"type": "input_text", "text": "hi"}]),
        {**message("assistant", "Hello."), "id": "msg_1", "status": "completed"}, user("more")]},
    "openai-agents": {"include": [], "instructions": "Be brief.", "input": "hi", "tools": [flat("read", strict=True)], "store": True},
    "Qwen Code": {"stream": True, "instructions": "You are Qwen Code.", "temperature": 0, "tools": [flat("read")], "input": [
        user([{"type": "input_text", "text": "look"}, PICTURE])]},
    "the SDK's structured output": {
        "input": "x?", "text": {"format": {"type": "json_schema", "name": "a", "schema": ANSWER, "strict": True}}},
    "everything": {"input": "hi", "instructions": "Be brief.", "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 99, "user": "u-1",
                   "metadata": {"k": "v"}, "service_tier": "auto", "truncation": "auto", "tools": [flat("read")],
                   "tool_choice": {"type": "function", "name": "read"}, "text": {"verbosity": "low"}, "top_logprobs": 2},
}  # fmt: skip
BODIES: dict[str, dict[str, dict[str, Any]]] = {CHAT: CHATS, MESSAGES: CLAUDES, RESPONSES: CODEXES}


def bodies(front: str) -> dict[str, dict[str, Any]]:
    """What clients of this API send, and the samples that every plugin is tested with, by name."""
    usual = {
        f"sample: {name}": body
        for name, body in samples.requests(front).items()
        if name not in ("no messages", "empty", "spaces")
    }
    return {**BODIES[front], **usual}

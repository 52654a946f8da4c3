"""Requests of the other three APIs as they reach Gemini. google-genai's own types, which forbid unknown keys, lint each of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types

from lynkr_core.exchange import Candidate
from lynkr_core.testing import factories
from lynkr_provider_google import Config, plugin
from lynkr_provider_google.dialect.schema import fits, parameters
from lynkr_provider_google.dialect.tools import safe_name
from lynkr_provider_google.fit import OLDER, fit

GEMINI = factories.find_dialect("gemini")
SCHEMA = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"path": {"type": "string"}}}
PNG = "data:image/png;base64,aGk="
# hand-made after what opencode, Claude Code 2.1 and Codex CLI 0.169 send
RICH: dict[str, Any] = {
    "openai.chat": {
        "model": "auto", "stream": True, "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "S"}, {"role": "developer", "content": "D"},
            {"role": "user", "content": [{"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}]},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}]},
            {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [
                {"id": "functions.read:0", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}},
                {"id": "b", "type": "function", "function": {"name": "list", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}]},
            {"role": "tool", "tool_call_id": "functions.read:0", "content": "one"},
            {"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}]}],
        "tools": [{"type": "function", "function": {"name": "read", "description": "d", "parameters": SCHEMA, "strict": True}}],
        "tool_choice": "required", "response_format": {"type": "json_object"}},
    "anthropic.messages": {
        "model": "auto", "max_tokens": 32000, "stream": True,
        "system": [{"type": "text", "text": "x-anthropic-billing-header: cc"},
            {"type": "text", "text": "C", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "fix it"}, {"role": "system", "content": "be quick"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "sig=="},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "reading"}, {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a"}},
                {"type": "tool_use", "id": "toolu_2", "name": "Bash", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True, "content": "boom"},
                {"type": "tool_result", "tool_use_id": "toolu_1"}, {"type": "text", "text": "and now?"},
                {"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}}]}],
        "tools": [{"name": "Read", "input_schema": SCHEMA}, {"type": "web_search_20250305", "name": "web_search"}],
        "thinking": {"type": "enabled", "budget_tokens": 31999}, "metadata": {"user_id": "u"}},
    "openai.responses": {
        "model": "auto", "instructions": "Be brief.", "stream": True, "store": False, "include": ["reasoning.encrypted_content"],
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are C."}]},
            {"role": "user", "content": [{"type": "input_text", "text": "list"}, {"type": "input_image", "image_url": "https://x.example/a.png"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "First."}], "encrypted_content": "gAAAAAB="},
            {"type": "function_call", "name": "exec", "arguments": '{"cmd": "ls"}', "call_id": "call_1"},
            {"type": "custom_tool_call", "call_id": "call_3", "name": "apply_patch", "input": "*** Begin"},
            {"type": "function_call_output", "call_id": "call_1", "output": "a listing"},
            {"type": "custom_tool_call_output", "call_id": "call_3", "output": "Done!"}],
        "tools": [{"type": "function", "name": "exec", "strict": False, "parameters": SCHEMA}, {"type": "web_search"},
            {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /./"}}],
        "parallel_tool_calls": True, "reasoning": {"effort": "medium", "summary": "auto"}, "prompt_cache_key": "k",
        "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": True}}},
}  # fmt: skip
TOLD = {
    "openai.chat": ["image.detail", "reasoning", "tools.strict"],
    "anthropic.messages": ["cache_control", "messages", "reasoning", "tools", "user"],
    "openai.responses": ["cache_key", "reasoning", "tools"],
}
"""What each of them loses."""
CHAT: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


def translated(body: dict[str, Any] | bytes, front: str = "openai.chat", model: str = "gemini-3-pro") -> tuple[Any, list[str]]:
    """The body for a model, as plain JSON, and the losses."""
    dialect = factories.find_dialect(front)
    losses: list[str] = []
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    fields = GEMINI.encode_request(dialect.decode_request(dialect.peek(raw)), losses)
    fit(fields, model, OLDER, losses)
    sent = msgspec.json.decode(msgspec.json.encode(fields))
    lint(sent)
    return sent, losses


def lint(sent: dict[str, Any]) -> None:
    """Raises `ValidationError` for a key or type that the API does not have."""
    assert sent.keys() <= {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
    for content in [*sent["contents"], *([sent["systemInstruction"]] if "systemInstruction" in sent else [])]:
        types.Content.model_validate_json(msgspec.json.encode(content))
    for tool in sent.get("tools", ()):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(sent.get("toolConfig", {}))
    types.GenerationConfig.model_validate(sent.get("generationConfig", {}))


@pytest.mark.parametrize("model", ["gemini-3-pro", "gemini-2.5-pro"])
@pytest.mark.parametrize("front", list(RICH))
def test_a_rich_request_of_each_api_is_one_that_google_knows(front: str, model: str) -> None:
    sent, losses = translated(RICH[front], front, model)
    turns = [content["role"] for content in sent["contents"]]
    assert turns == ["user", "model"] * (len(turns) // 2) + ["user"] * (len(turns) % 2)
    for before, after in zip(sent["contents"], sent["contents"][1:], strict=False):
        calls = [part["functionCall"]["name"] for part in before["parts"] if "functionCall" in part]
        results = [part["functionResponse"]["name"] for part in after["parts"] if "functionResponse" in part]
        assert calls == results
    assert sorted({loss.partition(":")[0] for loss in losses}) == TOLD[front]


def test_every_setting_has_its_place() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}
    settings = {
        "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 50, "stop": ["END"], "seed": 7, "n": 2, "presence_penalty": 0.1,
        "frequency_penalty": 0.2, "logprobs": True, "top_logprobs": 3, "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }  # fmt: skip
    sent, losses = translated({**CHAT, **settings})
    assert sent["generationConfig"] == {
        "temperature": 0.5, "topP": 0.9, "maxOutputTokens": 50, "stopSequences": ["END"], "seed": 7, "candidateCount": 2,
        "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": True, "logprobs": 3,
        "thinkingConfig": {"thinkingLevel": "low", "includeThoughts": True}, "responseMimeType": "application/json",
        "responseJsonSchema": schema,
    }  # fmt: skip
    assert losses == []


def test_what_cannot_be_carried_is_told() -> None:
    more = {
        "logit_bias": {"1": 1},
        "user": "u",
        "stop": list("abcdef"),
        "parallel_tool_calls": False,
        "x_new": 1,
        "reasoning_effort": "max",
    }
    _, losses = translated({**CHAT, **more})
    assert sorted(loss.partition(":")[0] for loss in losses) == [
        "logit_bias", "parallel_tool_calls", "reasoning.effort", "stop", "user", "x_new",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "asked", "expected"),
    [
        ("gemini-3-pro", {"reasoning_effort": "high"}, {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-2.5-pro", {"reasoning_effort": "high"}, {"thinkingBudget": 24576, "includeThoughts": True}),
        ("gemini-3-pro", {"reasoning_effort": "none"}, {"thinkingLevel": "minimal"}),
        ("gemini-2.5-flash", {"reasoning_effort": "none"}, {"thinkingBudget": 0}),
    ],
)
def test_thinking_is_asked_for_as_the_model_knows_it(model: str, asked: dict[str, Any], expected: dict[str, Any]) -> None:
    sent, _ = translated({**CHAT, **asked}, model=model)
    assert sent["generationConfig"]["thinkingConfig"] == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "f"}}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_a_choice_of_tools(choice: Any, expected: dict[str, Any]) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    sent, _ = translated({**CHAT, "tools": tools, "tool_choice": choice})
    assert sent["toolConfig"] == {"functionCallingConfig": expected}
    assert "toolConfig" not in translated({**CHAT, "tool_choice": choice})[0]


@pytest.mark.parametrize(
    ("schema", "key"),
    [
        ({"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}}, "required": ["a"]}, "parameters"),
        ({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}}, "parameters"),
        ({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "number"}]}}}, "parameters"),
        ({"type": "object", "properties": {"a": {"type": ["string", "null"]}}}, "parametersJsonSchema"),
        ({"type": "object", "properties": {"a": {"const": 1}}}, "parametersJsonSchema"),
        ({"type": "object", "properties": {"a": {"type": "string", "format": "uri"}}}, "parametersJsonSchema"),
        ({"type": "object", "properties": {"a": {"type": "integer", "enum": [1]}}}, "parametersJsonSchema"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}, "parametersJsonSchema"),
        ({"$schema": "x", "type": "object", "properties": {"a": {"type": "string"}}}, "parametersJsonSchema"),
        ({"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}, "parametersJsonSchema"),
    ],
)
def test_a_schema_beyond_the_subset_goes_as_json_schema(schema: dict[str, Any], key: str) -> None:
    raw = msgspec.Raw(msgspec.json.encode(schema))
    assert parameters(raw) == {key: raw}


def test_a_function_without_parameters_has_none() -> None:
    for schema in ({"type": "object"}, {"type": "object", "properties": {}, "additionalProperties": False}, [], 7):
        assert parameters(msgspec.Raw(msgspec.json.encode(schema))) == {}
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(100):
        deep = {"type": "array", "items": deep}
    assert not fits(deep)


def test_names_are_made_ones_that_google_takes() -> None:
    assert safe_name("mcp__x.y:z-1") == "mcp__x.y:z-1"
    for odd in ("1st", "a b", "ü", "x" * 65, ""):
        assert safe_name(odd) == safe_name(odd) != odd
        assert len(safe_name(odd)) <= 64
    assert safe_name("a b") != safe_name("a_b")


def test_a_conversation_is_put_in_order() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "not json"}}
    messages = [
        {"role": "system", "content": "S"}, {"role": "assistant", "content": "A", "tool_calls": [call, {**call, "id": "c2"}]},
        {"role": "tool", "tool_call_id": "c2", "content": "two"}, {"role": "user", "content": ""}, {"role": "user", "content": "U"},
        {"role": "system", "content": "later"},
    ]  # fmt: skip
    sent, losses = translated({"model": "m", "messages": messages})
    assert sent["systemInstruction"] == {"parts": [{"text": "S"}]}
    opening, asked, answered = sent["contents"]
    assert opening["parts"] == [{"text": "(conversation continues)"}]
    assert [part.get("functionCall", {}).get("args") for part in asked["parts"]] == [
        None,
        {"input": "not json"},
        {"input": "not json"},
    ]
    assert [part["functionResponse"]["response"] for part in answered["parts"][:2]] == [
        {"error": "(no result)"},
        {"output": "two"},
    ]
    assert answered["parts"][2:] == [{"text": "U"}, {"text": "later"}]
    assert len(losses) == 3


def test_images_of_a_tool_result_stand_beside_it() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    use = {"type": "tool_use", "id": "t1", "name": "shot", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "here"}, image]}
    messages = [
        {"role": "user", "content": "go"}, {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result, {"type": "text", "text": "and?"}]},
    ]  # fmt: skip
    sent, losses = translated({"model": "m", "max_tokens": 9, "messages": messages}, "anthropic.messages")
    kinds = [next(iter(part)) for part in sent["contents"][2]["parts"]]
    assert kinds == ["functionResponse", "inlineData", "text"]
    assert losses == []


def test_the_provider_names_the_model_where_the_body_must() -> None:
    provider = factories.build(plugin, {"api_key": "k"}, factories.context("google", "provider"))
    candidate = Candidate(provider=provider, model="gemini-embedding-1")
    fields: dict[str, Any] = {"requests": [{"content": {}}, {"content": {}}]}
    assert provider.adapt(fields, candidate, factories.find_dialect("gemini.embeddings"), [])
    assert [one["model"] for one in fields["requests"]] == ["models/gemini-embedding-1"] * 2
    assert Config().base_url.endswith("/v1beta")

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from msgspec import Raw

from lynkr_core.testing.recording import recorded, sent
from lynkr_provider_llamacpp import PATHS, Config, plugin

FUNCTION = {"type": "function", "function": {"name": "f"}}


def adapted(dialect, tools):
    fields, losses = {"tools": Raw(msgspec.json.encode(tools))}, []
    changed = recorded(plugin, Config()).adapt(fields, None, SimpleNamespace(name=dialect), losses)
    return changed, msgspec.json.decode(msgspec.json.encode(fields["tools"])), losses


def test_each_dialect_has_its_path_and_needs_no_key():
    for dialect, path in PATHS.items():
        endpoint, headers, _ = sent(plugin, Config(), dialect)
        assert endpoint.url == "http://127.0.0.1:8080/v1" + path
        assert b"authorization" not in headers
        assert (b"anthropic-version" in headers) == dialect.startswith("anthropic.")


@pytest.mark.parametrize(
    ("dialect", "function", "other", "name"),
    [
        ("openai.chat", FUNCTION, {"type": "custom", "custom": {"name": "p"}}, "custom"),
        ("openai.responses", {"type": "function", "name": "f"}, {"type": "web_search"}, "web_search"),
        ("anthropic.messages", {"name": "f", "input_schema": {}}, {"type": "web_search_20250305", "name": "search"}, "search"),
    ],
)
def test_tools_that_are_no_functions_are_taken_out_and_told(dialect, function, other, name):
    assert adapted(dialect, [function, other]) == (True, [function], [f"tools: llama.cpp has no tool {name}"])
    assert adapted(dialect, [function]) == (False, [function], [])


@pytest.mark.parametrize("tools", [None, 7, "x", {}, [7], [{"type": 7}]])
def test_tools_that_are_none_are_left_to_the_server(tools):
    assert adapted("openai.chat", tools) == (False, tools, [])


def test_the_dialects_and_their_order_are_configured():
    assert recorded(plugin, Config(dialects=("anthropic.messages", "openai.chat"))).dialects == (
        "anthropic.messages",
        "openai.chat",
    )
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"dialects": ["ollama"]}, Config)


def test_without_tools_there_is_no_choice_of_one():
    fields = {"tools": [{"type": "web_search"}], "tool_choice": "required", "model": "m"}
    assert recorded(plugin, Config()).adapt(fields, None, SimpleNamespace(name="openai.chat"), [])
    assert fields == {"model": "m"}

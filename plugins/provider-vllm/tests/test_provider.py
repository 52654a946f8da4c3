from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from msgspec import Raw

from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_vllm import PATHS, Config, plugin

FUNCTION = {"type": "function", "function": {"name": "f", "strict": True}}


def adapted(tools, dialect="openai.chat"):
    fields, losses = {"tools": Raw(msgspec.json.encode(tools))}, []
    changed = recorded(plugin, Config()).adapt(fields, None, SimpleNamespace(name=dialect), losses)
    return changed, msgspec.json.decode(msgspec.json.encode(fields["tools"])), losses


def test_each_dialect_has_its_path_and_needs_no_key():
    for dialect, path in PATHS.items():
        endpoint, headers, _ = sent(plugin, Config(), dialect)
        assert endpoint.url == "http://127.0.0.1:8000/v1" + path
        assert b"authorization" not in headers


def test_chat_gets_functions_only():
    tools = [FUNCTION, {"type": "custom", "custom": {"name": "p"}}]
    assert adapted(tools) == (True, [FUNCTION], ["tools: vLLM's chat has no tools of kind custom"])
    assert adapted([FUNCTION]) == (False, [FUNCTION], [])
    assert adapted([{"type": "web_search"}], "openai.responses") == (False, [{"type": "web_search"}], [])


@pytest.mark.parametrize("tools", [None, 7, "x", {}, [7], [{"type": 7}]])
def test_tools_that_are_none_are_left_to_the_server(tools):
    assert adapted(tools) == (False, tools, [])


def test_an_older_release_speaks_less():
    assert recorded(plugin, Config(dialects=("openai.chat",))).dialects == ("openai.chat",)


@pytest.mark.anyio
async def test_models_are_listed():
    transport = RecordingTransport(b'{"object":"list","data":[{"id":"Qwen/Qwen3-32B"}]}')  # hand-made from vLLM's documentation
    assert await recorded(plugin, Config(), transport).list_models() == ["Qwen/Qwen3-32B"]
    assert transport.sent[0].endpoint.url == "http://127.0.0.1:8000/v1/models"


def test_without_tools_there_is_no_choice_of_one():
    fields = {"tools": [{"type": "web_search"}], "tool_choice": "required", "model": "m"}
    assert recorded(plugin, Config()).adapt(fields, None, SimpleNamespace(name="openai.chat"), [])
    assert fields == {"model": "m"}

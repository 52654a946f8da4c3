"""Tools of MCP servers that the operator named, as callers and models meet them: a real server, the real gateway, the vendors' SDKs."""

import importlib.util
import json
from pathlib import Path

import anthropic
import httpx2
import openai
import pytest

from lynkr_core.request import Text, ToolCall
from lynkr_core.testing.saying import saying

spec = importlib.util.spec_from_file_location("lynkr_boxes", Path(__file__).parent.parent / "plugins/compressor-mcp/tests/boxes.py")
boxes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(boxes)

pytestmark = pytest.mark.anyio
CONFIG = """
[server]
list_models = false
[routing]
retries = 0
[provider.chat]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["openai.chat"]
[provider.responses]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["openai.responses"]
[provider.messages]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["anthropic.messages"]
[store.sqlite]
path = "{folder}/lynkr.db"
[sink.journal]
"""
INDEX = "[compressor.tool-index]\nmin_tokens = 100\n"
DIALECTS = {"chat": "openai.chat", "responses": "openai.responses", "messages": "anthropic.messages"}
upstreams = pytest.mark.parametrize("upstream", DIALECTS)
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
ARGUMENTS = {"city": "Zürich"}
NAME = "mcp__box__weather_7"


@pytest.fixture(scope="module", params=[False, True], ids=["new", "old"])
def box(request):
    with boxes.Box(old=request.param) as box:
        yield box


@pytest.fixture(scope="module")
def indexed(serve_all, session_provider, box, tmp_path_factory):
    """The servers' tools stand behind the index."""
    config = CONFIG.format(url=session_provider.url, folder=tmp_path_factory.mktemp("mcp")) + INDEX
    return serve_all(config + boxes.table(box))


@pytest.fixture
def provider(session_provider, box):
    box.calls.clear()
    return session_provider.reset()


@pytest.fixture
async def claude(indexed):
    async with anthropic.AsyncAnthropic(base_url=indexed.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def gpt(indexed):
    async with openai.AsyncOpenAI(base_url=indexed.url + "/v1", api_key="none", max_retries=0) as client:
        yield client


def calling(name, arguments, id="call_1"):
    return ToolCall(id=id, name=name, arguments=json.dumps(arguments, ensure_ascii=False))


def found_and_called(dialect):
    """Three rounds: the index is asked, the tool called, and the answer given."""
    return [
        saying(dialect, Text(text="I look. "), calling("lynkr_find_tools", {"query": NAME}), usage=(100, 10)),
        saying(dialect, Text(text="I call. "), calling("lynkr_call_tool", {"name": NAME, "arguments": ARGUMENTS}, "call_2"), usage=(200, 20)),
        saying(dialect, Text(text="It rains."), usage=(300, 30)),
    ]  # fmt: skip


def check(provider, box):
    assert box.calls == [("weather_7", ARGUMENTS)]
    first, second, third = [received.body.decode() for received in provider.requests]
    assert "weather_7" in first
    assert "A city's name." not in first
    assert "A city's name." in second.rpartition("call_1")[2]
    assert "Rain in Zürich" in json.dumps(json.loads(third), ensure_ascii=False)


async def messages(claude, upstream, stream, history=(), **more):
    asked = {"model": f"{upstream}/m", "max_tokens": 100, "messages": [{"role": "user", "content": "Rain?"}, *history], **more}
    if not stream:
        return await claude.messages.create(**asked)
    async with claude.messages.stream(**asked) as streaming:
        return await streaming.get_final_message()


async def chat(gpt, upstream, stream, **more):
    asked = {"model": f"{upstream}/m", "messages": [{"role": "user", "content": "Rain?"}], **more}
    if not stream:
        return await gpt.chat.completions.create(**asked)
    async with gpt.chat.completions.stream(**asked, stream_options={"include_usage": True}) as streaming:
        return await streaming.get_final_completion()


@upstreams
@streamed
async def test_the_messages_sdk(claude, provider, box, upstream, stream):
    provider.then(*found_and_called(DIALECTS[upstream]))
    answer = await messages(claude, upstream, stream)
    assert "".join(block.text for block in answer.content) == "I look. I call. It rains."
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (600, 60)
    check(provider, box)


@upstreams
@streamed
async def test_the_chat_sdk(gpt, provider, box, upstream, stream):
    provider.then(*found_and_called(DIALECTS[upstream]))
    answer = await chat(gpt, upstream, stream)
    [choice] = answer.choices
    assert choice.message.content == "I look. I call. It rains."
    assert choice.finish_reason == "stop"
    assert not choice.message.tool_calls
    assert answer.usage.prompt_tokens == 600
    check(provider, box)


@upstreams
@streamed
async def test_the_responses_sdk(gpt, provider, box, upstream, stream):
    provider.then(*found_and_called(DIALECTS[upstream]))
    asked = {"model": f"{upstream}/m", "input": "Rain?", "store": False}
    if stream:
        async with gpt.responses.stream(**asked) as streaming:
            answer = await streaming.get_final_response()
    else:
        answer = await gpt.responses.create(**asked)
    assert answer.output_text.replace("\n", "") == "I look. I call. It rains."
    assert [item.type for item in answer.output if item.type == "function_call"] == []
    assert answer.usage.input_tokens == 600
    check(provider, box)

"""Tools of MCP servers that the operator named, as callers and models meet them: a real server, the real gateway, the vendors' SDKs."""

import asyncio
import importlib.util
import json
from pathlib import Path

import anthropic
import httpx2
import openai
import pytest

from lynkr_core.request import Text, ToolCall
from lynkr_core.testing.saying import saying
from lynkr_core.testing.waiting import until
from tests.conftest import CROSSED, DIALECTS, streamed, upstreams

spec = importlib.util.spec_from_file_location(
    "lynkr_boxes", Path(__file__).parent.parent / "plugins/compressor-mcp/tests/boxes.py"
)
boxes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(boxes)

pytestmark = pytest.mark.anyio
CONFIG = (
    CROSSED
    + """
[store.sqlite]
path = "{folder}/lynkr.db"
[sink.journal]
"""
)
INDEX = "[compressor.tool-index]\nmin_tokens = 100\n"
ARGUMENTS = {"city": "Zürich"}
NAME = "mcp__box__weather_7"
ADMIN = "the-admin-key-of-the-test"


@pytest.fixture(scope="module")
def served():
    """A server of today, and one that knows the handshake and sessions only."""
    with boxes.Box() as box, boxes.Box(old=True) as older:
        yield box, older


@pytest.fixture(scope="module")
def indexed(serve_all, session_provider, served, tmp_path_factory):
    """The servers' tools stand behind the index."""
    config = CONFIG.format(url=session_provider.url, folder=tmp_path_factory.mktemp("mcp")) + INDEX
    return serve_all(config + boxes.table(served[0]) + boxes.table(served[1], "older"))


@pytest.fixture
def box(served):
    for one in served:
        one.calls.clear()
    return served[0]


@pytest.fixture
async def claude(indexed, box):
    async with anthropic.AsyncAnthropic(base_url=indexed.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def gpt(indexed, box):
    async with openai.AsyncOpenAI(base_url=indexed.url + "/v1", api_key="none", max_retries=0) as client:
        yield client


def calling(name, arguments, id="call_1"):
    return ToolCall(id=id, name=name, arguments=json.dumps(arguments, ensure_ascii=False))


def found_and_called(dialect, name=NAME):
    """Three rounds: the index is asked, the tool called, and the answer given."""
    return [
        saying(dialect, Text(text="I look. "), calling("lynkr_find_tools", {"query": name}), usage=(100, 10)),
        saying(dialect, Text(text="I call. "), calling("lynkr_call_tool", {"name": name, "arguments": ARGUMENTS}, "call_2"), usage=(200, 20)),
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


@streamed
async def test_a_server_of_before(claude, provider, served, stream):
    provider.then(*found_and_called("anthropic.messages", "mcp__older__weather_7"))
    answer = await messages(claude, "messages", stream)
    assert answer.content[-1].text == "It rains."
    check(provider, served[1])
    assert served[0].calls == []


@pytest.fixture(scope="module")
def plain(serve_all, session_provider, tmp_path_factory):
    """Without an index: the tools stand in the request. Two servers, one for whom only one caller may use it."""
    with boxes.Box() as box, boxes.Box() as secret:
        config = CONFIG.format(url=session_provider.url, folder=tmp_path_factory.mktemp("plain"))
        config = config.replace("[server]", f'[server]\nadmin_key = "{ADMIN}"') + "[auth.keys]\n"
        config += boxes.table(box, tools=["weather_7", "waits"]) + boxes.table(secret, "secret", allow=["team:inside"])
        gateway = serve_all(config)
        keys = {}
        for team in ("inside", "outside"):
            told = httpx2.post(
                f"{gateway.url}/v1/admin/keys", json={"name": team, "team": team}, headers={"authorization": f"Bearer {ADMIN}"}
            )
            keys[team] = told.json()["key"]
        yield gateway, keys, box, secret


def called(dialect, name=NAME):
    return [saying(dialect, calling(name, ARGUMENTS)), saying(dialect, Text(text="It rains."))]


@streamed
async def test_tools_without_an_index(plain, provider, stream):
    """Every front, each in its own dialect."""
    gateway, keys, box, _ = plain
    box.calls.clear()
    url, key = gateway.url, keys["outside"]
    async with (
        anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0) as claude,
        openai.AsyncOpenAI(base_url=url + "/v1", api_key=key, max_retries=0) as gpt,
    ):
        provider.then(*called("anthropic.messages"))
        assert (await messages(claude, "messages", stream)).content[-1].text == "It rains."
        provider.then(*called("openai.chat"))
        assert (await chat(gpt, "chat", stream)).choices[0].message.content == "It rains."
        provider.then(*called("openai.responses"))
        answer = await gpt.responses.create(model="responses/m", input="Rain?", store=False)
        assert answer.output_text == "It rains."
    assert box.names() == ["weather_7"] * 3
    assert all("Rain in Z" in received.body.decode() for received in provider.requests[1::2])


async def test_who_may_use_a_server(plain, provider):
    gateway, keys, _, secret = plain
    for team, servers in (("inside", {"box", "secret"}), ("outside", {"box"})):
        async with openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key=keys[team], max_retries=0) as gpt:
            provider.then(saying("openai.chat", Text(text="Hi.")))
            await chat(gpt, "chat", False)
            names = [tool["function"]["name"] for tool in provider.last.json()["tools"]]
            assert {name.split("__")[1] for name in names} == servers
            # a tool that was not offered is nobody's to answer: its call goes to the caller as it came
            provider.then(*called("openai.chat", "mcp__secret__weather_1"))
            answer = await chat(gpt, "chat", False)
            assert bool(answer.choices[0].message.tool_calls) == (team == "outside")
    assert secret.names() == ["weather_1"]


async def test_who_leaves_takes_the_call_along(plain, provider):
    gateway, keys, box, _ = plain
    box.calls.clear()
    box.given_up.clear()
    provider.then(*called("openai.chat", "mcp__box__waits"))
    async with openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key=keys["outside"], max_retries=0) as gpt:
        asking = asyncio.ensure_future(chat(gpt, "chat", False))
        await until(lambda: box.calls)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(box.given_up.is_set)
    assert len(provider.requests) == 1


async def test_beside_the_callers_own_tools_and_in_the_next_turn(claude, provider, box):
    """The caller runs its own tool and sees no other; the next turn begins as this one ended, with both results."""
    tools = [{"name": "Bash", "description": "Runs.", "input_schema": {"type": "object", "properties": {}}}]
    inner = calling("lynkr_call_tool", {"name": NAME, "arguments": ARGUMENTS}, "call_2")
    provider.then(saying("anthropic.messages", Text(text="Both. "), calling("Bash", {"command": "ls"}), inner))
    answer = await messages(claude, "messages", True, tools=tools)
    assert [block.name for block in answer.content if block.type == "tool_use"] == ["Bash"]
    sent = provider.last.json()
    assert [tool["name"] for tool in sent["tools"]] == ["Bash", "lynkr_find_tools", "lynkr_call_tool"]
    await until(lambda: box.names() == ["weather_7"])
    given = [
        block.model_dump(exclude_none=True, include={"type", "text", "id", "name", "input"}) for block in answer.content
    ]  # fmt: skip
    history = [{"role": "assistant", "content": given}]
    history += [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "a.txt"}]}]
    await until_remembered(claude, provider, history, tools)
    again = provider.last.json()
    assert again["tools"] == sent["tools"]
    assert again["messages"][: len(sent["messages"])] == sent["messages"]
    said, results = again["messages"][len(sent["messages"]) :]
    assert [block["name"] for block in said["content"] if block["type"] == "tool_use"] == ["Bash", "lynkr_call_tool"]
    assert {block["tool_use_id"] for block in results["content"]} == {"call_1", "call_2"}
    assert "Rain in Z" in json.dumps(results)


async def until_remembered(claude, provider, history, tools):
    """Asks until the rounds of the turn before are there: they are kept once its answer has been given."""
    for _ in range(100):
        provider.then(saying("anthropic.messages", Text(text="Done.")))
        await messages(claude, "messages", False, history, tools=tools)
        if "call_2" in provider.last.body.decode():
            return
        await asyncio.sleep(0.05)


async def test_the_journal_names_the_tool(indexed, claude, provider):
    provider.then(*found_and_called("anthropic.messages"))
    asked = {"model": "messages/m", "max_tokens": 100, "messages": [{"role": "user", "content": "Rain?"}]}
    raw = await claude.messages.with_raw_response.create(**asked)
    id = raw.headers["x-lynkr-request-id"]
    async with httpx2.AsyncClient(base_url=indexed.url) as http:
        record = (await http.get(f"/v1/decisions/{id}")).json()
    assert [attempt["answered"] for attempt in record["attempts"]] == [["lynkr_find_tools"], [NAME], []]


async def test_a_tool_that_fails_is_the_models_affair(claude, provider, box):
    wrong = calling("lynkr_call_tool", {"name": "mcp__box__fails", "arguments": ARGUMENTS})
    provider.then(saying("anthropic.messages", wrong), saying("anthropic.messages", Text(text="Sorry.")))
    answer = await messages(claude, "messages", True)
    assert answer.content[-1].text == "Sorry."
    assert "no such city" in provider.last.body.decode()

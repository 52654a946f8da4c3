"""An index of tools and stubs, as clients meet them: the real gateway, the vendors' own SDKs, every upstream dialect."""

import json

import anthropic
import openai
import pytest

from lynkr_core.request import Reasoning, Text, ToolCall
from lynkr_core.testing.saying import saying
from tests.conftest import CROSSED, DIALECTS, streamed, upstreams

pytestmark = pytest.mark.anyio
CONFIG = (
    CROSSED
    + """
[store.sqlite]
path = "{folder}/lynkr.db"

[sink.journal]

[compressor.tool-index]
min_tokens = 100

[compressor.stubs]
"""
)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NAMES = ["Bash", *[f"mcp__box__tool_{n}" for n in range(20)]]
LOG = "\n".join([f"2026-11-21 10:00:{n % 60:02} worker {n} took {n * 7919 % 1000} ms for job {n * 104729:x}" for n in range(300)])
ARGUMENTS = '{"city": "Zürich", "n": 1.50}'


@pytest.fixture(scope="module")
def served(serve_all, session_provider, tmp_path_factory):
    return serve_all(CONFIG.format(url=session_provider.url, folder=tmp_path_factory.mktemp("inner")))


@pytest.fixture
async def claude(served):
    async with anthropic.AsyncAnthropic(base_url=served.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def gpt(served):
    async with openai.AsyncOpenAI(base_url=served.url + "/v1", api_key="none", max_retries=0) as client:
        yield client


def calling(name, arguments, id="call_1"):
    return ToolCall(id=id, name=name, arguments=arguments)


def looked_up_and_called(dialect):
    """Three rounds: the index is asked, a stub expanded, and a hidden tool called."""
    call = '{"name": "mcp__box__tool_7", "arguments": ' + ARGUMENTS + "}"
    return [
        saying(dialect, Text(text="I look. "), calling("lynkr_find_tools", '{"query": "mcp__box__tool_7"}'), usage=(100, 10)),
        saying(dialect, Text(text="I call. "), calling("lynkr_call_tool", call, "call_2"), usage=(200, 20)),
    ]


async def messages(claude, upstream, stream, history=()):
    tools = [{"name": name, "description": f"Does {name}. " + "More. " * 20, "input_schema": SCHEMA} for name in NAMES]
    asked = {
        "model": f"{upstream}/m",
        "max_tokens": 100,
        "tools": tools,
        "messages": [{"role": "user", "content": "Go"}, *history],
    }
    if not stream:
        return await claude.messages.create(**asked)
    async with claude.messages.stream(**asked) as streaming:
        return await streaming.get_final_message()


@upstreams
@streamed
async def test_the_messages_sdk(claude, provider, upstream, stream):
    provider.then(*looked_up_and_called(DIALECTS[upstream]))
    answer = await messages(claude, upstream, stream)
    assert [block.type for block in answer.content] == ["text", "text", "tool_use"]
    assert (answer.content[-1].name, answer.content[-1].id) == ("mcp__box__tool_7", "call_2")
    assert answer.content[-1].input == json.loads(ARGUMENTS)
    assert answer.stop_reason == "tool_use"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (300, 30)
    first, second = [received.body.decode() for received in provider.requests]
    assert '"name":"mcp__box__tool_7"' not in first
    assert '"required"' in second.rpartition("call_1")[2]


@upstreams
@streamed
async def test_the_chat_sdk(gpt, provider, upstream, stream):
    provider.then(*looked_up_and_called(DIALECTS[upstream]))
    functions = [{"name": name, "description": f"Does {name}. " + "More. " * 20, "parameters": SCHEMA} for name in NAMES]
    tools = [{"type": "function", "function": function} for function in functions]
    asked = {"model": f"{upstream}/m", "tools": tools, "messages": [{"role": "user", "content": "Go"}]}
    if stream:
        async with gpt.chat.completions.stream(**asked, stream_options={"include_usage": True}) as streaming:
            answer = await streaming.get_final_completion()
    else:
        answer = await gpt.chat.completions.create(**asked)
    [choice] = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content.split() == ["I", "look.", "I", "call."]
    [call] = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("mcp__box__tool_7", json.loads(ARGUMENTS))
    assert answer.usage.prompt_tokens == 300


@upstreams
@streamed
async def test_the_responses_sdk(gpt, provider, upstream, stream):
    provider.then(*looked_up_and_called(DIALECTS[upstream]))
    tools = [
        {"type": "function", "name": name, "description": f"Does {name}. " + "More. " * 20, "parameters": SCHEMA}
        for name in NAMES
    ]
    asked = {"model": f"{upstream}/m", "tools": tools, "input": "Go", "store": False}
    if stream:
        async with gpt.responses.stream(**asked) as streaming:
            answer = await streaming.get_final_response()
    else:
        answer = await gpt.responses.create(**asked)
    assert answer.status == "completed"
    assert answer.output_text.split() == ["I", "look.", "I", "call."]
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [("mcp__box__tool_7", json.loads(ARGUMENTS))]
    assert answer.usage.input_tokens == 300


@streamed
async def test_a_stub_is_expanded_beside_thinking(claude, provider, stream):
    dialect = "anthropic.messages"
    history = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_0", "name": "Bash", "input": {"command": "make"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_0", "content": LOG}]},
    ]
    provider.then(saying(dialect, Text(text="Hm.")))
    await messages(claude, "messages", stream, history)
    id = provider.last.body.decode().partition("⟦lynkr:")[2].partition(" ")[0]
    assert len(provider.last.body) < len(LOG)
    provider.reset().then(
        saying(dialect, Reasoning(text="What else?", signature="c2lnbmF0dXJl"), calling("lynkr_expand", json.dumps({"id": id}))),
        saying(dialect, Reasoning(text="So.", signature="c2lnbmF0dXJl"), Text(text="Done.")),
    )
    answer = await messages(claude, "messages", stream, history)
    assert [block.type for block in answer.content] == ["thinking", "thinking", "text"]
    *_, asked, given = provider.last.json()["messages"]
    assert asked["content"][0]["signature"] == "c2lnbmF0dXJl"
    told = given["content"][0]["content"]
    assert (told if isinstance(told, str) else told[0]["text"]) == LOG


async def test_the_journal_shows_the_rounds(served, claude, provider):
    provider.then(*looked_up_and_called("anthropic.messages"))
    raw = await claude.messages.with_raw_response.create(
        model="messages/m", max_tokens=100, messages=[{"role": "user", "content": "Go"}],
        tools=[{"name": name, "description": "Does. " + "More. " * 20, "input_schema": SCHEMA} for name in NAMES],
    )  # fmt: skip
    id = raw.headers["x-lynkr-request-id"]
    assert raw.headers["x-lynkr-attempts"] == "2"
    assert int(raw.headers["x-lynkr-saved-tokens"]) > 100
    import httpx2

    async with httpx2.AsyncClient() as plain:
        record = (await plain.get(f"{served.url}/v1/decisions/{id}")).json()
    assert [attempt["answered"] for attempt in record["attempts"]] == [["lynkr_find_tools"], []]
    assert record["usage"]["input_tokens"] == 300


GOVERNED = """
[provider.cloud]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["openai.chat"]
[prices]
"cloud/m" = {{ input = 1000.0, output = 1000.0 }}
[compressor.tool-index]
min_tokens = 100
[policy.budget]
[[policy.budget.limit]]
scope = "class:*"
per = "total"
usd = {usd}
[policy.access]
default = "all"
[policy.access.classes.all]
"""


async def test_rounds_cannot_overspend_a_budget(serve, provider):
    """Each round is reserved with what the rounds before have added to the input."""
    usd = 25.0
    gateway = serve(GOVERNED.format(url=provider.url, usd=usd))
    functions = [{"name": name, "description": f"Does {name}. " + "More. " * 20, "parameters": SCHEMA} for name in NAMES]
    tools = [{"type": "function", "function": function} for function in functions]
    provider.always(saying("openai.chat", calling("lynkr_find_tools", json.dumps({"query": " ".join(NAMES)})), usage=(5000, 100)))
    async with openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key="none", max_retries=0) as client:
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(
                model="cloud/m", tools=tools, messages=[{"role": "user", "content": "Go"}], max_tokens=100
            )
    assert 1 < len(provider.requests) < 9
    assert len(provider.requests) * 5.1 <= usd


async def test_the_next_turn_begins_as_this_one_ended(claude, provider):
    """What was looked up, the thinking before it, and the call by the name that the model used."""
    dialect = "anthropic.messages"
    second = looked_up_and_called(dialect)[1]
    thinking = Reasoning(text="Which one?", signature="c2lnbmF0dXJl")
    find = calling("lynkr_find_tools", '{"query": "mcp__box__tool_7"}')
    provider.then(saying(dialect, thinking, Text(text="I look. "), find), second, saying(dialect, Text(text="Rain.")))
    answer = await messages(claude, "messages", True)
    sent = provider.last.json()
    result = {"type": "tool_result", "tool_use_id": "call_2", "content": "Rain"}
    given = [
        block.model_dump(exclude_none=True, include={"type", "text", "thinking", "signature", "id", "name", "input"})
        for block in answer.content
    ]
    await messages(claude, "messages", True, [{"role": "assistant", "content": given}, {"role": "user", "content": [result]}])
    again = provider.last.json()
    assert again["tools"] == sent["tools"]
    assert again["messages"][: len(sent["messages"])] == sent["messages"]
    called, given = again["messages"][len(sent["messages"]) :]
    assert called["content"][-1]["name"] == "lynkr_call_tool"
    assert called["content"][-1]["input"] == {"name": "mcp__box__tool_7", "arguments": json.loads(ARGUMENTS)}
    assert given["content"] == [result]

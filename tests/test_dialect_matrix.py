"""Three fronts, three dialects of providers: whatever a caller asks for arrives there, or `x-lynkr-losses` says that it did not.

`ASKED` says a feature in each front's words, `SENT` finds it in what the provider got, and both have to agree with the feature's
value. `LOST` names the cells in which it cannot be carried, and the word by which the caller is told; everything else must arrive.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.dialects.anthropic_messages.thinking import BUDGETS
from lynkr_core.dialects.fold import fold
from lynkr_core.kernel import Kernel
from lynkr_core.request import Reasoning, Response, Text, ToolCall
from lynkr_core.testing import rich
from lynkr_core.testing.client import Client
from lynkr_core.testing.factories import find_dialect
from lynkr_core.testing.rich import RICH, SHORT
from lynkr_core.testing.scripted import ScriptedProvider

CHAT, MESSAGES, RESPONSES = DIALECTS = ("openai.chat", "anthropic.messages", "openai.responses")
PNG = "iVBORw0KGgo="
URL = "https://pictures.example/a.png"
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}
decode = msgspec.json.decode


# how it is asked for
def user(content):
    return {"role": "user", "content": content}


def chat(*messages, **more):
    return {"messages": [*messages] or [user("hi")], **more}


def items(*items, **more):
    return {"input": [*items] or "hi", **more}


def function(**more):
    return {"type": "function", **more}


def chat_call(id, name):
    return function(id=id, function={"name": name, "arguments": '{"x":1}'})


def use(id, name):
    return {"type": "tool_use", "id": id, "name": name, "input": {"x": 1}}


def result(id, text):
    return {"type": "tool_result", "tool_use_id": id, "content": text}


def called(id, name):
    return {"type": "function_call", "call_id": id, "name": name, "arguments": '{"x":1}'}


def output(id, text):
    return {"type": "function_call_output", "call_id": id, "output": text}


NAMED = {"name": "f", "description": "does f"}
TOOLS = {
    CHAT: [function(function={**NAMED, "parameters": SCHEMA})],
    MESSAGES: [{**NAMED, "input_schema": SCHEMA}],
    RESPONSES: [function(**NAMED, parameters=SCHEMA, strict=False)],
}
BY_URL = {"type": "image", "source": {"type": "url", "url": URL}}
INLINE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
DATA = f"data:image/png;base64,{PNG}"
FORMAT = {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}
CHAT_FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
FORCED = {
    CHAT: {"tool_choice": function(function={"name": "f"})},
    MESSAGES: {"tool_choice": {"type": "tool", "name": "f"}},
    RESPONSES: {"tool_choice": function(name="f")},
}
ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function(function={"name": "f"})]}}
LOOP = {
    CHAT: [user("go"), {"role": "assistant", "content": None, "tool_calls": [chat_call("a1", "f"), chat_call("b2", "f")]},
           {"role": "tool", "tool_call_id": "a1", "content": "one"}, {"role": "tool", "tool_call_id": "b2", "content": "two"},
           user("and now?")],
    MESSAGES: [user("go"), {"role": "assistant", "content": [use("a1", "f"), use("b2", "f")]},
               user([result("a1", "one"), result("b2", "two"), {"type": "text", "text": "and now?"}])],
    RESPONSES: [user("go"), called("a1", "f"), called("b2", "f"), output("a1", "one"), output("b2", "two"), user("and now?")],
}  # fmt: skip
TURNS = [user("one"), {"role": "assistant", "content": "two"}, user("three")]
PLAIN = {CHAT: chat(), MESSAGES: chat(max_tokens=5000), RESPONSES: items()}


def everywhere(**more):
    return dict.fromkeys(DIALECTS, more)


def with_tools(**more):
    return {name: {"tools": TOOLS[name], **(more.get("by", {}).get(name) or {})} for name in DIALECTS}


ASKED = {
    "system": {
        CHAT: chat({"role": "system", "content": "be brief"}, user("hi")), MESSAGES: {"system": "be brief"},
        RESPONSES: {"instructions": "be brief"},
    },
    "turns": {CHAT: chat(*TURNS), MESSAGES: chat(*TURNS), RESPONSES: items(*TURNS)},
    "image": {
        CHAT: chat(user([{"type": "image_url", "image_url": {"url": DATA}}])), MESSAGES: chat(user([INLINE])),
        RESPONSES: items(user([{"type": "input_image", "image_url": DATA}])),
    },
    "image URL": {
        CHAT: chat(user([{"type": "image_url", "image_url": {"url": URL}}])), MESSAGES: chat(user([BY_URL])),
        RESPONSES: items(user([{"type": "input_image", "image_url": URL}])),
    },
    "tools": with_tools(),
    "parallel calls": {name: {"tools": TOOLS[name], "input" if name == RESPONSES else "messages": LOOP[name]} for name in DIALECTS},
    "one call at a time": with_tools(by={
        CHAT: {"parallel_tool_calls": False}, MESSAGES: {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        RESPONSES: {"parallel_tool_calls": False},
    }),
    "forced tool": with_tools(by=FORCED),
    "schema": {
        CHAT: {"response_format": CHAT_FORMAT},
        MESSAGES: {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, RESPONSES: {"text": {"format": FORMAT}},
    },
    "stop": {CHAT: {"stop": ["END", "FIN"]}, MESSAGES: {"stop_sequences": ["END", "FIN"]}},
    "seed": {CHAT: {"seed": 7}},
    "sampling": everywhere(temperature=0.5, top_p=0.75),
    "top_k": {MESSAGES: {"top_k": 40}},
    "penalties": {CHAT: {"frequency_penalty": 0.5, "presence_penalty": 0.25}},
    "limit": {CHAT: {"max_tokens": 77}, MESSAGES: {"max_tokens": 77}, RESPONSES: {"max_output_tokens": 77}},
    "reasoning": {
        CHAT: {"reasoning_effort": "high"}, RESPONSES: {"reasoning": {"effort": "high"}},
        MESSAGES: {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
    },
    "thinking": {MESSAGES: {"thinking": {"type": "enabled", "budget_tokens": 4000}}},
    "image detail": {
        CHAT: chat(user([{"type": "image_url", "image_url": {"url": URL, "detail": "low"}}])),
        RESPONSES: items(user([{"type": "input_image", "image_url": URL, "detail": "low"}])),
    },
    "allowed tools": {CHAT: {"tools": TOOLS[CHAT], "tool_choice": ALLOWED}},
    "log probabilities": {CHAT: {"logprobs": True, "top_logprobs": 3}, RESPONSES: {"top_logprobs": 3}},
    "store": {CHAT: {"store": True}},
    "task budget": {MESSAGES: {"output_config": {"task_budget": {"type": "tokens", "total": 9}}}},
    "unknown": everywhere(x_unheard_of={"a": [1, None]}),
}  # fmt: skip
ASKED["results, then text"] = ASKED["parallel calls"]


# what the provider got
def texts(content):
    """Of a string or a list of parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def turns(messages):
    return [(m["role"], texts(m["content"])) for m in messages if m.get("role") in ("user", "assistant") and m.get("content")]


def part(messages):
    return messages[-1]["content"][0]


def pairs(calls):
    return [(id, name, decode(text)) for id, name, text in calls]


def of_type(body, kind):
    return [item for item in body["input"] if item.get("type") == kind]


def blocks(body, kind):
    lists = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    return [block for content in lists for block in content if block["type"] == kind]


def source(block):
    return block["source"].get("url") or f"data:{block['source']['media_type']};base64,{block['source']['data']}"


def chat_functions(body):
    return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in body["messages"][1]["tool_calls"]]


def after_results(body):
    """The results and the text after them, in order, and nothing between."""
    last = body["messages"][-1]["content"]
    return [(b["tool_use_id"], texts(b["content"])) if b["type"] == "tool_result" else b["text"] for b in last]


def effort(body):
    """As it is, or as the budget that stands for it with models of which nobody knows whether they take efforts."""
    thinking = body["thinking"]
    known = body["output_config"]["effort"] if thinking["type"] == "adaptive" else thinking["budget_tokens"]
    return "high" if known == BUDGETS["high"] else known


ANSWERED = [("a1", "one"), ("b2", "two"), "and now?"]
CALLED = [("a1", "f", {"x": 1}), ("b2", "f", {"x": 1})]
SENT = {
    "system": ("be brief", {
        CHAT: lambda b: texts(b["messages"][0]["content"]) if b["messages"][0]["role"] in ("system", "developer") else None,
        MESSAGES: lambda b: texts(b["system"]), RESPONSES: lambda b: b["instructions"] if "instructions" in b else b["input"][0]["content"],
    }),
    "turns": ([("user", "one"), ("assistant", "two"), ("user", "three")], {
        CHAT: lambda b: turns(b["messages"]), MESSAGES: lambda b: turns(b["messages"]), RESPONSES: lambda b: turns(b["input"]),
    }),
    "image": (DATA, {
        CHAT: lambda b: part(b["messages"])["image_url"]["url"], MESSAGES: lambda b: source(part(b["messages"])),
        RESPONSES: lambda b: part(b["input"])["image_url"],
    }),
    "tools": (("f", "does f", SCHEMA), {
        CHAT: lambda b: tuple(b["tools"][0]["function"][key] for key in ("name", "description", "parameters")),
        MESSAGES: lambda b: tuple(b["tools"][0][key] for key in ("name", "description", "input_schema")),
        RESPONSES: lambda b: tuple(b["tools"][0][key] for key in ("name", "description", "parameters")),
    }),
    "parallel calls": (CALLED, {
        CHAT: lambda b: pairs(chat_functions(b)),
        MESSAGES: lambda b: [(use["id"], use["name"], use["input"]) for use in b["messages"][1]["content"]],
        RESPONSES: lambda b: pairs((i["call_id"], i["name"], i["arguments"]) for i in of_type(b, "function_call")),
    }),
    "results, then text": (ANSWERED, {
        CHAT: lambda b: [(m["tool_call_id"], texts(m["content"])) if m["role"] == "tool" else texts(m["content"])
                         for m in b["messages"][2:]],
        MESSAGES: after_results,
        RESPONSES: lambda b: [(i["call_id"], texts(i["output"])) if "call_id" in i else texts(i["content"]) for i in b["input"][3:]],
    }),
    "one call at a time": (False, {
        CHAT: lambda b: b["parallel_tool_calls"], MESSAGES: lambda b: not b["tool_choice"]["disable_parallel_tool_use"],
        RESPONSES: lambda b: b["parallel_tool_calls"],
    }),
    "forced tool": ("f", {
        CHAT: lambda b: b["tool_choice"]["function"]["name"], MESSAGES: lambda b: b["tool_choice"]["name"],
        RESPONSES: lambda b: b["tool_choice"]["name"],
    }),
    "schema": (SCHEMA, {
        CHAT: lambda b: b["response_format"]["json_schema"]["schema"], MESSAGES: lambda b: b["output_config"]["format"]["schema"],
        RESPONSES: lambda b: b["text"]["format"]["schema"],
    }),
    "stop": (["END", "FIN"], {CHAT: lambda b: b["stop"], MESSAGES: lambda b: b["stop_sequences"]}),
    "seed": (7, {CHAT: lambda b: b["seed"]}),
    "sampling": ((0.5, 0.75), dict.fromkeys(DIALECTS, lambda b: (b["temperature"], b["top_p"]))),
    "top_k": (40, {MESSAGES: lambda b: b["top_k"]}),
    "penalties": ((0.5, 0.25), {CHAT: lambda b: (b["frequency_penalty"], b["presence_penalty"])}),
    "limit": (77, {
        CHAT: lambda b: b.get("max_completion_tokens", b.get("max_tokens")), MESSAGES: lambda b: b["max_tokens"],
        RESPONSES: lambda b: b["max_output_tokens"],
    }),
    "reasoning": ("high", {
        CHAT: lambda b: b["reasoning_effort"], RESPONSES: lambda b: b["reasoning"]["effort"],
        MESSAGES: effort,
    }),
    "thinking": (True, {
        CHAT: lambda b: b["reasoning_effort"] in ("low", "medium", "high"), MESSAGES: lambda b: b["thinking"]["budget_tokens"] == 4000,
        RESPONSES: lambda b: b["reasoning"]["effort"] in ("low", "medium", "high"),
    }),
    "image detail": ("low", {
        CHAT: lambda b: part(b["messages"])["image_url"]["detail"], RESPONSES: lambda b: part(b["input"])["detail"],
    }),
    "allowed tools": (ALLOWED, {CHAT: lambda b: b["tool_choice"]}),
    "log probabilities": (3, {
        CHAT: lambda b: b["logprobs"] and b["top_logprobs"], RESPONSES: lambda b: b["top_logprobs"],
    }),
    "store": (True, {CHAT: lambda b: b["store"]}),
    "task budget": (9, {MESSAGES: lambda b: b["output_config"]["task_budget"]["total"]}),
    "unknown": ({"a": [1, None]}, dict.fromkeys(DIALECTS, lambda b: b["x_unheard_of"])),
}  # fmt: skip
SENT["image URL"] = (URL, SENT["image"][1])

LOST = {
    ("stop", RESPONSES): "stop",
    ("seed", MESSAGES): "seed",
    ("seed", RESPONSES): "seed",
    ("top_k", CHAT): "top_k",
    ("top_k", RESPONSES): "top_k",
    ("penalties", MESSAGES): "frequency_penalty",
    ("penalties", RESPONSES): "presence_penalty",
    ("image detail", MESSAGES): "image.detail",
    ("allowed tools", MESSAGES): "tool_choice",
    ("allowed tools", RESPONSES): "tool_choice",
    ("log probabilities", MESSAGES): "top_logprobs",
    ("store", MESSAGES): "store",
    ("store", RESPONSES): "store",
    ("task budget", CHAT): "task_budget",
    ("task budget", RESPONSES): "task_budget",
}
"""By feature and the provider's dialect. An unknown field is lost whenever the two dialects differ."""
CELLS = [(feature, front, back) for feature, asked in ASKED.items() for front in asked for back in DIALECTS]


@asynccontextmanager
async def gateway(upstream: ScriptedProvider, back: str) -> AsyncIterator[Client]:
    """lynkr before one provider that speaks only `back`."""
    text = f'[provider.up]\nuse = "openai-compatible"\nbase_url = "{upstream.url}/v1"\ndialects = ["{back}"]\nmodels = ["m"]\n'
    async with Client(Application(Kernel.from_config(parse(text, {}), {}))) as client:
        yield client


def lost(feature: str, front: str, back: str) -> str | None:
    return "x_unheard_of" if feature == "unknown" and front != back else LOST.get((feature, back))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(("feature", "front", "back"), CELLS)
async def test_what_is_asked_for_arrives_or_is_told(feature, front, back, stream):
    body = {"model": "up/m", **PLAIN[front], **ASKED[feature][front], "stream": stream}
    async with ScriptedProvider() as upstream, gateway(upstream, back) as client:
        answer = await client.post(find_dialect(front).routes[0], json=body)
    assert answer.status == 200, answer.text
    told = answer.headers.get("x-lynkr-losses", "")
    word = lost(feature, front, back)
    if word:
        assert word in told
    else:
        value, find = SENT[feature]
        assert find[back](upstream.last.json()) == value
        assert told == ""


# what the caller got
def heard(front: str, body: bytes, stream: bool) -> Response:
    dialect = find_dialect(front)
    if not stream:
        return dialect.decode_response(body)
    decoder = dialect.decoder()
    return fold([*decoder.feed(body), *decoder.close()])


async def answered(script, front, back, stream) -> Response:
    body = {"model": "up/m", **PLAIN[front], "tools": TOOLS[front], "stream": stream}
    if stream and front == CHAT:
        body["stream_options"] = {"include_usage": True}
    async with ScriptedProvider() as upstream, gateway(upstream.always(script), back) as client:
        answer = await client.post(find_dialect(front).routes[0], json=body)
    assert (answer.status, answer.headers.get("x-lynkr-losses")) == (200, None)
    return heard(front, answer.body, stream)


PAIRS = [(front, back, stream) for front in DIALECTS for back in DIALECTS for stream in (False, True)]


@pytest.mark.anyio
@pytest.mark.parametrize(("front", "back", "stream"), PAIRS)
async def test_a_rich_answer_arrives_whole(front, back, stream):
    response = await answered(RICH[back], front, back, stream)
    [choice] = response.choices
    assert "".join(part.text for part in choice.parts if isinstance(part, Reasoning)) == "".join(rich.THOUGHT)
    assert "".join(part.text for part in choice.parts if isinstance(part, Text)) == "".join(rich.SAID)
    calls = [(part.name, decode(part.arguments)) for part in choice.parts if isinstance(part, ToolCall)]
    assert calls == [(name, decode(arguments)) for _, name, arguments in rich.CALLS]
    assert choice.finish_reason == "tool_calls"
    usage = response.usage
    assert (usage.input_tokens, usage.cache_read, usage.output_tokens) == (rich.INPUT, rich.CACHED, rich.OUTPUT)
    assert usage.reasoning == rich.REASONING


@pytest.mark.anyio
@pytest.mark.parametrize(("front", "back", "stream"), PAIRS)
async def test_an_answer_cut_short_by_the_limit_says_so(front, back, stream):
    response = await answered(SHORT[back], front, back, stream)
    assert response.choices[0].finish_reason == "length"

"""MCP tools behind the index: what the provider reads, what the caller gets, and that it stays so."""

import json

import msgspec
import pytest

from lynkr_compressor_tool_index import CALL, FIND, plugin
from lynkr_compressor_tool_index.calling import found, passed_on
from lynkr_compressor_tool_index.catalogue import Catalogue, first_sentence
from lynkr_core.request import Tool, ToolCall
from lynkr_core.testing import factories

FRONTS = ("openai.chat", "openai.responses", "anthropic.messages")
WEATHER = {"type": "object", "properties": {"city": {"type": "string", "description": "A city's name."}}, "required": ["city"]}
NAMES = [f"mcp__{server}__{verb}_{noun}" for server in ("web", "box") for verb in ("get", "put") for noun in ("page", "file")]


def tool_of(name, front, parameters=WEATHER):
    told = {"name": name, "description": f"Does {name.replace('_', ' ')}. And more of it, at length: {'word ' * 40}"}
    if front == "anthropic.messages":
        return {**told, "input_schema": parameters}
    if front == "openai.responses":
        return {"type": "function", **told, "parameters": parameters}
    return {"type": "function", "function": {**told, "parameters": parameters}}


def body(front, names=("Read", *NAMES), history=(), **more):
    messages = [{"role": "user", "content": "Look"}, *history]
    place = "input" if front == "openai.responses" else "messages"
    limit = {"max_tokens": 100} if front == "anthropic.messages" else {}
    return {"model": "m", place: messages, "tools": [tool_of(name, front) for name in names], **limit, **more}


def called(front, name, arguments, id="call_1"):
    if front == "anthropic.messages":
        return [
            {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": name, "input": arguments}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "done"}]},
        ]
    if front == "openai.responses":
        return [
            {"type": "function_call", "call_id": id, "name": name, "arguments": json.dumps(arguments)},
            {"type": "function_call_output", "call_id": id, "output": "done"},
        ]
    call = {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": id, "content": "done"}]


@pytest.fixture
def index():
    return factories.build(plugin, {"min_tokens": 0}, factories.context("tool-index", "compressor"))


def sent(index, front, *, session="s", **more):
    exchange = factories.exchange(
        body(front, **more), dialect=front, headers={"x-lynkr-session": session}, served=factories.candidates()
    )
    request = index.transform_request(exchange, exchange.request, exchange.candidates[0])
    return exchange, request


def wire(exchange, request):
    return json.loads(msgspec.json.encode(exchange.dialect.encode_request(request, [])))


def names_of(request):
    return [tool.name for tool in request.tools]


@pytest.mark.parametrize("front", FRONTS)
def test_the_provider_reads_an_index(index, front):
    exchange, request = sent(index, front)
    assert names_of(request) == ["Read", FIND, CALL]
    listed = request.tools[-1].description
    assert all(name.removeprefix("mcp__web__").removeprefix("mcp__box__") in listed for name in NAMES)
    assert "at length" not in listed
    assert exchange.savings[0].plugin == "compressor.tool-index"
    assert exchange.saved_tokens > 0
    assert "wordword" not in json.dumps(wire(exchange, request))


@pytest.mark.parametrize("front", FRONTS)
def test_turns_begin_alike(index, front):
    first = wire(*sent(index, front))
    second = wire(*sent(index, front, history=called(front, NAMES[0], {"city": "Bern", "n": 1.5})))
    key = "input" if front == "openai.responses" else "messages"
    assert second["tools"] == first["tools"]
    assert second[key][: len(first[key])] == first[key]
    text = json.dumps(second[key])
    assert CALL in text
    assert NAMES[0] in text
    assert "Bern" in text
    other = factories.build(plugin, {"min_tokens": 0}, factories.context())
    again = wire(*sent(other, front, history=called(front, NAMES[0], {"city": "Bern", "n": 1.5})))
    assert again == second


@pytest.mark.parametrize("front", FRONTS)
def test_calls_of_the_clients_own_tools_stay(index, front):
    exchange, request = sent(index, front, history=called(front, "Read", {"path": "/a"}))
    assert "Read" in json.dumps(wire(exchange, request)["input" if front == "openai.responses" else "messages"])
    assert CALL not in json.dumps(wire(exchange, request)["input" if front == "openai.responses" else "messages"])


def test_it_stays_as_it_was_decided_on_the_first_turn(index):
    _, first = sent(index, "openai.chat")
    _, fewer = sent(index, "openai.chat", names=("Read", *NAMES[:-1]))
    _, more = sent(index, "openai.chat", names=("Read", *NAMES, "mcp__new__thing"))
    assert fewer.tools[1:] == first.tools[1:]
    assert more.tools[1:] == first.tools[1:]
    exchange, _ = sent(index, "openai.chat", names=("Read", *NAMES, "mcp__new__thing"))
    call = exchange.inner.tools[CALL]
    assert (
        call(ToolCall(id="1", name=CALL, arguments='{"name":"mcp__new__thing","arguments":{"city":"x"}}')).name
        == "mcp__new__thing"
    )


def test_what_was_left_as_it_was_stays_so():
    index = factories.build(plugin, {"min_tokens": 1500}, factories.context())
    _, request = sent(index, "openai.chat", names=("Read", *NAMES))
    assert request is None
    _, request = sent(index, "openai.chat", names=("Read", *[f"{name}{n}" for name in NAMES for n in range(9)]))
    assert request is None
    _, request = sent(index, "openai.chat", names=("Read", *[f"{name}{n}" for name in NAMES for n in range(9)]), session="other")
    assert names_of(request) == ["Read", FIND, CALL]


def test_few_tools_stay_as_they_are():
    index = factories.build(plugin, {}, factories.context())
    assert sent(index, "openai.chat")[1] is None
    assert sent(index, "openai.chat", names=("Read", "Bash"))[1] is None


@pytest.mark.parametrize("front", FRONTS)
def test_a_tool_that_is_asked_for_is_shown(index, front):
    choice = {"type": "function", "function": {"name": NAMES[1]}}
    choice = {"type": "tool", "name": NAMES[1]} if front == "anthropic.messages" else choice
    choice = {"type": "function", "name": NAMES[1]} if front == "openai.responses" else choice
    _, request = sent(index, front, tool_choice=choice)
    assert names_of(request) == ["Read", NAMES[1], FIND, CALL]
    assert request.tool_choice.name == NAMES[1]


@pytest.mark.parametrize("names", [("Read", *NAMES), (*NAMES, "Read")])
def test_the_cache_mark_stays_at_the_end(index, names):
    tools = [tool_of(name, "anthropic.messages") for name in names]
    tools[-1]["cache_control"] = {"type": "ephemeral"}
    exchange = factories.exchange(
        {**body("anthropic.messages"), "tools": tools}, dialect="anthropic.messages", served=factories.candidates()
    )
    request = index.transform_request(exchange, exchange.request, exchange.candidates[0])
    assert [tool.cache is not None for tool in request.tools] == [False, False, True]


def test_the_clients_own_search_goes_where_a_server_has_one(index):
    _, request = sent(index, "openai.chat", names=("Read", "WebSearch", "WebFetch", *NAMES, "mcp__tavily__tavily_search"))
    assert names_of(request) == ["Read", "WebFetch", FIND, CALL]
    history = called("openai.chat", "WebSearch", {"city": "x"})
    _, request = sent(index, "openai.chat", names=("WebSearch", *NAMES, "mcp__exa__search"), history=history, session="t")
    assert names_of(request) == ["WebSearch", FIND, CALL]
    keeping = factories.build(plugin, {"min_tokens": 0, "dedup": False}, factories.context())
    _, request = sent(keeping, "openai.chat", names=("WebSearch", *NAMES, "mcp__exa__search"))
    assert names_of(request)[0] == "WebSearch"


def test_tools_that_the_provider_defers_are_left_alone(index):
    tools = [{**tool_of(name, "anthropic.messages"), "defer_loading": True} for name in NAMES]
    exchange = factories.exchange(
        {**body("anthropic.messages"), "tools": tools}, dialect="anthropic.messages", served=factories.candidates()
    )
    assert index.transform_request(exchange, exchange.request, exchange.candidates[0]) is None


CATALOGUE = Catalogue([
    Tool(name="mcp__pw__browser_click", description="Click an element.", parameters=b'{"type":"object","required":["ref"]}'),
    Tool(name="mcp__pw__browser_take_screenshot", description="Take a screenshot of the page."),
    Tool(name="mcp__fs__read_file", description="Read a file's contents."),
])  # fmt: skip


@pytest.mark.parametrize(
    ("query", "first"),
    [("mcp__fs__read_file", "mcp__fs__read_file"), ("browser_click", "mcp__pw__browser_click"),
     ("take screenshots", "mcp__pw__browser_take_screenshot"),
     ("read the contents of files", "mcp__fs__read_file")],
)  # fmt: skip
def test_tools_are_found(query, first):
    assert CATALOGUE.find(query)[0].name == first


def test_what_is_found_is_told_whole():
    told = found(CATALOGUE, ToolCall(id="1", name=FIND, arguments='{"query":"mcp__pw__browser_click, read_file"}'))
    assert '"required":["ref"]' in told
    assert "Read a file's contents." in told
    assert "screenshot" not in told
    assert "No tool fits" in found(CATALOGUE, ToolCall(id="1", name=FIND, arguments='{"query":"zzz"}'))
    assert "cannot be read" in found(CATALOGUE, ToolCall(id="1", name=FIND, arguments='{"query":'))


@pytest.mark.parametrize(
    ("arguments", "name", "given"),
    [('{"name":"mcp__pw__browser_click", "arguments": {"ref": 1.0, "x":"\\u00e9"}}', "mcp__pw__browser_click", '{"ref": 1.0, "x":"\\u00e9"}'),
     ('{"name":"browser_click","arguments":"{\\"ref\\": 1}"}', "mcp__pw__browser_click", '{"ref": 1}'),
     ('{"name":"mcp__fs__read_file"}', "mcp__fs__read_file", "{}"),
     ('{"name":"Read","arguments":{"a":1}}', "Read", '{"a":1}')],
)  # fmt: skip
def test_calls_are_passed_on(arguments, name, given):
    passed = passed_on(CATALOGUE, frozenset({"Read"}), ToolCall(id="1", name=CALL, arguments=arguments))
    assert (passed.name, passed.arguments) == (name, given)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [('{"name":"nothing"}', "no tool"), ('{"name":"browser_click"}', '"required":["ref"]'), ("[]", "cannot be read"),
     ('{"name":"browser_click","arguments":[1]}', "cannot be read"), ('{"name":"screenshot_browser"}', "browser_take_screenshot")],
)  # fmt: skip
def test_what_is_wrong_with_a_call_is_told_to_the_model(arguments, told):
    assert told in passed_on(CATALOGUE, frozenset(), ToolCall(id="1", name=CALL, arguments=arguments))


def test_a_first_sentence():
    assert first_sentence("Reads v1.2 files. More.") == "Reads v1.2 files"
    assert first_sentence("\n  One\ntwo") == "One"
    assert len(first_sentence("word " * 100)) <= 100

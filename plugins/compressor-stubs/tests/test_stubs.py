"""Stubs of long results: what is kept, that the rest can be had, and that nothing is lost when the store is."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from lynkr_compressor_stubs import EXPAND, plugin
from lynkr_compressor_stubs.sources import may_be_stub
from lynkr_compressor_stubs.stubs import LONGEST, id_of, lines_of, stub
from lynkr_core.exchange import Principal
from lynkr_core.request import ToolCall
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories

pytestmark = pytest.mark.anyio
FRONTS = ("openai.chat", "openai.responses", "anthropic.messages")
LOG = "\n".join([f"2026-11-21 10:00:{n % 60:02} worker {n} took {n * 7919 % 1000} ms for job {n * 104729:x}" for n in range(300)])
FAILING = LOG.replace("worker 150 took", "ERROR: worker 150 lost its connection after")
TOOLS = {
    "openai.chat": {"type": "function", "function": {"name": "Bash", "parameters": {}}},
    "openai.responses": {"type": "function", "name": "Bash", "parameters": {}},
    "anthropic.messages": {"name": "Bash", "input_schema": {"type": "object"}},
}


class Broken(MemoryStore):
    async def set(self, key, value, ttl):
        raise OSError("no space")

    async def get(self, key):
        raise OSError("gone")


def turn(front, text, id="call_1", tool="Bash", command="make test"):
    arguments = {"command": command}
    if front == "anthropic.messages":
        return [
            {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": tool, "input": arguments}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]},
        ]
    if front == "openai.responses":
        return [
            {"type": "function_call", "call_id": id, "name": tool, "arguments": json.dumps(arguments)},
            {"type": "function_call_output", "call_id": id, "output": text},
        ]
    call = {"id": id, "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}
    return [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": id, "content": text}]


def stubs(store=None, **table):
    stores = Stores(store) if store else Stores()
    return factories.build(plugin, table, factories.context("stubs", "compressor", stores=stores))


async def sent(made, front, *turns, principal="p", **more):
    place = "input" if front == "openai.responses" else "messages"
    history = [{"role": "user", "content": "Go"}, *[message for one in turns for message in one]]
    body = {"model": "m", "max_tokens": 100, place: history, "tools": [TOOLS[front]], **more}
    exchange = factories.exchange(body, dialect=front, served=factories.candidates())
    exchange.principal = Principal(id=principal)
    request = await made.transform_request(exchange, exchange.request, exchange.candidates[0])
    fields = json.loads(msgspec.json.encode(exchange.dialect.encode_request(request, []))) if request else {}
    return exchange, fields.get(place), fields.get("tools")


async def expanded(exchange, **arguments):
    return await exchange.inner.tools[EXPAND](ToolCall(id="1", name=EXPAND, arguments=json.dumps(arguments)))


def marks(text):
    return re.findall(r"⟦lynkr:(\w+) lines? (\d+)(?:-(\d+))?⟧", text)


def restored(short, text):
    """The stub with each mark replaced by what it stands for, where it stands alone in its line."""
    out = []
    for line in short.split("\n"):
        found = re.fullmatch(r"⟦lynkr:\w+ lines? (\d+)(?:-(\d+))?⟧", line)
        out.append(lines_of(text, int(found[1]), int(found[2] or found[1])) if found else line)
    return "\n".join(out)


@pytest.mark.parametrize("front", FRONTS)
async def test_a_long_result_becomes_a_stub(front):
    exchange, messages, tools = await sent(stubs(), front, turn(front, FAILING))
    told = json.dumps(messages, ensure_ascii=False)
    assert len(told) < len(FAILING) / 3
    assert "ERROR: worker 150" in told
    assert "worker 0 took" in told
    assert "worker 299 took" in told
    assert EXPAND in json.dumps(tools)
    [(id, first, last), *_] = marks(told)
    assert await expanded(exchange, id=id) == FAILING
    assert await expanded(exchange, id=f"⟦lynkr:{id}⟧", first=first, last=last) == lines_of(FAILING, int(first), int(last))
    assert exchange.saved_tokens > 1000


@pytest.mark.parametrize("text", [LOG, FAILING, "x" * 20_000, "\n" * 9_000, "a b\n" * 5_000, "é🙂" * 9_000, "error\n" * 3_000])
def test_everything_is_kept_or_can_be_had(text):
    short = stub(text, "abc")
    assert len(short) < len(text) / 2
    if all(len(line) <= LONGEST for line in text.split("\n")):
        assert restored(short, text) == text
    assert len(short) < 6_000


@pytest.mark.parametrize("front", FRONTS)
async def test_turns_begin_alike(front):
    made, other = stubs(), stubs()
    _, first, tools = await sent(made, front, turn(front, FAILING))
    _, second, again = await sent(made, front, turn(front, FAILING), turn(front, "short", "call_2"))
    _, third, _ = await sent(other, front, turn(front, FAILING), turn(front, "short", "call_2"))
    assert second[: len(first)] == first
    assert tools == again
    assert second == third


async def test_short_results_and_files_stay():
    made, front = stubs(), "openai.chat"
    for text, tool, command in (
        ("short", "Bash", "make"),
        (FAILING, "Read", ""),
        (FAILING, "Bash", "cd a && cat x.log"),
        (FAILING, "Bash", "git diff HEAD~1"),
    ):
        exchange, messages, _ = await sent(made, front, turn(front, text, tool=tool, command=command))
        assert messages[-1]["content"] == text
        assert exchange.saved_tokens == 0


async def test_a_store_that_fails_leaves_the_original():
    _, messages, _ = await sent(stubs(Broken()), "openai.chat", turn("openai.chat", FAILING))
    assert messages[-1]["content"] == FAILING


async def test_it_is_kept_as_long_as_it_is_used():
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])
    made = stubs(store, keep=100.0)
    made.originals._clock = lambda: now[0]
    for _ in range(5):
        _exchange, messages, _ = await sent(made, "openai.chat", turn("openai.chat", FAILING))
        now[0] += 60.0
    [(id, *_), *_] = marks(messages[-1]["content"])
    later, _, _ = await sent(made, "openai.chat", turn("openai.chat", "the history was summarised"))
    assert await expanded(later, id=id) == FAILING
    now[0] += 101.0
    assert "Run the tool again" in await expanded(later, id=id)


async def test_nobody_gets_what_is_anothers():
    made = stubs()
    _, messages, _ = await sent(made, "openai.chat", turn("openai.chat", FAILING), principal="alice")
    [(id, *_), *_] = marks(messages[-1]["content"])
    other, _, _ = await sent(made, "openai.chat", turn("openai.chat", "x"), principal="bob")
    assert "nothing under" in await expanded(other, id=id)
    assert id_of("alice", FAILING) != id_of("bob", FAILING)


async def test_without_tools_nothing_happens():
    exchange, messages, _ = await sent(stubs(), "openai.chat", tools=[])
    assert messages is None
    assert exchange.inner is None


@pytest.mark.parametrize(
    ("tool", "command", "stubbed"),
    [("Bash", "make test", True), ("Bash", "cat a.py", False), ("Bash", "FOO=1 cd x && sed -n 1,9p a.py", False),
     ("Bash", "pytest | tail -50", True),
     ("shell", "grep -rn x . | head -40", True), ("Task", "", True), ("Read", "", False), ("Glob", "", True),
     ("mcp__fs__directory_tree", "", True),
     ("mcp__fs__read_file", "", False), ("Edit", "", False)],
)  # fmt: skip
def test_whose_results_may_become_stubs(tool, command, stubbed):
    assert may_be_stub(ToolCall(id="1", name=tool, arguments=json.dumps({"command": command}))) is stubbed

"""Servers that are dead, slow, forgetful or lying, and what the model is told of them. The servers are the SDK's own."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from msgspec import structs

from lynkr_compressor_mcp import Remote, plugin
from lynkr_core.errors import ConfigError, PluginError
from lynkr_core.exchange import Principal
from lynkr_core.request import ToolCall
from lynkr_core.testing import factories
from lynkr_core.testing.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio
SECRET = "tok-8c1f0a2b"
LISTED = 19


@asynccontextmanager
async def mcp(url: str, environ: dict[str, str] | None = None, **more: Any) -> Any:
    """The plugin with one server `box`. Its lists are there, or were refused, when it is given."""
    table = {"start": 60.0, "servers": {"box": {"url": url, "allow": ["everyone"], "timeout": PATIENCE, **more}}}
    async with factories.running(factories.build(plugin, table, factories.context("mcp", "compressor", environ=environ))) as made:
        yield made


def asked(session: str = "one", who: Principal | None = None, **more: Any) -> Any:
    body = {"model": "m", "messages": [{"role": "user", "content": f"Rain in {session}?"}], **more}
    exchange = factories.exchange(body, headers={"x-lynkr-session": session}, served=factories.candidates())
    exchange.principal = who or exchange.principal
    return exchange


def offered(mcp: Any, exchange: Any) -> list[str]:
    request = mcp.transform_request(exchange, exchange.request, exchange.candidates[1])
    return [tool.name for tool in request.tools] if request else []


async def answer(mcp: Any, name: str, arguments: str = '{"city": "Bern"}', **more: Any) -> str:
    exchange = asked(**more)
    assert f"mcp__box__{name}" in offered(mcp, exchange)
    return await exchange.inner.tools[f"mcp__box__{name}"](ToolCall(id="1", name=f"mcp__box__{name}", arguments=arguments))


async def test_tools_are_listed_and_called(box):
    async with mcp(box.url) as made:
        assert len(offered(made, asked())) == LISTED
        assert await answer(made, "weather_3") == "Rain in Bern"
        assert box.calls == [("weather_3", {"city": "Bern"})]
        assert made.status() == {"box": {"state": "ok", "tools": LISTED}}


async def test_only_tools_that_the_operator_wants(box):
    async with mcp(box.url, tools=["weather_1*"]) as made:
        assert offered(made, asked()) == ["mcp__box__weather_1", "mcp__box__weather_10", "mcp__box__weather_11"]


async def test_who_may_use_it(box):
    async with mcp(box.url, allow=["team:weather", "key:ci-* + class:robot"]) as made:
        assert offered(made, asked()) == []
        assert offered(made, asked(who=Principal(id="a", team="other"))) == []
        assert offered(made, asked(who=Principal(id="b", key="ci-1"))) == []
        assert len(offered(made, asked(who=Principal(id="c", team="weather")))) == LISTED
        assert len(offered(made, asked(who=Principal(id="d", key="ci-1", principal_class="robot")))) == LISTED


@pytest.mark.parametrize("local", [False, True])
async def test_what_must_not_leave_is_not_told_to_others(box, local):
    async with mcp(box.url, local=local) as made:
        exchange = asked()
        exchange.local_only = "policy.data: secrets"
        assert len(offered(made, exchange)) == (LISTED if local else 0)


@pytest.mark.parametrize(
    "more", [{"tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}, {"n": 2}]
)
async def test_requests_that_get_no_tools(box, more):
    async with mcp(box.url) as made:
        assert offered(made, asked(**more)) in ([], ["f"])


async def test_a_conversation_keeps_its_tools(box):
    """What was sent once stays, so that what the provider has cached stays valid; a new conversation has the new list."""
    async with mcp(box.url, refresh=1.0) as made:
        before = offered(made, asked("one"))
        box.tools = [*box.tools[:2], types.Tool(name="new", input_schema={"type": "object"})]
        await until(lambda: made.status()["box"]["tools"] == 3)
        assert offered(made, asked("one")) == before
        assert offered(made, asked("two")) == ["mcp__box__new", "mcp__box__weather_0", "mcp__box__weather_1"]


async def test_a_dead_server_does_not_hold_up_the_start():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/mcp"
    async with mcp(url) as made:
        assert offered(made, asked()) == []
        assert made.status()["box"] == {"state": "unreachable", "tools": 0}


async def test_a_slow_server_does_not_hold_up_the_start():
    """It takes connections and says nothing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        table = {"start": 0.1, "servers": {"box": {"url": url, "allow": ["everyone"], "timeout": 300.0}}}
        async with asyncio.timeout(PATIENCE), factories.running(factories.build(plugin, table, factories.context())) as made:
            assert offered(made, asked()) == []
            assert made.status()["box"]["state"] == "starting"


LIES: dict[str, dict[str, Any]] = {
    "a page": {"status": 200, "kind": "text/html", "body": b"<h1>Hi</h1>"},
    "no JSON": {"status": 200, "kind": "application/json", "body": b"{"},
    "another shape": {"status": 200, "kind": "application/json", "body": b'{"jsonrpc":"2.0","id":ID,"result":{"tools":7,"content":8}}'},
    "an error": {"status": 500, "kind": "text/plain"},
    "nothing to come": {"status": 202, "kind": "text/plain"},
    "a packed answer": {"status": 200, "kind": "application/json", "body": gzip.compress(b"x" * 10_000_000), "content_encoding": "gzip"},
    "without an end": {"status": 200, "kind": "application/json", "body": b" " * 65_536, "endless": True},
    "events without an end": {"status": 200, "kind": "text/event-stream", "body": b": no\n\n" * 10_000, "endless": True},
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("about", [b'"tools/call"', b'"tools/list"'], ids=["call", "list"])
async def test_a_lying_server_is_told_apart_from_a_tool(box, lie, caplog, name, about):
    told = lie(about, **LIES[name])
    if about == b'"tools/list"':
        box.lie = told
        async with mcp(box.url) as made:
            assert offered(made, asked()) == []
        return
    async with mcp(box.url) as made:
        box.lie = told
        said = await answer(made, "weather_1")
        assert said.startswith("The server box ")
        assert len(said) < 600
        assert ("more than is read" in said) == ("packed" in name or "without an end" in name)
        box.lie = None
        assert await answer(made, "weather_1") == "Rain in Bern"
    assert "Bern" not in caplog.text


async def test_nobody_is_sent_elsewhere(box, lie):
    """A redirect would carry the secret to another address."""
    async with mcp(box.url) as made:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            other.setblocking(False)
            box.lie = lie(b'"tools/call"', 307, "text/plain", location=f"http://127.0.0.1:{other.getsockname()[1]}/mcp")
            assert "The server box " in await answer(made, "weather_1")
            with pytest.raises(BlockingIOError):
                other.accept()


async def test_what_a_tool_says_is_told_with_bounds(box):
    async with mcp(box.url, max_text=200) as made:
        assert await answer(made, "fails") == "The tool reports an error: no such city"
        assert await answer(made, "wants") == "The server box gave an answer that cannot be read."
        assert await answer(made, "halves") == "The server box gave an answer that cannot be read."
        assert "over 1048576 bytes" in await answer(made, "talks")
    async with mcp(box.url, max_text=200, max_bytes=8_000_000) as made:
        said = await answer(made, "talks")
        assert said.startswith("x" * 200)
        assert "200 of 3000000" in said


@pytest.mark.parametrize("arguments", ["{", "[]", '"{}"', "7", "[" * 5_000])
async def test_arguments_that_are_no_object(box, arguments):
    async with mcp(box.url) as made:
        assert (await answer(made, "weather_1", arguments)).startswith("Not called: the arguments are no JSON object")
    assert box.calls == []


async def test_a_call_that_takes_too_long_is_given_up(box):
    async with mcp(box.url, timeout=4.0) as made:
        assert await answer(made, "waits") == "The server box gave no answer within 4 seconds. Go on without it."
        await until(box.given_up.is_set)
        assert await answer(made, "weather_1") == "Rain in Bern"


async def test_a_server_that_has_gone_is_told_and_not_asked_again_and_again(box, caplog):
    async with mcp(box.url) as made:
        assert await answer(made, "weather_1") == "Rain in Bern"
        box.__exit__()
        said = [await answer(made, "weather_1") for _ in range(4)]
        assert said[:3] == ["The server box cannot be reached. Go on without it."] * 3
        assert "did not answer the last calls" in said[3]
        assert len(offered(made, asked())) == LISTED
    assert caplog.text.count("does not answer") == 1


async def test_a_server_that_goes_in_the_middle_of_a_call(box):
    async with mcp(box.url) as made:
        calling = asyncio.ensure_future(answer(made, "waits"))
        await until(lambda: box.calls)
        box.__exit__()
        async with asyncio.timeout(PATIENCE):
            assert (await calling).startswith("The server box ")


async def test_who_leaves_takes_the_call_along(box):
    async with mcp(box.url) as made:
        calling = asyncio.ensure_future(answer(made, "waits"))
        await until(lambda: box.calls)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await until(box.given_up.is_set)


async def test_a_session_is_a_conversations_own(old):
    """State that a server keeps is kept through a conversation, and never seen by another, nor by another caller's of the same name."""
    async with mcp(old.url) as made:
        assert [await answer(made, "counts", session="one") for _ in range(3)] == ["count 1", "count 2", "count 3"]
        assert await answer(made, "counts", session="two") == "count 1"
        assert await answer(made, "counts", session="one", who=Principal(id="other")) == "count 1"
        assert await answer(made, "counts", session="one") == "count 4"
    await until(lambda: [method for method, _ in old.requests].count("DELETE") == 4)
    assert not [headers for _, headers in old.requests if "cookie" in headers]


async def test_a_server_may_forget_a_session(old):
    async with mcp(old.url) as made:
        assert await answer(made, "counts") == "count 1"
        old.forgets.set()
        assert await answer(made, "counts") == "count 1"


async def test_sessions_end_by_themselves(old):
    async with mcp(old.url, keep=0.5, refresh=1.0) as made:
        assert await answer(made, "counts") == "count 1"
        await until(lambda: not made._granted[0].server._sessions)


async def test_no_more_calls_at_once_than_agreed(box):
    async with mcp(box.url, concurrency=2) as made:
        calling = asyncio.gather(*[answer(made, "holds", session=str(n)) for n in range(6)])
        await until(lambda: box.running == 2)
        box.release.set()
        assert await calling == ["Rain in Bern"] * 6
        assert box.most_running == 2


async def test_many_conversations_at_once(box):
    async with mcp(box.url) as made:
        said = await asyncio.gather(
            *[answer(made, f"weather_{n % 12}", json.dumps({"city": str(n)}), session=str(n)) for n in range(120)]
        )
        assert said == [f"Rain in {n}" for n in range(120)]
        assert len(made._granted[0].server._sessions) <= 100


ODD = [
    types.Tool(name="x" * 60, input_schema={"type": "object"}),
    types.Tool(name="same.name", input_schema={"type": "object"}),
    types.Tool(name="same/name", input_schema={"type": "object"}),
    types.Tool(name="large", input_schema={"type": "object", "description": "x" * 40_000}),
    types.Tool(name="a.b/c d", description="y" * 10_000, input_schema={"type": "object"}),
]


async def test_tools_that_no_model_could_take_are_left_out(box):
    box.tools = [*ODD, *[types.Tool(name=f"t{n}", input_schema={"type": "object"}) for n in range(600)]]
    async with mcp(box.url) as made:
        exchange = asked()
        request = made.transform_request(exchange, exchange.request, exchange.candidates[1])
        names = [tool.name for tool in request.tools]
        assert names[0] == "mcp__box__a_b_c_d"
        assert len(request.tools[0].description) == 4_000
        assert not [name for name in names[1:] if not name.startswith("mcp__box__t")]
        assert 400 < len(names) < 500
        assert (await exchange.inner.tools[names[0]](ToolCall(id="1", name=names[0], arguments="{}"))) == "Rain in None"
        assert box.calls[-1][0] == "a.b/c d"


async def test_secrets_come_from_the_environment_and_are_not_shown(box, caplog):
    caplog.set_level(0)
    environ = {"BOX_TOKEN": SECRET, "BOX_KEY": "key-" + SECRET}
    async with mcp(box.url, environ, bearer_from="BOX_TOKEN", headers_from={"x-key": "BOX_KEY"}) as made:
        await answer(made, "weather_1")
        assert SECRET not in repr(made) + repr(vars(made)) + str(made.status())
        box.__exit__()
        await answer(made, "weather_1")
    assert {headers["authorization"] for _, headers in box.requests} == {f"Bearer {SECRET}"}
    assert {headers["x-key"] for _, headers in box.requests} == {f"key-{SECRET}"}
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"bearer_from": SECRET}, "servers.box.bearer_from"),
        ({"headers_from": {"x-key": SECRET}}, "servers.box.headers_from.x-key"),
        ({"headers_from": {"x key": "BOX"}}, "no name of a header"),
        ({"url": f"http://me:{SECRET}@127.0.0.1/mcp"}, "servers.box.url"),
        ({"url": "ftp://127.0.0.1/mcp"}, "servers.box.url"),
        ({"allow": ["nobody"]}, "no scope"),
        ({"allow": ["model:m"]}, "only who is calling"),
        ({"allow": []}, "length"),
        ({"timeout": 0.0}, "timeout"),
    ],
)
def test_mistakes_are_told_without_secrets(more, told):
    table = {"servers": {"box": {"url": "http://127.0.0.1/mcp", "allow": ["everyone"], **more}}}
    with pytest.raises((ConfigError, PluginError)) as caught:
        factories.build(plugin, table, factories.context())
    assert told in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["Box", "a__b", "", "a" * 31, "-a"])
def test_a_servers_name_stands_in_its_tools_names(name):
    table = {"servers": {name: {"url": "http://127.0.0.1/mcp", "allow": ["everyone"]}}}
    with pytest.raises(PluginError, match="small letters"):
        factories.build(plugin, table, factories.context())


def test_the_readme_names_every_setting_of_a_server():
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    assert [field.name for field in structs.fields(Remote) if f"\n| `{field.name}` |" not in readme] == []

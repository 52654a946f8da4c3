"""The gateway as an MCP server: the SDK's own clients of both generations, real keys, and who may see what."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from lynkr_core.request import Text
from lynkr_core.testing.saying import saying
from lynkr_core.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio
ADMIN = "the-admin-key-of-the-test"
CONFIG = """
[server]
list_models = false
admin_key = "the-admin-key-of-the-test"
cors_origins = ["https://inspector.example"]
[routing]
retries = 0
[provider.cloud]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["openai.chat"]
models = ["small", "large"]
[prices]
"cloud/small" = {{ input = 1.0, output = 2.0 }}
"cloud/large" = {{ input = 10.0, output = 20.0 }}
[tiers]
simple = ["cloud/small"]
reasoning = ["cloud/large"]
[store.sqlite]
path = "{folder}/lynkr.db"
[auth.keys]
[sink.journal]
[policy.budget]
[[policy.budget.limit]]
scope = "team:*"
per = "day"
usd = 10.0
[extension.mcp]
hosts = ["gateway.example:*"]
"""


@pytest.fixture(scope="module")
def served(serve_all, session_provider, tmp_path_factory):
    return serve_all(CONFIG.format(url=session_provider.url, folder=tmp_path_factory.mktemp("routes")))


@pytest.fixture(scope="module")
def keys(served):
    """Two callers' keys; each has asked once, for another model."""
    made = {}
    with httpx2.Client(base_url=served.url) as http:
        for name, models in (("ann", ["cloud/small"]), ("bob", [])):
            asked = {"name": name, "team": name, "models": models}
            told = http.post("/v1/admin/keys", json=asked, headers={"authorization": f"Bearer {ADMIN}"})
            made[name] = told.json()["key"]
    return made


@pytest.fixture
def provider(session_provider):
    return session_provider.reset().always(saying("openai.chat", Text(text="Hi"), usage=(1000, 100)))


@pytest.fixture
async def asked(served, keys, provider):
    """Ids of a request of each."""
    ids = {}
    async with httpx2.AsyncClient(base_url=served.url) as http:
        for name, model in (("ann", "cloud/small"), ("bob", "cloud/large")):
            body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
            told = await http.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {keys[name]}"})
            assert told.status_code == 200, told.text
            ids[name] = told.headers["x-lynkr-request-id"]
        for id in ids.values():
            async with asyncio.timeout(PATIENCE):
                while (await http.get(f"/v1/decisions/{id}", headers={"authorization": f"Bearer {ADMIN}"})).status_code != 200:
                    await asyncio.sleep(0.01)
    return ids


@asynccontextmanager
async def talking(served, key, mode="auto", **headers):
    headers |= {"authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(served.url + "/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def told(client, name, **arguments):
    result = await client.call_tool(name, arguments)
    [block] = result.content
    return block.text if result.is_error else json.loads(block.text)


modes = pytest.mark.parametrize("mode", ["auto", "legacy"])


@modes
async def test_an_operator_sees_everything(served, asked, mode):
    async with talking(served, ADMIN, mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["budgets", "explain", "routes", "usage"]
        rows = (await told(client, "usage", by="team,model"))["rows"]
        assert {(row["group"]["team"], row["group"]["model"]) for row in rows} >= {("ann", "small"), ("bob", "large")}
        budgets = (await told(client, "budgets", subject="team:"))["budgets"]
        assert {row["subject"] for row in budgets} == {"team:ann", "team:bob"}
        assert all(row["used"] + row["held"] > 0 for row in budgets)
        for name, id in asked.items():
            assert (await told(client, "explain", id=id))["team"] == name


@modes
async def test_a_caller_sees_its_own(served, keys, asked, mode):
    async with talking(served, keys["ann"], mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["explain", "routes", "usage"]
        rows = (await told(client, "usage", by="team"))["rows"]
        assert [row["group"]["team"] for row in rows] == ["ann"]
        assert (await told(client, "explain", id=asked["ann"]))["provider"] == "cloud"
        assert "there is no decision" in await told(client, "explain", id=asked["bob"])
        assert "only the admin key" in await told(client, "usage", where={"principal": "key:bob"})
        assert (await told(client, "usage", by="team", where={"team": "bob"}))["rows"] == []
        assert "no tool" in await told(client, "budgets")


@modes
async def test_routes_are_told_as_the_caller_would_be_served(served, keys, mode):
    async with talking(served, keys["ann"], mode) as client:
        known = await told(client, "routes")
        assert (known["tiers"]["simple"], known["tiers"]["reasoning"]) == (["cloud/small"], [])
        assert "cloud/large" not in known["models"]
        decided = await told(client, "routes", prompt="Hello", model="cloud/small")
        assert decided["order"] == ["cloud/small"]
        assert "may" in await told(client, "routes", prompt="Hello", model="cloud/large")
    async with talking(served, ADMIN, mode) as client:
        assert (await told(client, "routes"))["tiers"]["reasoning"] == ["cloud/large"]
        assert "nobody is served here without a key" in await told(client, "routes", prompt="Hello")


async def test_who_is_not_known_gets_nothing(served, keys):
    for key in ("", "sk-lynkr-nobody", ADMIN + "x"):
        async with httpx2.AsyncClient() as http:
            asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            headers = {"authorization": f"Bearer {key}"} if key else {}
            answer = await http.post(served.url + "/mcp", json=asked, headers=headers)
            assert answer.status_code == 401
            assert "usage" not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "gateway.example:8081"}, 200),
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example:80"}, 421),
        ({"origin": "https://inspector.example"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_pages_of_others_cannot_ask(served, headers, status):
    """A page whose name suddenly points to this machine sends its own name along."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    sent = {"authorization": f"Bearer {ADMIN}", "accept": "application/json, text/event-stream", **headers}
    async with httpx2.AsyncClient() as http:
        answer = await http.post(served.url + "/mcp", json=asked, headers=sent)
    assert answer.status_code == status
    assert ("budgets" in answer.text) == (status == 200)


async def test_what_is_no_message_is_refused(served):
    headers = {
        "authorization": f"Bearer {ADMIN}",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
    }
    async with httpx2.AsyncClient(base_url=served.url, headers=headers, timeout=60) as http:
        assert (await http.post("/mcp", content=b"{")).status_code == 400
        assert (await http.post("/mcp", content=b"[" * 200_000)).status_code == 400
        assert (await http.post("/mcp", content=b" " * 300_000)).status_code == 413
        assert (await http.post("/mcp", content=b" " * 10_000_000)).status_code == 413
        assert (await http.post("/mcp", content=b"{}", headers={"content-type": "text/plain"})).status_code == 400
        assert (await http.get("/mcp")).status_code == 405
        assert (await http.delete("/mcp")).status_code == 405


async def test_arguments_that_do_not_fit(served):
    async with talking(served, ADMIN) as client:
        assert "unknown field" in await told(client, "usage", nix=1)
        assert "do not fit" in await told(client, "usage", limit=10_000)
        assert "is no time" in await told(client, "usage", since="yesterday")
        assert "do not fit" in await told(client, "explain", id="../usage")
        assert "do not fit" in await told(client, "routes", prompt="x" * 100_001)
        with pytest.raises(MCPError):
            await client.read_resource("file:///etc/passwd")


async def test_many_at_once(served, asked, keys):
    """Each sees its own, whoever else is asking."""

    async def own(name):
        async with talking(served, keys[name]) as client:
            rows = (await told(client, "usage", by="team"))["rows"]
            return [row["group"]["team"] for row in rows]

    names = ["ann", "bob"] * 12
    assert await asyncio.gather(*[own(name) for name in names]) == [[name] for name in names]


async def test_no_keys_in_its_log(served, keys, asked):
    async with talking(served, keys["ann"]) as client:
        await told(client, "usage")
    assert not [key for key in (*keys.values(), ADMIN) if key in served.text]

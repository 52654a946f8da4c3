import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from lynkr_core import Context, PluginError
from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing import factories
from lynkr_core.testing.canned import Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.sink import SinkContract
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import until
from lynkr_core.upstream.http1 import Http1Transport
from lynkr_sink_webhook import plugin

SECRET = "whsec-4711"
TAKEN = Script(status=204, body=b"")
DOWN = Script(status=503)


class TestWebhookSink(SinkContract):
    plugin = plugin

    def make_table(self, directory: Path) -> Mapping[str, object]:
        return {"url": "http://127.0.0.1:1/hook", "secret": SECRET, "spill": str(directory / "spill"), "drain": 0.1}

    def make_context(self) -> Context:
        return structs.replace(super().make_context(), transport=Http1Transport())


@pytest.fixture
async def hook(anyio_backend):
    async with ScriptedProvider() as server:
        yield server.always(TAKEN)


@asynccontextmanager
async def sink(url, directory, **more):
    transport = Http1Transport()
    table = {"url": f"{url}/hook", "secret": SECRET, "spill": str(directory / "spill"), "pause": 0.01, **more}
    try:
        async with factories.running(factories.build(plugin, table, factories.context(transport=transport))) as made:
            yield made
    finally:
        await transport.aclose()


def serve(made, count):
    """So many exchanges end; gives their ids."""
    found = []
    for _ in range(count):
        exchange = factories.exchange(samples.request("openai.chat", "hi"))
        made.post_response(exchange, factories.outcome("ok", chosen=factories.candidate("local/llama")))
        found.append(exchange.id)
    return found


def ids(hook, taken_from=0):
    return [record["id"] for received in hook.requests[taken_from:] for record in received.json()]


@pytest.mark.anyio
async def test_what_a_gateway_serves_is_told_and_signed(hook, tmp_path):
    text = f'[provider.echo]\n[sink.webhook]\nurl = "{hook.url}/hook"\nsecret = "{SECRET}"\nspill = "{tmp_path}/spill"\n'
    async with Client(Application(Kernel.from_config(parse(text, {}), {}))) as client:
        answer = await client.post("/v1/chat/completions", json=samples.request("openai.chat", "planted-words"))
        await hook.arrived()
    (record,) = hook.last.json()
    assert record["id"] == answer.headers["x-lynkr-request-id"]
    assert (record["status"], record["served"], record["output_tokens"] > 0) == ("ok", "echo/echo", True)
    assert b"planted-words" not in hook.last.body
    stamp, digest = re.fullmatch(r"t=(\d+),v1=(\w+)", hook.last.headers["x-lynkr-signature"]).groups()
    assert abs(time.time() - int(stamp)) < 600
    assert digest == hmac.new(SECRET.encode(), stamp.encode() + b"." + hook.last.body, hashlib.sha256).hexdigest()


@pytest.mark.anyio
async def test_nothing_is_lost_while_the_hook_is_down(hook, tmp_path):
    hook.always(DOWN)
    async with sink(hook.url, tmp_path, batch=10, drain=60) as made:
        sent = serve(made, 25)
        await hook.arrived(3)
        sent += serve(made, 25)
        failed = len(hook.requests)
        assert made.status()["spilled_bytes"] > 0
        hook.always(TAKEN)
        await until(lambda: made.counts["delivered"] == 50)
        sent += serve(made, 5)
        await until(lambda: made.counts["delivered"] == 55)
        assert made.status()["spilled_bytes"] == made.counts["lost"] == 0
    assert [id for id in dict.fromkeys(ids(hook, failed))][-5:] == sent[-5:]
    delivered = dict.fromkeys(ids(hook))
    assert list(delivered) == sent
    assert max(len(received.json()) for received in hook.requests) == 10


@pytest.mark.anyio
async def test_what_waits_outlives_the_process(hook, tmp_path):
    hook.always(DOWN)
    async with sink(hook.url, tmp_path, drain=0.05) as made:
        sent = serve(made, 7)
    assert (tmp_path / "spill").read_bytes().count(b"\n") == 7
    with (tmp_path / "spill").open("ab") as file:
        file.write(b'{"id": "cut o')
    hook.reset().always(TAKEN)
    async with sink(hook.url, tmp_path) as made:
        await until(lambda: made.counts["delivered"] == 7)
    assert ids(hook) == sent
    assert (tmp_path / "spill").read_bytes() == b""


@pytest.mark.anyio
async def test_a_dead_hook_is_as_good_as_one_that_refuses(tmp_path):
    async with sink("http://127.0.0.1:1", tmp_path, drain=0.05) as made:
        serve(made, 3)
        await until(lambda: made.counts["unavailable"] >= 2)
    assert (tmp_path / "spill").read_bytes().count(b"\n") == 3


@pytest.mark.anyio
async def test_what_is_beyond_the_bound_is_counted(hook, tmp_path, caplog):
    hook.always(DOWN)
    async with sink(hook.url, tmp_path, max_spill=2000, drain=0.05) as made:
        serve(made, 50)
        await until(lambda: made.failing)
        serve(made, 50)
        assert made.counts["lost"] > 50
        assert (tmp_path / "spill").stat().st_size <= 2000
        hook.always(TAKEN)
        await until(lambda: made.status()["spilled_bytes"] == 0)
        assert made.counts["delivered"] + made.counts["lost"] == 100
    assert caplog.text.count("records are lost from now on") == 1


@pytest.mark.anyio
async def test_more_than_memory_takes_waits_in_the_file(hook, tmp_path):
    hook.always(TAKEN.but(delay=0.01))
    async with sink(hook.url, tmp_path, memory=5, batch=100) as made:
        sent = serve(made, 200)
        assert len(made.waiting) == 5
        await until(lambda: made.counts["delivered"] == 200)
    assert sorted(ids(hook)) == sorted(sent)


@pytest.mark.anyio
async def test_a_hook_that_asks_to_be_left_alone_is(hook, tmp_path):
    hook.always(Script(status=429, headers={"retry-after": "600"}))
    async with sink(hook.url, tmp_path, drain=0.05) as made:
        serve(made, 1)
        await until(lambda: made.failing)
        await asyncio.sleep(0.1)
        assert len(hook.requests) == 1


@pytest.mark.anyio
async def test_two_processes_share_no_file_and_what_one_leaves_the_other_delivers(hook, tmp_path):
    hook.always(DOWN)
    async with sink(hook.url, tmp_path, drain=0.05) as first:
        async with sink(hook.url, tmp_path, drain=0.05) as second:
            sent = serve(first, 3) + serve(second, 4)
        assert (tmp_path / "spill.1").read_bytes().count(b"\n") == 4
        hook.reset().always(TAKEN)
        await until(lambda: first.counts["delivered"] == 7)
    assert ids(hook) == sent


def test_mistakes_are_told(tmp_path):
    with pytest.raises(PluginError, match="not an http or https URL"):
        factories.build(plugin, {"url": "hook", "secret": "x"}, factories.context())
    with pytest.raises(PluginError, match="must not be empty"):
        factories.build(plugin, {"url": "http://127.0.0.1:1", "secret": ""}, factories.context())


@pytest.mark.anyio
async def test_names_of_any_length_make_short_records(hook, tmp_path):
    hook.always(DOWN)
    async with sink(hook.url, tmp_path, drain=60) as made:
        for _ in range(3):
            exchange = factories.exchange({**samples.request("openai.chat", "hi"), "model": "m" * 3_000_000})
            made.post_response(exchange, factories.outcome("refused"))
        await until(lambda: made.failing)
        hook.always(TAKEN)
        await until(lambda: made.counts["delivered"] == 3)
    assert len(hook.last.body) < 3000


@pytest.mark.anyio
async def test_a_file_that_cannot_be_had_is_told(tmp_path):
    (tmp_path / "spill").mkdir()
    with pytest.raises(PluginError, match="spill"):
        async with sink("http://127.0.0.1:1", tmp_path):
            pass

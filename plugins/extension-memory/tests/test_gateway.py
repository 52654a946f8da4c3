"""Through whole gateways: keys, routes, streams, failover, the prompt cache's guard, and the command."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx2
import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError, LynkrError, PluginError
from lynkr_core.kernel import Kernel
from lynkr_core.request import Text
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing.client import Client
from lynkr_core.testing.process import gateway, lynkr
from lynkr_core.testing.promptcache import PromptCache
from lynkr_core.testing.saying import saying
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import until
from lynkr_core.tokens import estimate_text
from lynkr_extension_memory.commands import Commands

from .talking import Talk, memory

pytestmark = pytest.mark.anyio
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
ADMIN = {"x-api-key": "the-admin-key"}
DOG, SAID = "What is my dog called?", "My dog is called Rex."
TOML = """
[server]
admin_key = "the-admin-key"
[routing]
retries = 0
[provider.up]
use = "anthropic"
base_url = "URL"
api_key = "sk-upstream"
models = ["m"]
[provider.other]
use = "openai-compatible"
base_url = "URL/v1"
api_key = "k"
models = ["n"]
[prices]
"up/m" = { input = 3, output = 15, cache_read = 0.3, cache_write = 3.75 }
[auth.keys]
[extension.memory]
scope = "user"
[sink.journal]
"""


class Gateway:
    def __init__(self, url, more="", toml=TOML):
        self.kernel = Kernel.from_config(parse(toml.replace("URL", url) + more, {}), {})
        self.client = Client(Application(self.kernel))
        self.memory = next(plugin.instance for plugin in self.kernel.plugins if plugin.name == "memory")

    async def key(self, **fields):
        answer = await self.client.post("/v1/admin/keys", json=fields, headers=ADMIN)
        return {"x-lynkr-key": answer.json()["key"], "x-lynkr-session": "s"}

    async def say(self, headers, *texts, path=CHAT, model="up/m", **more):
        """One request of a conversation with so many turns of the user, answered. Waits until nothing is under way any more."""
        messages = []
        for text in texts:
            messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "I see."}]
        field = "input" if path == RESPONSES else "messages"
        body = {"model": model, field: messages[:-1], **({"max_tokens": 50} if path == MESSAGES else {}), **more}
        answer = await self.client.post(path, json=body, headers=headers)
        assert answer.status == 200, answer.text
        await until(lambda: not self.kernel.background._tasks)
        return answer

    async def listed(self, headers, query=""):
        return (await self.client.get("/v1/memory" + query, headers=headers)).json()["data"]


@pytest.fixture
async def made(scripted_provider):
    gateway = Gateway(scripted_provider.url)
    async with gateway.client:
        yield gateway


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("model", ["up/m", "other/n"])
async def test_every_front_towards_every_upstream(made, scripted_provider, path, model, stream):
    key = await made.key()
    said = "We've decided to buy a second dog."
    scripted_provider.then(saying("anthropic.messages" if model == "up/m" else "openai.chat", Text(text=said)))
    await made.say(key, SAID, path=path, model=model, stream=stream)
    kept = [one["text"] for one in await made.listed(key)]
    assert sorted(kept) == [SAID[:-1], said[:-1]]
    answer = await made.say({**key, "x-lynkr-session": "t"}, DOG, path=path, model=model, stream=stream)
    sent = scripted_provider.last.body.decode()
    assert sent.count("recalled-memory") == 2
    assert sent.index(DOG) < sent.index(SAID[:-1])
    if not stream:
        assert int(answer.headers["x-lynkr-saved-tokens"]) < 0, "what is added is told as less than nothing saved"


async def test_each_caller_sees_and_forgets_its_own(made):
    anna, ben = await made.key(name="anna"), await made.key(name="ben")
    await made.say(anna, f"{SAID} I prefer tabs over spaces.")
    await made.say(ben, "My dog is called Bello.")
    assert {one["text"] for one in await made.listed(anna)} == {"My dog is called Rex", "I prefer tabs over spaces"}
    (bens,) = await made.listed(ben)
    assert len(await made.listed(ADMIN)) == 3
    assert [one["text"] for one in await made.listed(ADMIN, f"?who={bens['who']}")] == ["My dog is called Bello"]
    assert [one["kind"] for one in await made.listed(anna, "?kind=preference")] == ["preference"]
    one = f"/v1/memory/{bens['id']}"
    for method in ("GET", "DELETE"):
        assert (await made.client.request(method, one, headers=anna)).status == 404
        assert (await made.client.request(method, one)).status == 401
    assert (await made.client.get(one, headers=ben)).json() == bens
    assert (await made.client.request("DELETE", one, headers=ben)).json() == {"id": bens["id"], "forgotten": 1}
    assert await made.listed(ben) == []
    assert (await made.client.request("DELETE", "/v1/memory", headers=ben)).json() == {"forgotten": 0}
    assert len(await made.listed(anna)) == 2
    assert (await made.client.request("DELETE", "/v1/memory", headers=ADMIN)).status == 400
    assert (await made.client.request("DELETE", "/v1/memory?all=true", headers=ADMIN)).json() == {"forgotten": 2}
    assert await made.listed(anna) == []


async def test_what_is_forgotten_is_sent_no_more(made, scripted_provider):
    key = await made.key()
    await made.say(key, SAID)
    later = {**key, "x-lynkr-session": "t"}
    await made.say(later, DOG)
    assert "Rex" in scripted_provider.last.body.decode()
    await made.client.request("DELETE", "/v1/memory", headers=key)
    await made.say(later, DOG, "And now?")
    assert "Rex" not in scripted_provider.last.body.decode()


async def test_strangers_are_told_nothing(scripted_provider):
    gateway = Gateway(scripted_provider.url, toml=TOML.replace("[server]", "[server]\nallow_anonymous = true"))
    async with gateway.client:
        key = await gateway.key()
        await gateway.say(key, SAID)
        nobody = {"x-lynkr-session": "s"}
        await gateway.say(nobody, "My cat is called Mia.")
        await gateway.say(nobody, DOG)
        assert "recalled" not in scripted_provider.last.body.decode()
        assert await gateway.listed(nobody) == []
        (one,) = await gateway.listed(ADMIN)
        assert (await gateway.client.get(f"/v1/memory/{one['id']}", headers=nobody)).status == 404


async def test_what_the_provider_has_cached_is_found_again_and_nothing_is_vetoed(scripted_provider):
    """A client that marks what to cache, as coding agents do, for ten turns; and one that leaves it to the guard."""
    gateway = Gateway(scripted_provider.url, "[compressor.cache-guard]\n[compressor.tool-results]\n")
    async with gateway.client:
        key = await gateway.key()
        await gateway.say(key, "My dog is called Rex. My cat is called Mia. Call me Sam. We use PostgreSQL 16.")
        for session, marks in (("marked", True), ("plain", False)):
            cache, messages, cached = PromptCache(estimate_text), [], 0
            for turn in range(10):
                ask = ("My cat?", DOG, "go on", "Which PostgreSQL?")[turn % 4] + " " + "words " * 1_600
                block = {"type": "text", "text": ask, **({"cache_control": {"type": "ephemeral"}} if marks else {})}
                for part in (part for message in messages for part in message["content"]):
                    part.pop("cache_control", None)
                messages.append({"role": "user", "content": [block]})
                body = {"model": "up/m", "max_tokens": 50, "messages": messages}
                answer = await gateway.client.post(MESSAGES, json=body, headers={**key, "x-lynkr-session": session})
                assert answer.status == 200
                messages.append({"role": "assistant", "content": [{"type": "text", "text": "I see."}]})
                sent = scripted_provider.last.json()
                used = cache.bill(sent, turn)
                assert used.cache_read == cached, f"turn {turn} of {session}: what was cached is not found again"
                cached = used.cache_read + used.cache_write
            assert cached > 15_000
            assert msgspec.json.encode(sent).count(b"<recalled-memory") >= 3
        guard = next(plugin.instance for plugin in gateway.kernel.plugins if plugin.name == "cache-guard")
        assert guard.status()["vetoes"] == {}
        calls = [call.plugin for call in gateway.kernel.hooks.transform_request.calls]
        assert calls.index("extension.memory") < calls.index("compressor.cache-guard"), "it is watched"


async def test_another_provider_gets_the_same(scripted_provider):
    gateway = Gateway(scripted_provider.url, '[models]\n"both" = ["up/m", "other/n"]\n')
    async with gateway.client:
        key = await gateway.key()
        await gateway.say(key, SAID)
        scripted_provider.then(saying("anthropic.messages", Text(text="x")).but(status=503))
        await gateway.say({**key, "x-lynkr-session": "t"}, DOG, model="both")
        assert [request.path for request in scripted_provider.requests[-2:]] == ["/v1/messages", "/v1/chat/completions"]
        for request in scripted_provider.requests[-2:]:
            assert request.body.decode().count("dog is called Rex") == 1


async def test_ten_megabytes_are_no_reason_to_fail(made, scripted_provider):
    key = await made.key()
    await made.say(key, SAID)
    await made.say({**key, "x-lynkr-session": "t"}, f"{DOG} " + "I prefer nothing at all. " * 400_000)
    assert "recalled-memory" in scripted_provider.last.body[-4000:].decode()
    assert len(await made.listed(key)) <= 2


async def test_nobodys_words_are_in_the_log_or_the_journal(made, caplog, capfd):
    caplog.set_level(0)
    key = await made.key()
    await made.say(key, "My dog is called Rexmarker.")
    await made.say({**key, "x-lynkr-session": "t"}, DOG)
    records = await made.kernel.stores.memory.query(limit=100)
    told = capfd.readouterr()
    ready = (await made.client.get("/health/ready")).text
    assert "Rexmarker" not in caplog.text + told.out + told.err + str(records) + ready


async def test_mistakes_in_the_file_are_told():
    for line, named in (
        ('store = "nothing"', "store.nothing"),
        ('model = "huge"', "huge"),
        ("surprise = 2", "surprise"),
        ("x = 1", "x"),
    ):
        with pytest.raises(ConfigError, match=named):
            Kernel.from_config(parse(TOML.replace('scope = "user"', line), {}), {})


async def test_the_command_lists_shows_and_forgets(tmp_path):
    async with ScriptedProvider() as upstream:
        toml = TOML.replace("[auth.keys]", "").replace("[sink.journal]", '[store.sqlite]\npath = "kept.db"')
        toml = toml.replace('scope = "user"', 'scope = "user"\nanonymous = true')
        (tmp_path / "lynkr.toml").write_text(toml.replace("URL", upstream.url))
        with gateway(cwd=tmp_path) as running:
            async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
                body = {"model": "up/m", "messages": [{"role": "user", "content": f"{SAID} I prefer tabs over spaces."}]}
                assert (await client.post(f"{running.url}{CHAT}", json=body)).status_code == 200
            assert running.stop() == 0
        rows = msgspec.json.decode(lynkr("memory", "list", "--json", cwd=tmp_path).stdout)
        assert {row["text"] for row in rows} == {"My dog is called Rex", "I prefer tabs over spaces"}
        assert lynkr("memory", "forget", "--who", "anonymous", cwd=tmp_path).stdout == "2 forgotten\n"
        assert b"Rex" not in b"".join([path.read_bytes() for path in tmp_path.glob("kept.db*")])


async def kept() -> Commands:
    made = memory(Stores(MemoryStore()), scope="user")
    await Talk(made).say("My dog is called Rex. I prefer tabs over spaces.")
    return Commands(made.shelf, cast("Any", object()))


def test_the_command_by_id_kind_and_caller(capsys):
    made = asyncio.run(kept())

    def run(command, *args, **options):
        command(*args, **options)
        return capsys.readouterr().out

    rows = msgspec.json.decode(run(made.list, json=True))
    assert {row["who"] for row in rows} == {"key:anna"}
    assert "My dog is called Rex" in run(made.list, kind="fact")
    assert "dog" not in run(made.list, kind="preference")
    id = next(row["id"] for row in rows if row["kind"] == "fact")
    assert msgspec.json.decode(run(made.show, id))["text"] == "My dog is called Rex"
    assert run(made.forget, id) == "1 forgotten\n"
    for wrong in (lambda: made.show(id), lambda: made.forget(id), made.forget):
        with pytest.raises(LynkrError, match=r"there is no memory|say what is to be forgotten"):
            wrong()
    assert run(made.forget, who="nobody") == "0 forgotten\n"
    assert run(made.forget, all=True) == "1 forgotten\n"
    assert run(made.list, json=True) == "[]\n"


def test_without_a_store_on_disk_the_command_says_so():
    made = memory()
    with pytest.raises(PluginError, match="enable a store"):
        made.commands.list()

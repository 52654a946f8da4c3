"""A whole gateway with keys: who gets in, what it may use and see, and what is told of it."""

import json

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.client import Client

pytestmark = pytest.mark.anyio
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
ADMIN = {"x-api-key": "the-admin-key"}
BODIES = {
    CHAT: {"model": "up/a", "messages": [{"role": "user", "content": "hi"}]},
    MESSAGES: {"model": "up/a", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    RESPONSES: {"model": "up/a", "input": "hi"},
}
CONFIG = """
[server]
admin_key = "the-admin-key"
[routing]
retries = 0
[provider.up]
use = "openai-compatible"
base_url = "{url}/v1"
api_key = "the-operators-key"
models = ["a", "b"]
local = false
[provider.house]
use = "openai-compatible"
base_url = "{url}/v1"
models = ["c"]
[tiers]
simple = ["house/c"]
complex = ["up/b"]
[auth.keys]
[sink.journal]
"""


class Gateway:
    def __init__(self, url, more=""):
        self.kernel = assemble(parse(CONFIG.format(url=url) + more, {}), {})
        self.client = Client(Application(self.kernel))

    async def made(self, **fields):
        answer = await self.client.post("/v1/admin/keys", json=fields, headers=ADMIN)
        assert answer.status == 201, answer.body
        return answer.json()

    async def ask(self, key, model="up/a", path=CHAT, **more):
        return await self.client.post(
            path, json={**BODIES[path], "model": model, **more}, headers={"authorization": f"Bearer {key}"}
        )


@pytest.fixture
async def gateway(scripted_provider):
    made = Gateway(scripted_provider.url)
    async with made.client:
        yield made


@pytest.mark.parametrize("path", BODIES)
async def test_nobody_is_served_without_a_key_and_is_told_so_in_its_dialect(gateway, scripted_provider, path):
    for headers in ({}, {"authorization": "Bearer sk-nothing-of-lynkrs"}, {"x-api-key": "lk_made-up"}):
        answer = await gateway.client.post(path, json=BODIES[path], headers=headers)
        error = answer.json()["error"]
        assert (answer.status, error["type"]) == (401, "authentication_error")
        assert "x-api-key" in error["message"]
    for read in ("/v1/models", "/v1/models/up/a", "/v1/decisions/x"):
        assert (await gateway.client.get(read)).status == 401
    assert (await gateway.client.post("/v1/up/files", content=b"x")).status == 401
    assert (await gateway.client.post("/v1/route", json=BODIES[CHAT])).status == 401
    assert scripted_provider.requests == []


@pytest.mark.parametrize("place", ["authorization", "x-api-key", "x-lynkr-key", "x-goog-api-key", "query"])
async def test_a_key_is_taken_from_every_place(gateway, scripted_provider, place):
    scripted_provider.always(CANNED["openai.chat"])
    key = (await gateway.made())["key"]
    headers = {} if place == "query" else {place: f"Bearer {key}" if place == "authorization" else key}
    answer = await gateway.client.post(CHAT + (f"?key={key}" if place == "query" else ""), json=BODIES[CHAT], headers=headers)
    assert answer.status == 200
    received = scripted_provider.requests[-1]
    assert received.headers["authorization"] == "Bearer the-operators-key"
    assert key not in str(received.headers) + received.path


async def test_the_admin_routes_make_list_rotate_and_revoke(gateway, scripted_provider):
    scripted_provider.always(CANNED["openai.chat"])
    made = await gateway.made(name="ci", team="t", **{"class": "T3"}, expires_in="30d")
    id = made["id"]
    listed = (await gateway.client.get("/v1/admin/keys", headers=ADMIN)).json()["data"]
    assert [(one["name"], one["class"], one["state"], "key" in one, "hash" in one) for one in listed] == [
        ("ci", "T3", "active", False, False)
    ]
    rotated = (await gateway.client.post(f"/v1/admin/keys/{id}/rotate", json={"grace": 0}, headers=ADMIN)).json()
    assert (await gateway.ask(made["key"])).status == 401
    assert (await gateway.ask(rotated["key"])).status == 200
    gone = await gateway.client.request("DELETE", f"/v1/admin/keys/{id}", headers=ADMIN)
    assert gone.json() == {"id": id, "state": "revoked"}
    assert (await gateway.ask(rotated["key"])).status == 401
    assert (await gateway.client.get(f"/v1/admin/keys/{id}", headers=ADMIN)).json()["state"] == "revoked"
    assert (await gateway.client.post(f"/v1/admin/keys/{id}/rotate", headers=ADMIN)).status == 404
    assert (await gateway.client.get("/v1/admin/keys/nothing", headers=ADMIN)).status == 404


async def test_the_admin_routes_are_for_the_admin(gateway):
    key = (await gateway.made())["key"]
    for headers in ({}, {"x-api-key": key}, {"x-lynkr-key": key, **ADMIN}):
        for method, path in (("POST", ""), ("GET", ""), ("DELETE", "/abcdefghij"), ("POST", "/abcdefghij/rotate")):
            answer = await gateway.client.request(method, f"/v1/admin/keys{path}", headers=headers)
            assert answer.status == 401, (method, path)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"nme": 1}, "nme"),
        ({"tiers": ["huge"]}, "huge"),
        ({"expires_in": "soon"}, "expires_in"),
        ({"models": "x"}, "models"),
        ([], "array"),
    ],
)
async def test_what_is_wrong_with_a_wish_is_told(gateway, body, named):
    answer = await gateway.client.post("/v1/admin/keys", json=body, headers=ADMIN)
    assert answer.status == 400
    assert named in answer.text


async def test_a_key_uses_and_sees_what_it_may(gateway, scripted_provider):
    scripted_provider.always(CANNED["openai.chat"])
    key = (await gateway.made(models=["up/a"]))["key"]
    assert (await gateway.ask(key)).status == 200
    refused = await gateway.ask(key, "up/b")
    assert (refused.status, refused.json()["error"]["type"]) == (403, "permission_error")
    bearer = {"authorization": f"Bearer {key}"}
    listed = [one["id"] for one in (await gateway.client.get("/v1/models", headers=bearer)).json()["data"]]
    assert listed == ["up/a"]
    assert (await gateway.client.get("/v1/models/up/b", headers=bearer)).status == 404


@pytest.mark.parametrize(
    ("fields", "models"),
    [
        ({}, {"auto", "simple", "medium", "complex", "reasoning", "up/a", "up/b", "house/c"}),
        ({"local_only": True}, {"auto", "simple", "medium", "complex", "reasoning", "house/c"}),
        ({"tiers": ["complex"]}, {"auto", "simple", "medium", "complex", "reasoning", "up/b"}),
        ({"models": ["nobody/*"]}, set()),
    ],
)
async def test_the_list_of_models_is_the_callers(gateway, fields, models):
    key = (await gateway.made(**fields))["key"]
    listed = (await gateway.client.get("/v1/models", headers={"x-api-key": key})).json()["data"]
    assert {one["id"] for one in listed} == models


@pytest.mark.parametrize(
    ("fields", "up", "house"),
    [
        ({}, 200, 200), ({"models": ["up/*"]}, 200, 403), ({"models": ["up/a"]}, 403, 403), ({"models": ["*"]}, 200, 200),
        ({"tiers": ["complex"]}, 403, 403), ({"local_only": True}, 403, 200), ({"models": ["house/*"], "local_only": True}, 403, 200),
    ],
)  # fmt: skip
async def test_what_is_passed_on_obeys_too(gateway, scripted_provider, fields, up, house):
    scripted_provider.always(Script(body=b"{}"))
    key = {"x-api-key": (await gateway.made(**fields))["key"]}
    body = json.dumps({"model": "a"}).encode()
    assert (await gateway.client.post("/v1/up/audio/speech", content=body, headers=key)).status == up
    assert (await gateway.client.post("/v1/house/audio/speech", content=body, headers=key)).status == house


async def test_the_master_key_is_from_the_environment(scripted_provider):
    scripted_provider.always(CANNED["openai.chat"])
    text = CONFIG.format(url=scripted_provider.url).replace("[auth.keys]", '[auth.keys]\nmaster_key = "${MASTER}"')
    kernel = assemble(parse(text, {"MASTER": "a-master-key-from-outside"}), {})
    async with Client(Application(kernel)) as client:
        assert (await client.post(CHAT, json=BODIES[CHAT], headers={"x-api-key": "a-master-key-from-outside"})).status == 200
        assert (await client.post(CHAT, json=BODIES[CHAT], headers={"x-api-key": "a-master-key-from-outsidf"})).status == 401


async def test_no_key_and_no_hash_is_told_anywhere(gateway, scripted_provider, caplog, capfd):
    caplog.set_level(0)
    scripted_provider.always(CANNED["openai.chat"])
    made = await gateway.made(name="ci", **{"class": "T2"})
    key = made["key"]
    forged = key[:-1] + ("A" if key[-1] != "A" else "B")
    answers = [await gateway.ask(one, model) for one in (key, forged) for model in ("up/a", "nobody", "auto")]
    answers += [await gateway.client.get("/health/ready"), await gateway.client.get("/v1/admin/keys", headers=ADMIN)]
    answers.append(await gateway.client.post("/v1/route", json=BODIES[CHAT], headers={"x-api-key": key}))
    records = await gateway.kernel.stores.memory.query(limit=1000)
    assert {record["key"] for record in records} == {"ci", None}
    assert {record["class"] for record in records} == {"T2", None}
    printed = capfd.readouterr()
    seen = str([(one.body, one.headers) for one in answers]) + str(records) + caplog.text + printed.out + printed.err
    keys = next(plugin.instance for plugin in gateway.kernel.plugins if plugin.kind == "auth")
    pepper = await keys._book.pepper()
    for secret in (key, forged, key[13:], pepper.hash(key)):
        assert secret not in seen
        assert secret not in str(scripted_provider.requests[-1].headers)


@pytest.mark.parametrize("anonymous", [True, False])
async def test_strangers_come_in_only_where_that_is_said(scripted_provider, anonymous):
    scripted_provider.always(CANNED["openai.chat"])
    text = CONFIG.format(url=scripted_provider.url).replace("[server]", f"[server]\nallow_anonymous = {str(anonymous).lower()}")
    async with Client(Application(assemble(parse(text, {}), {}))) as client:
        assert (await client.post(CHAT, json=BODIES[CHAT])).status == (200 if anonymous else 401)
        assert (await client.post(CHAT, json=BODIES[CHAT], headers={"x-api-key": "lk_x"})).status == 401

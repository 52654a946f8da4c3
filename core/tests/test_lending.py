"""Callers that bring a provider's key of their own: who gets it, who does not, and who is told to have paid."""

import logging

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError, InvalidRequest
from lynkr_core.exchange import Principal
from lynkr_core.lending import billed_to_caller, callers_key
from lynkr_core.plugins import installed, manifest
from lynkr_core.provider import HTTPConfig
from lynkr_core.secret import Secret
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.anyio
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
OWN, OTHER, OPERATOR = "sk-ant-oat01-callers-own-canary", "sk-or-callers-own-canary", "the-operators-key"
CONFIG = """
[routing]
retries = 0
[provider.first]
use = "anthropic"
base_url = "{one}"
api_key = "the-operators-key"
caller_keys = ["sk-ant-"]
models = ["m"]
[provider.second]
use = "openai"
base_url = "{two}/v1"
api_key = "the-operators-key"
organization = "the-operators-organization"
caller_keys = ["sk-"]
caller_headers = ["chatgpt-account-id"]
models = ["m"]
[provider.third]
use = "openai-compatible"
base_url = "{two}/third"
api_key = "the-operators-key"
[models]
both = ["first/m", "second/m", "third/m"]
[sink.journal]
"""


@pytest.fixture
async def one(anyio_backend):
    async with ScriptedProvider() as provider:
        yield provider.always(CANNED["anthropic.messages"])


@pytest.fixture
async def two(anyio_backend):
    async with ScriptedProvider() as provider:
        yield provider.always(CANNED["openai.chat"])


@pytest.fixture
async def client(one, two, auth):
    kernel = assemble(parse(CONFIG.format(one=one.url, two=two.url), {}), {})
    kernel.hooks.authenticate.calls = auth
    async with Client(Application(kernel)) as talking:
        talking.kernel = kernel
        yield talking


class Known:
    """An auth plugin that knows one key."""

    is_async, plugin, kind = False, "auth.test", "auth"

    def now(self, args):
        return (
            Principal(id="ada")
            if args[0].headers.get(b"x-lynkr-key") == b"lk_1" or b"lk_1" in str(args[0].headers).encode()
            else None
        )


@pytest.fixture(params=[False, True], ids=["nobody asks", "auth"])
def auth(request):
    return (Known(),) if request.param else ()


def body(model):
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


async def ask(client, model="first/m", path=MESSAGES, key=OWN, **headers):
    return await client.post(path, json=body(model), headers={"x-lynkr-key": "lk_1", "authorization": f"Bearer {key}", **headers})


async def test_the_provider_is_asked_with_the_callers_key(client, one):
    answer = await ask(client, **{"anthropic-beta": "oauth-2025-04-20"})
    assert answer.status == 200
    assert one.last.headers["authorization"] == f"Bearer {OWN}"
    assert one.last.headers["anthropic-beta"] == "oauth-2025-04-20"
    assert OPERATOR not in str(one.last.headers)
    assert "lk_1" not in str(one.last.headers)
    record = (await client.kernel.stores.memory.query())[0]
    assert (record["billed"], record["provider"]) == ("caller", "first")


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
async def test_who_brings_none_is_served_by_the_operators(client, one, path):
    answer = await client.post(path, json=body("first/m"), headers={"x-lynkr-key": "lk_1"})
    assert answer.status == 200
    assert one.last.headers["x-api-key"] == OPERATOR
    assert (await client.kernel.stores.memory.query())[0]["billed"] == "operator"


@pytest.mark.parametrize("status", [429, 500, 529])
async def test_a_fallback_to_another_provider_never_gets_the_key(client, one, two, status):
    one.always(Script(status=status, body=b'{"type":"error","error":{"type":"overloaded_error","message":"no"}}'))
    for stream in (False, True):
        answer = await client.post(
            MESSAGES, json={**body("both"), "stream": stream}, headers={"x-lynkr-key": "lk_1", "x-api-key": OWN}
        )
        assert answer.status == 200
    assert len(one.requests) == len(two.requests) == 2
    for received in two.requests:
        assert OWN not in str(received.headers) + received.path + received.body.decode()
        assert received.headers["authorization"] == f"Bearer {OPERATOR}"
    assert [record["billed"] for record in await client.kernel.stores.memory.query()] == ["operator"] * 2


async def test_a_key_goes_where_most_is_said_of_it(client, one, two):
    assert (await ask(client, "second/m", CHAT, OTHER, **{"chatgpt-account-id": "acc"})).status == 200
    assert two.last.headers["authorization"] == f"Bearer {OTHER}"
    assert two.last.headers["chatgpt-account-id"] == "acc"
    assert "the-operators-organization" not in str(two.last.headers)
    assert (await ask(client, "second/m", CHAT, OWN, **{"chatgpt-account-id": "acc"})).status == 200
    assert OWN not in str(two.last.headers)
    assert two.last.headers["authorization"] == f"Bearer {OPERATOR}"
    assert "chatgpt-account-id" not in two.last.headers


async def test_a_provider_that_takes_none_gets_none(client, two):
    await ask(client, "third/m", CHAT, OTHER)
    assert two.last.headers["authorization"] == f"Bearer {OPERATOR}"
    assert OTHER not in str(two.last.headers)


async def test_a_key_that_is_refused_is_told_and_nobody_else_is_asked(client, one, two, caplog):
    caplog.set_level(logging.DEBUG)
    told = f'{{"type":"error","error":{{"type":"authentication_error","message":"bad key {OWN}"}}}}'
    one.always(Script(status=401, body=told.encode()))
    answer = await ask(client, "both")
    assert answer.status == 401
    assert "your own key" in answer.json()["error"]["message"]
    records = await client.kernel.stores.memory.query()
    assert OWN not in answer.text + caplog.text + str(records)
    assert two.requests == []


async def test_what_is_passed_on_goes_with_the_callers_key_too(client, one):
    one.always(Script(body=b"{}"))
    assert (await client.get("/v1/first/v1/models", headers={"x-lynkr-key": "lk_1", "x-api-key": OWN})).status == 200
    assert one.last.headers["authorization"] == f"Bearer {OWN}"
    assert "lk_1" not in str(one.last.headers)
    one.always(Script(status=400, body=f"no {OWN}".encode()))
    assert OWN not in (await client.get("/v1/first/v1/models", headers={"x-lynkr-key": "lk_1", "x-api-key": OWN})).text


async def test_two_callers_in_turn_get_their_own(client, one):
    keys = [f"sk-ant-caller-{n}" for n in range(300)]
    for key in [*keys, *keys[:3]]:
        await ask(client, key=key)
        assert one.last.headers["x-api-key"] == key
    assert len(client.kernel.catalog.providers["first"]._lending._copies) <= 256


def made(principal=None, **headers):
    exchange = factories.exchange(body("m"), headers={name.replace("_", "-"): value for name, value in headers.items()})
    if principal:
        exchange.principal = principal
    return exchange


async def test_what_lynkr_took_for_its_own_is_no_providers_key():
    ada = Principal(id="ada")
    assert callers_key(made(ada, authorization="Bearer eyJ.a.b")) == ""
    assert callers_key(made(ada, authorization="Bearer eyJ.a.b", x_lynkr_key="")) == ""
    assert callers_key(made(ada, authorization="Bearer eyJ.a.b", x_lynkr_key="lk_1")) == "eyJ.a.b"
    assert callers_key(made(authorization="Bearer sk-1")) == "sk-1"
    assert callers_key(made(ada, x_lynkr_key="lk_1")) == ""
    query = made(ada, x_lynkr_key="lk_1")
    query.query = b"key=sk-ant-%0d%0ax:%20y"
    assert callers_key(query) == ""


async def test_a_provider_without_the_setting_is_itself():
    candidate = factories.candidate("up/m")
    assert candidate.provider.serving(made()) is candidate.provider
    assert not billed_to_caller(made(), candidate)


def test_beginnings_that_say_nothing_are_refused():
    with pytest.raises(ConfigError, match="caller_keys"):
        assemble(parse('[provider.up]\nuse = "openai"\ncaller_keys = [""]', {}), {})


def http_providers():
    return [name for name in sorted(installed("provider")) if issubclass(manifest("provider", name).config, HTTPConfig)]


EXTRA = {
    "bedrock": {"region": "eu"},
    "vertex": {"project": "p", "location": "eu"},
    "databricks": {"base_url": "http://127.0.0.1:9"},
}
"""Settings that some need besides an address and a key."""


@pytest.mark.parametrize("name", http_providers())
def test_every_provider_can_lend_its_place_and_tells_nothing_of_the_operator(name):
    table = {
        "base_url": "http://127.0.0.1:9", "api_key": OPERATOR, "caller_keys": ["sk-"], "headers": {"Authorization": OPERATOR},
    } | EXTRA.get(name, {})  # fmt: skip
    provider = factories.build(manifest("provider", name), table, factories.context(name, "provider"))
    copy = provider.with_key(Secret(OTHER))
    for method in ("POST", "GET"):
        told = str(copy.endpoint("/x", method).headers)
        assert OTHER in told
        assert OPERATOR not in told
        assert OPERATOR in str(provider.endpoint("/x", method).headers)
    assert all(OPERATOR not in str(endpoint.headers) for endpoint in copy._fixed.values())
    assert copy.redacted(f"no {OTHER}") == "no ***"


def test_a_provider_that_would_send_its_own_token_instead_refuses():
    table = {"project": "p", "location": "eu", "access_token": OPERATOR, "caller_keys": ["sk-"]}
    provider = factories.build(manifest("provider", "vertex"), table, factories.context("vertex", "provider"))
    with pytest.raises(InvalidRequest, match="cannot be asked"):
        provider.with_key(Secret(OTHER))

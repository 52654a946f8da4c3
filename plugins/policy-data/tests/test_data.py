"""What is marked stays, whatever selectors, fallbacks and names asked for say: over HTTP, with a provider that would answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel
from lynkr_core.testing import factories
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_policy_data import plugin

DEAD = "http://127.0.0.1:9/v1"
TOML = """
[provider.cloud]
use = "openai-compatible"
base_url = "{cloud}"
local = false
[provider.house]
use = "openai-compatible"
base_url = "{house}"
[models]
any = ["cloud/m", "house/m"]
[tiers]
simple = ["cloud/m"]
complex = ["house/m"]
[policy.data]
[[policy.data.local_only]]
name = "confidential"
when = {{ tags = ["confidential"] }}
[[policy.data.local_only]]
when = {{ prompt_contains = ["привет"] }}
[[policy.data.local_only]]
name = "slow"
when = {{ prompt_matches = ["(a|aa)+$"] }}
[selector.rules]
[[selector.rules.rule]]
to = "cloud/m"
"""


@pytest.fixture
async def cloud() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
async def house() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.mark.anyio
async def test_a_conversation_that_is_only_named_is_looked_at_too(cloud, house, tmp_path):
    stored = f"[store.sqlite]\npath = '{tmp_path / 'l.db'}'\n[extension.responses]"
    kernel = Kernel.from_config(parse(TOML.format(cloud=cloud.url + "/v1", house=house.url + "/v1") + stored, {}), {})
    async with Client(Application(kernel)) as client:
        first = await client.post("/v1/responses", json={"model": "auto", "input": "привет"})
        asked = {"model": "auto", "input": "go on", "previous_response_id": first.json()["id"]}
        answer = await client.post("/v1/responses", json=asked)
    assert (answer.status, answer.headers["x-lynkr-provider"], cloud.requests) == (200, "house", [])


async def ask(cloud: str, house: str, body: Any, path: str = "/v1/chat/completions", **headers: str) -> Any:
    kernel = Kernel.from_config(parse(TOML.format(cloud=cloud, house=house), {}), {})
    async with Client(Application(kernel)) as client:
        return await client.post(path, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def chat(text: str = "hi", model: str = "auto", *before: Any) -> dict[str, Any]:
    return {"model": model, "messages": [*before, {"role": "user", "content": text}]}


@pytest.mark.anyio
@pytest.mark.parametrize("model", ["auto", "any", "simple", "complex", "house/m"])
async def test_a_tagged_request_is_served_in_the_house(cloud, house, model):
    answer = await ask(cloud.url + "/v1", house.url + "/v1", chat("hi", model), x_lynkr_tags="confidential")
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "house")
    assert cloud.requests == []


@pytest.mark.anyio
async def test_others_go_where_selectors_say(cloud, house):
    answer = await ask(cloud.url + "/v1", house.url + "/v1", chat())
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "cloud")


@pytest.mark.anyio
async def test_a_word_anywhere_in_the_conversation_keeps_it(cloud, house):
    earlier = [{"role": "user", "content": "привет"}, {"role": "assistant", "content": "hello"}]
    answer = await ask(cloud.url + "/v1", house.url + "/v1", chat("go on", "auto", *earlier))
    assert answer.headers["x-lynkr-provider"] == "house"
    asked = {"model": "auto", "max_tokens": 9, "system": "привет", "messages": [{"role": "user", "content": "hi"}]}
    answer = await ask(cloud.url + "/v1", house.url + "/v1", asked, "/v1/messages")
    assert answer.headers["x-lynkr-provider"] == "house"
    assert cloud.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize("model", ["auto", "any", "cloud/m", "complex"])
async def test_when_the_house_is_down_it_is_refused_and_never_sent_away(cloud, model):
    answer = await ask(cloud.url + "/v1", DEAD, chat("hi", model), x_lynkr_tags="confidential")
    assert answer.status == (403 if model == "cloud/m" else 502)
    assert "(local models only: confidential)" in answer.json()["error"]["message"]
    assert cloud.requests == []


@pytest.mark.anyio
async def test_the_provider_s_own_api_is_no_way_around(cloud):
    answer = await ask(cloud.url + "/v1", DEAD, {"input": "привет"}, "/v1/cloud/embeddings")
    assert (answer.status, cloud.requests) == (403, [])


@pytest.mark.anyio
async def test_a_pattern_that_takes_too_long_keeps_it(cloud, house, caplog):
    answer = await ask(cloud.url + "/v1", house.url + "/v1", chat("aa" * 3000 + "!"))
    assert answer.headers["x-lynkr-provider"] == "house"
    assert "took more than" in caplog.text


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match=r'\$\.local_only\[0\]\.when\.tag: unknown key; did you mean "tags"'):
        factories.build(plugin, {"local_only": [{"when": {"tag": ["x"]}}]}, factories.context())

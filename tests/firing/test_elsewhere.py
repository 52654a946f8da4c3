"""Every hook on the routes where no front stands: a provider's own API, the dry run, lists, and plugins' routes."""

import msgspec
import pytest

from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.firing import ELSEWHERE, PASSED_ON

from .asking import body, dialects, fronts, gateway, manners
from .test_fronts import DOWN, GATE, compare, left, midway

pytestmark = pytest.mark.anyio
CHAT = "openai.chat"
ANSWER = CANNED[CHAT].but(events=(b"".join(CANNED[CHAT].events[:2]), b"".join(CANNED[CHAT].events[2:])))
OPEN = ("/", "/openapi.json", "/health/live", "/health/ready", "/public", "/operators", "/nothing/here")
ASKED_WHO = ("/v1/models", "/v1/models/chain", "/known")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_every_hook_of_a_providers_own_api(scripted_provider, method, stream):
    async with gateway(scripted_provider, CHAT) as made:
        for situation in PASSED_ON.columns:
            if not PASSED_ON.has(situation, stream):
                continue
            made.reset(ANSWER)
            asked = {"path": "/v1/up1/any/path", "method": method, "json": {"model": "m", "stream": stream}}
            if situation == "left":
                await left(made, **asked)
            elif situation in ("left midway", "cut"):
                await midway(made, situation, **asked)
            else:
                made.provider.then(*([DOWN] if situation == "failed" else []))
                told = await made.client.request(**asked, headers={"x-gate": GATE.get(situation, "")})
                statuses = {"unknown": 401, "denied": 403, "no room": 429, "failed": 500}
                assert told.status == statuses.get(situation, 200), told.body
            await made.over()
            compare(made, PASSED_ON, situation, stream)


async def test_a_providers_own_api_that_nobody_serves_fails_once(scripted_provider):
    async with gateway(scripted_provider, CHAT) as made:
        made.reset(ANSWER)
        await scripted_provider.__aexit__()
        assert (await made.client.post("/v1/up1/any", json={})).status == 502
        await made.over()
        compare(made, PASSED_ON, "failed", False)


@pytest.mark.parametrize("situation", ["decided", "decided by a plugin", "decided: unknown", "decided: denied"])
async def test_every_hook_of_the_dry_run(scripted_provider, situation):
    async with gateway(scripted_provider, CHAT) as made:
        for dialect in {dialect.name: dialect for path, dialect in fronts() if True in manners(path, dialect)}.values():
            if dialect.model_key and dialect.claims(msgspec.json.decode(body(dialect)), {}):
                made.reset(ANSWER)
                gate = GATE.get(situation.rpartition("decided")[2].strip(": "), "")
                told = await made.client.post("/v1/route", content=body(dialect), headers={"x-gate": gate})
                assert told.status == {"decided: unknown": 401, "decided: denied": 403}.get(situation, 200), told.body
                await made.over()
                compare(made, ELSEWHERE, situation, False)
    assert scripted_provider.requests == []


@pytest.mark.parametrize("path", [*OPEN, *ASKED_WHO])
async def test_every_hook_of_lists_and_of_plugins_routes(scripted_provider, path):
    async with gateway(scripted_provider, CHAT) as made:
        for gate in ("", "unknown"):
            made.reset(ANSWER)
            key = {"x-api-key": "operators-key"} if path == "/operators" else {}
            told = await made.client.get(path, headers={"x-gate": gate, **key})
            assert told.status == (404 if path.startswith("/nothing") else 401 if gate and path in ASKED_WHO else 200)
            await made.over()
            situation = "open" if path in OPEN else "asked who: unknown" if gate else "asked who"
            compare(made, ELSEWHERE, situation, False)


async def test_routes_are_asked_for_once(scripted_provider):
    async with gateway(scripted_provider, CHAT) as made:
        await made.client.get("/")
        assert [probe.started["register_routes"] for probe in made.probes] == [1, 1]


def test_every_dialect_has_its_routes_in_the_enumeration():
    assert {path for path, _ in fronts()} == {path for dialect in dialects().values() for path in dialect.routes}

"""The breaker through a whole gateway: whom it leaves alone, what callers are told, who may see it."""

import socket

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.errors import UpstreamError
from lynkr_core.exchange import Attempt, Outcome, Reject
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.factories import candidate, exchange
from lynkr_policy_breaker import Breaker, Config

pytestmark = pytest.mark.anyio
DOWN = Script(status=500, body=b'{"error": {"message": "boom"}}')
LIMITED = Script(status=429, body=b'{"error": {"message": "slow down"}}', headers={"retry-after": "30"})
QUOTA = Script(status=429, body=b'{"error": {"message": "no money", "code": "insufficient_quota"}}')
BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
ONE, OTHER = candidate("up1/m"), candidate("up1/other")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def gateway(*urls, breaker=""):
    providers = "".join(
        f'[provider.up{n}]\nuse = "openai-compatible"\nbase_url = "{url}"\nmodels = ["m"]\n' for n, url in enumerate(urls, 1)
    )
    tier = ", ".join(f'"up{n}/m"' for n, _ in enumerate(urls, 1))
    text = f"{providers}[tiers]\nsimple = [{tier}]\n[routing]\nretries = 0\n[policy.breaker]\nprobe_every = 0\n{breaker}"
    kernel = assemble(parse(text, {}), {})
    return kernel, Client(Application(kernel))


async def test_a_failing_candidate_is_left_alone_and_found_again(scripted_provider):
    scripted_provider.then(*[DOWN, CANNED["openai.chat"]] * 5)
    kernel, client = gateway(scripted_provider.url, scripted_provider.url, breaker="pause = 10")
    clock = kernel.plugins[-1].instance.clock = Clock()
    async with client:
        answers = [await client.post("/v1/chat/completions", json=BODY) for _ in range(5)]
        assert {answer.headers["x-lynkr-attempts"] for answer in answers} == {"2"}
        answer = await client.post("/v1/chat/completions", json=BODY)
        assert (answer.headers["x-lynkr-provider"], answer.headers["x-lynkr-attempts"]) == ("up2", "1")
        ready = (await client.get("/health/ready")).json()["plugins"]["policy.breaker"]
        assert (ready["attempts"], ready["failures"], ready["opened"], ready["refused"]) == (11, 5, 1, 1)
        assert ready["left_alone"]["up1/m"]["state"] == "open"
        assert ready["left_alone"]["up1/m"]["reason"] == "5 of 5 attempts failed, the last one: server: boom"
        clock.now += 10
        answer = await client.post("/v1/chat/completions", json=BODY)
        assert answer.headers["x-lynkr-provider"] == "up1"
        assert (await client.get("/health/ready")).json()["plugins"]["policy.breaker"]["left_alone"] == {}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_with_nobody_left_the_caller_is_told_when_to_come_back(scripted_provider, path):
    scripted_provider.then(LIMITED)
    _, client = gateway(scripted_provider.url)
    body = {"model": "auto", "input": "Hello"} if path.endswith("responses") else {**BODY, "max_tokens": 9}
    async with client:
        await client.post(path, json=body)
        answer = await client.post(path, json=body)
    assert (answer.status, answer.headers["retry-after"]) == (429, "30")
    assert "up1/m is left alone for" in answer.json()["error"]["message"]
    assert len(scripted_provider.requests) == 1


async def test_a_used_up_quota_is_the_credentials_and_a_rate_limit_the_models(scripted_provider):
    breaker = Breaker(Config(), Clock())
    asked = exchange(BODY)
    breaker.attempt_failed(asked, ONE, UpstreamError("rate_limited", "slow down", retry_after=3))
    assert isinstance(breaker.reserve(asked, ONE), Reject)
    assert not isinstance(breaker.reserve(asked, OTHER), Reject)
    breaker.attempt_failed(asked, ONE, UpstreamError("quota", "no money"))
    refusal = breaker.reserve(asked, OTHER)
    assert isinstance(refusal, Reject)
    assert (refusal.error.http_status, refusal.error.retry_after) == (429, 60)
    breaker.clock.now += 61
    assert not isinstance(breaker.reserve(asked, OTHER), Reject)


@pytest.mark.parametrize("kind", ["invalid", "content", "context", "conflict", "not_found"])
async def test_what_is_the_requests_fault_does_not_count(kind):
    breaker = Breaker(Config(), Clock())
    for _ in range(20):
        breaker.attempt_failed(exchange(BODY), ONE, UpstreamError(kind, "no"))
    assert not isinstance(breaker.reserve(exchange(BODY), ONE), Reject)


@pytest.mark.parametrize("status", ["ok", "cut", "cancelled", "refused"])
async def test_a_probe_is_settled_whatever_becomes_of_it(status):
    breaker = Breaker(Config(), Clock())
    for _ in range(5):
        breaker.attempt_failed(exchange(BODY), ONE, UpstreamError("server", "boom"))
    assert isinstance(breaker.reserve(exchange(BODY), ONE), Reject)
    breaker.clock.now += 10
    reservation = breaker.reserve(exchange(BODY), ONE)
    assert isinstance(breaker.reserve(exchange(BODY), ONE), Reject)
    breaker.settle(reservation, Outcome(status=status, http_status=200, candidate=ONE))
    assert isinstance(breaker.reserve(exchange(BODY), ONE), Reject) == (status == "cut")


async def test_a_probe_whose_stream_has_begun_lets_the_others_in():
    breaker, asked = Breaker(Config(), Clock()), exchange(BODY)
    for _ in range(5):
        breaker.attempt_failed(asked, ONE, UpstreamError("server", "boom"))
    breaker.clock.now += 10
    breaker.reserve(asked, ONE)
    attempt = Attempt(ONE)
    asked.attempts.append(attempt)
    assert isinstance(breaker.reserve(exchange(BODY), ONE), Reject)
    attempt.first_token = 1.0
    assert not isinstance(breaker.reserve(exchange(BODY), ONE), Reject)


async def test_a_local_provider_that_is_gone_is_left_alone_until_it_is_back(scripted_provider):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    kernel, client = gateway(url, scripted_provider.url, breaker="")
    kernel.plugins[-1].instance.config.probe_every = 0.05
    async with client:
        assert (await client.post("/v1/chat/completions", json=BODY)).headers["x-lynkr-attempts"] == "2"
        breaker = next(plugin.instance for plugin in kernel.plugins if plugin.id == "policy.breaker")
        await breaker.look(kernel.catalog.providers["up1"])
        answer = await client.post("/v1/chat/completions", json=BODY)
        assert (answer.headers["x-lynkr-provider"], answer.headers["x-lynkr-attempts"]) == ("up2", "1")
        kernel.catalog.providers["up1"].list_models = kernel.catalog.providers["up2"].list_models
        await breaker.look(kernel.catalog.providers["up1"])
        assert breaker.status()["left_alone"] == {}


async def test_local_providers_are_looked_after_in_the_background(scripted_provider):
    breaker = Breaker(Config(probe_every=0.02))
    kernel, client = gateway(scripted_provider.url)
    async with client, breaker:
        breaker.reserve(exchange(BODY), kernel.catalog.resolve("auto").candidates[0])
        await scripted_provider.arrived(3)
    assert {received.method for received in scripted_provider.requests} == {"GET"}

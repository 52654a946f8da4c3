from collections.abc import Mapping

import pytest

from lynkr_core import Principal
from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel
from lynkr_core.testing import factories
from lynkr_core.testing.canned import Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.contracts.scorer import ScorerContract
from lynkr_core.testing.waiting import until
from lynkr_scorer_classifier import plugin

TABLE: Mapping[str, object] = {"url": "http://127.0.0.1:1/", "labels": {"easy": 10, "hard": 90}}
TOML = """
[provider.echo]
[tiers]
simple = ["echo/small"]
reasoning = ["echo/large"]
[selector.tiers]
[scorer.classifier]
url = "{url}/classify"
api_key = "sk-secret-4711"
labels = {{ easy = 10, hard = 90 }}
{more}
"""
HARD = Script(body=b'{"label": "hard", "confidence": 0.9}')


class TestClassifierScorer(ScorerContract):
    plugin = plugin
    table = TABLE


@pytest.fixture
def gateway(scripted_provider):
    """A gateway whose classifier is scripted, as `gateway(more)`: more lines of the scorer's table."""
    scripted_provider.always(HARD)

    def make(more: str = "deadline = 4") -> Client:
        text = TOML.format(url=scripted_provider.url, more=more)
        return Client(Application(Kernel.from_config(parse(text, {}), {})))

    return make


async def ask(client, text="Prove it.", model="auto"):
    body = {"model": model, "messages": [{"role": "user", "content": "Before."}, {"role": "user", "content": text}]}
    answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status == 200, answer.text
    return answer.headers


@pytest.mark.anyio
async def test_the_label_decides_and_is_asked_for_once(gateway, scripted_provider):
    async with gateway() as client:
        for _ in range(2):
            headers = await ask(client)
            assert (headers["x-lynkr-score"], headers["x-lynkr-model"]) == ("90", "large")
    (received,) = scripted_provider.requests
    assert (received.path, received.json()) == ("/classify", {"text": "Prove it."})
    assert received.headers["authorization"] == "Bearer sk-secret-4711"


@pytest.mark.anyio
async def test_a_model_that_was_named_needs_no_label(gateway, scripted_provider):
    async with gateway() as client:
        await ask(client, model="echo/small")
        await ask(client, model="simple")
    assert scripted_provider.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Script(status=500, body=b"boom"), "status 500"),
        (Script(body=b"[]"), "garbage"),
        (Script(body=b'{"label": "\xff"}'), "garbage"),
        (Script(body=b'{"label": "purple"}'), "unknown label"),
        (Script(body=b'{"label": "hard", "more": "' + b"x" * 20_000 + b'"}'), "invalid"),
        (HARD.but(cut_bytes=5), "cut"),
    ],
)
async def test_what_goes_wrong_stops_nobody(gateway, scripted_provider, script, why):
    scripted_provider.always(script)
    async with gateway() as client:
        assert "x-lynkr-score" not in await ask(client)
        state = (await client.get("/health/ready")).json()["plugins"]["scorer.classifier"]
    assert state == {why: 1, "remembered": 0}


@pytest.mark.anyio
async def test_who_is_late_is_hung_up_on(gateway, scripted_provider):
    scripted_provider.always(HARD.but(delay=600))
    async with gateway("deadline = 0.05") as client:
        assert "x-lynkr-score" not in await ask(client)
        await until(lambda: scripted_provider.requests == [] or scripted_provider.last.gone.is_set())


@pytest.mark.anyio
async def test_a_dead_classifier_costs_three_requests_their_patience(gateway, scripted_provider):
    scripted_provider.always(Script(status=503))
    async with gateway("deadline = 4\nrest = 600") as client:
        for number in range(6):
            await ask(client, f"Question {number}")
    assert len(scripted_provider.requests) == 3


@pytest.mark.anyio
async def test_the_longest_unused_is_forgotten_and_callers_share_nothing(scripted_provider):
    scripted_provider.always(HARD)
    table = {**TABLE, "url": scripted_provider.url, "remember": 2, "deadline": 4}
    text = TOML.format(url=scripted_provider.url, more="")
    kernel = Kernel.from_config(parse(text, {}), {})
    scorer = factories.build(plugin, table, factories.context(transport=kernel.transport))
    scorer.register_routes(kernel)
    async with kernel:
        for caller, said in (("ann", "a"), ("ann", "b"), ("ann", "a"), ("ann", "c"), ("ann", "a"), ("ann", "b"), ("bob", "b")):
            exchange = factories.exchange({"model": "auto", "messages": [{"role": "user", "content": said}]})
            exchange.principal = Principal(id=caller)
            await scorer.pre_route(exchange)
            assert scorer.score(exchange).value == 90
    assert [received.json()["text"] for received in scripted_provider.requests] == ["a", "b", "c", "b", "b"]
    assert scorer.status() == {"asked": 5, "remembered": 2}


@pytest.mark.anyio
async def test_what_must_stay_in_the_house_is_not_sent_out():
    kernel = Kernel.from_config(parse(TOML.format(url="https://classify.example.com", more=""), {}), {})
    (scorer,) = [plugin.instance for plugin in kernel.plugins if plugin.id == "scorer.classifier"]
    scorer.register_routes(kernel)
    exchange = factories.exchange({"model": "auto", "messages": [{"role": "user", "content": "secret"}]})
    assert scorer.is_of_use(exchange)
    exchange.local_only = "by policy"
    assert not scorer.is_of_use(exchange)
    await kernel.transport.aclose()


def test_its_mistakes_are_told():
    for wrong in ({"labels": {}}, {"labels": {"hard": 101}}, {"deadline": 60}):
        with pytest.raises(ConfigError):
            factories.configure(plugin, {**TABLE, **wrong})
    with pytest.raises(Exception, match="not an http or https URL"):
        factories.build(plugin, {**TABLE, "url": "ftp://x"}, factories.context())

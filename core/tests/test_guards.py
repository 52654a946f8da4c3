"""What no selector can skip: the room for an answer, schemas, thinking, the last day of a model, and what must not leave the house."""

from datetime import date, timedelta
from typing import Any

import pytest

from lynkr_core import capabilities
from lynkr_core.candidates import Tiers
from lynkr_core.cards import ModelCard
from lynkr_core.errors import Forbidden, InvalidRequest
from lynkr_core.exchange import Principal, Selection
from lynkr_core.provider import is_private
from lynkr_core.testing import factories

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
SHAPED = {
    "openai.chat": {"response_format": FORMAT},
    "openai.responses": {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
    "anthropic.messages": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}, "max_tokens": 50},
}
YESTERDAY, TODAY = date.today() - timedelta(days=1), date.today()


def exchange(dialect: str = "openai.chat", text: str = "hi", others: int = 1, more: Any = (), **known: Any):
    turn = [{"role": "user", "content": text}]
    body = {"model": "auto", ("input" if dialect == "openai.responses" else "messages"): turn, **dict(more)}
    served = [factories.candidate("a/m", card=ModelCard(id="a/m", **known)), *[factories.candidate("b/m")] * others]
    return factories.exchange(body, dialect=dialect, served=served)


def left(made: Any, **how: Any) -> list[str]:
    capabilities.narrow(made, how.pop("strict", False), **how)
    return [candidate.id for candidate in made.candidates]


@pytest.mark.parametrize("dialect", SHAPED)
def test_who_cannot_keep_to_a_schema_is_not_asked_for_one(dialect):
    assert left(exchange(dialect, more=SHAPED[dialect], structured=False)) == ["b/m"]
    assert left(exchange(dialect, more=SHAPED[dialect])) == ["a/m", "b/m"]
    assert left(exchange(text="what is json_schema?", structured=False)) == ["a/m", "b/m"]


def test_any_json_is_no_schema():
    assert left(exchange(more={"response_format": {"type": "json_object"}}, structured=False)) == ["a/m", "b/m"]


def test_who_cannot_think_is_asked_only_where_parameters_may_be_left_out():
    asked = {"reasoning_effort": "high"}
    assert left(exchange(more=asked, reasoning=False)) == ["a/m", "b/m"]
    assert left(exchange(more=asked, reasoning=False), strict=True) == ["b/m"]
    assert left(exchange(more={"reasoning_effort": "none"}, reasoning=False), strict=True) == ["a/m", "b/m"]


def test_a_model_past_its_last_day_is_asked_unless_that_is_refused():
    assert left(exchange(ends=YESTERDAY)) == ["a/m", "b/m"]
    assert left(exchange(ends=YESTERDAY), ended=True) == ["b/m"]
    assert left(exchange(ends=TODAY), ended=True) == ["a/m", "b/m"]
    with pytest.raises(InvalidRequest, match=f"a/m: it was served until {YESTERDAY}"):
        left(exchange(ends=YESTERDAY, others=0), ended=True)


@pytest.mark.parametrize(("asked", "kept"), [(1000, ["a/m", "b/m"]), (3500, ["b/m"]), (9000, ["b/m"])])
def test_a_window_needs_room_for_the_answer_too(asked, kept):
    text = "The quick brown fox. " * 200  # about 1,000 tokens
    assert left(exchange(text=text, more={"max_tokens": asked}, context_window=4096)) == kept


def test_who_has_nobody_else_is_not_refused_for_a_long_answer():
    made = exchange(text="word " * 900, others=0, more={"max_tokens": 4000}, context_window=4096)
    assert left(made) == ["a/m"]


def test_the_longest_answer_is_never_longer_than_the_model_can():
    made = exchange(text="word " * 900, more={"max_tokens": 100_000}, context_window=8192, max_output=1024)
    assert left(made) == ["a/m", "b/m"]


def test_what_must_stay_local_leaves_others_out_and_says_so():
    made = exchange()
    made.candidates[0].provider.local = True
    capabilities.confine(made)
    assert [candidate.id for candidate in made.candidates] == ["a/m"]
    assert [(r.candidate, r.reason) for r in made.removed] == [("b/m", "not local")]


def test_without_a_local_model_nothing_is_served():
    with pytest.raises(Forbidden, match="no local model"):
        capabilities.confine(exchange())


def called_by(who: Principal, tiers: Tiers | None = None) -> Any:
    made = exchange()
    made.principal = who
    capabilities.permit(made, tiers or Tiers())
    return [candidate.id for candidate in made.candidates], [(r.candidate, r.reason) for r in made.removed]


def test_who_may_use_some_models_is_served_by_those():
    assert called_by(Principal(id="k1", models=("b/*", "c/m"))) == (["b/m"], [("a/m", "not for k1")])
    with pytest.raises(Forbidden, match="'auto' is not for k1, which may use c/m"):
        called_by(Principal(id="k1", models=("c/m",)))


def test_who_may_use_some_tiers_is_served_by_what_is_in_them():
    first, second = exchange().candidates
    tiers = Tiers()
    tiers.fill({"simple": (first,), "complex": (second,)})
    assert called_by(Principal(id="k1", tiers=("complex",)), tiers)[0] == ["b/m"]
    with pytest.raises(Forbidden, match="may use a/m, complex"):
        called_by(Principal(id="k1", models=("a/m",), tiers=("complex",)), tiers)


class Known:
    def authenticate(self, exchange: Any) -> Principal:
        return Principal(id="k1", models=("up2/*",), local_only=exchange.header(b"x-private") == "1")


@pytest.mark.anyio
async def test_whoever_is_calling_is_held_to_what_it_may(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, scripted_provider.url, plugins=(("auth", Known()),))
    asked = {"model": "chain", "messages": [{"role": "user", "content": "hi"}]}
    answer = await made.client.post("/v1/chat/completions", json=asked)
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "up2")
    answer = await made.client.post("/v1/chat/completions", json=asked | {"model": "up1/m"})
    assert (answer.status, answer.json()["error"]["code"]) == (403, "model_not_allowed")
    made.kernel.catalog.resolve("up2/m").candidates[0].provider.local = False
    answer = await made.client.post("/v1/chat/completions", json=asked, headers={"x-private": "1"})
    assert (answer.status, answer.json()["error"]["code"]) == (403, "local_only")


class Private:
    def pre_route(self, exchange: Any) -> None:
        exchange.local_only = "tag private"


class Cloudy:
    """Sends everything away, whatever it was given."""

    def __init__(self) -> None:
        self.away: Any = ()

    def select_provider(self, exchange: Any, candidates: Any) -> Selection:
        return Selection(order=(*self.away, *candidates), reason="cloud")


@pytest.mark.anyio
async def test_no_selector_takes_a_private_request_away(gateway, scripted_provider):
    cloudy = Cloudy()
    plugins = (("policy", Private()), ("selector", cloudy))
    made = await gateway(scripted_provider.url, scripted_provider.url, plugins=plugins)
    cloud, local = made.kernel.catalog.resolve("chain").candidates
    local.provider.local, cloud.provider.local, cloudy.away = True, False, (cloud,)
    asked = {"model": "chain", "messages": [{"role": "user", "content": "hi"}]}
    answer = await made.client.post("/v1/chat/completions", json=asked)
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "up2")


@pytest.mark.anyio
async def test_when_every_local_model_is_down_a_private_request_is_refused(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, "http://127.0.0.1:9", plugins=(("policy", Private()),))
    cloud, local = made.kernel.catalog.resolve("chain").candidates
    cloud.provider.local, local.provider.local = False, True
    for model, status in (("chain", 502), ("up1/m", 403)):
        asked = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        answer = await made.client.post("/v1/chat/completions", json=asked)
        assert answer.status == status
        assert "(local models only: tag private)" in answer.json()["error"]["message"]
    assert (await made.client.post("/v1/up1/files", json={})).status == 403
    assert scripted_provider.requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost", "[::1]:1", "10.1.2.3", "192.168.0.9", "gpu.local", "h.internal."]
)
def test_private_addresses(host):
    assert is_private(f"http://{host}/v1")


@pytest.mark.parametrize(
    "url", ["https://8.8.8.8", "https://api.example.com", "https://localhost.example.com", "", "http://internal"]
)
def test_public_addresses(url):
    assert not is_private(url)


def test_what_a_provider_is_can_be_said():
    assert not factories.candidate("a/m").provider.is_local("m")

import pytest

from lynkr_core.request import Usage
from lynkr_core.testing import factories
from lynkr_core.testing.contracts.sink import SinkContract
from lynkr_core.tokens import estimate
from lynkr_sink_factors import FEW, MAX_MODELS, Config, Factor, Factors, plugin

pytestmark = pytest.mark.anyio
MODEL = factories.candidate("cloud/m")


class TestContract(SinkContract):
    plugin = plugin


def asked(text="word " * 200, **more):
    return factories.exchange({"model": "m", "messages": [{"role": "user", "content": text}], **more})


def answered(exchange, times=1.5, chosen=MODEL, **more):
    tokens = round(estimate(exchange.request) * times)
    return factories.outcome(chosen=chosen, usage=Usage(input_tokens=tokens, output_tokens=1, **more))


def note(factors, count, times=1.5):
    for _ in range(count):
        exchange = asked()
        factors.post_response(exchange, answered(exchange, times))


def test_it_is_told_once_there_are_a_few(context):
    factors = Factors(Config(every=1), context)
    note(factors, FEW - 1)
    assert factors.status() == {}
    note(factors, 1)
    assert factors.status() == {"cloud/m": {"factor": pytest.approx(1.5, abs=0.01), "samples": FEW}}


def test_one_in_so_many_is_looked_at(context):
    factors = Factors(Config(every=10), context)
    note(factors, FEW * 10)
    assert factors.status()["cloud/m"]["samples"] == FEW


def test_one_wild_count_moves_it_little_and_many_move_it():
    factor = Factor()
    for _ in range(100):
        factor.note(1.2)
    factor.note(1000.0)
    assert factor.value == pytest.approx(1.2, rel=0.03)
    for _ in range(300):
        factor.note(2.0)
    assert factor.value == pytest.approx(2.0, rel=0.01)


IMAGE = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, {"type": "text", "text": "word " * 200}]


@pytest.mark.parametrize(
    ("exchange", "usage"),
    [(asked(IMAGE), {}), (asked("hi"), {}), (asked("word " * 20_000), {}), (asked(), {"estimated": True}),
     (asked(), {"audio_input": 5})],
)  # fmt: skip
def test_what_tells_nothing_of_counts_is_left_out(context, exchange, usage):
    factors = Factors(Config(every=1), context)
    for _ in range(FEW + 1):
        factors.post_response(exchange, answered(exchange, **usage))
    factors.post_response(exchange, factories.outcome("error"))
    assert factors.status() == {}


async def test_it_is_kept_in_the_store(context):
    async with Factors(Config(every=1), context) as factors:
        note(factors, FEW)
    async with Factors(Config(every=1), context) as again:
        assert again.status() == factors.status() != {}


def test_the_models_are_bounded(context):
    factors, exchange = Factors(Config(every=1), context), asked()
    for number in range(MAX_MODELS + 5):
        factors.sample(exchange, answered(exchange, chosen=factories.candidate(f"cloud/m{number}")))
    assert len(factors._known) == MAX_MODELS

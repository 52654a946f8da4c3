"""A chaos mock that others wrote (llmock 0.2.2) as the provider: it breaks what it says, and judges how it was asked again."""

import asyncio

import pytest
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from . import verdicts
from .routes import Route
from .verdicts import ended
from .wire import ask, gateway

pytestmark = pytest.mark.anyio
COMPATIBLE = 'use = "openai-compatible"\nbase_url = "{url}/v1"\ndialects = ["openai.%s"]'
UPSTREAMS = {
    "chat": COMPATIBLE % "chat",
    "responses": COMPATIBLE % "responses",
    "anthropic": 'use = "anthropic"\nbase_url = "{url}/anthropic"',
    "google": 'use = "google"\nbase_url = "{url}/gemini/v1beta"',
    "cohere": 'use = "cohere"\nbase_url = "{url}/cohere"',
    "mistral": 'use = "mistral"\nbase_url = "{url}/mistral"',
}
FRONTS = {"openai.chat": "/v1/chat/completions", "openai.responses": "/v1/responses", "anthropic.messages": "/v1/messages"}
upstreams = pytest.mark.parametrize("upstream", UPSTREAMS)
fronts = pytest.mark.parametrize("front", FRONTS)
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture(scope="module")
def server():
    with LLMockServer() as server:
        yield server


@pytest.fixture
def mock(server):
    made = LLMock(server).reset()
    made.reply("This is what a mock says that breaks what it is told to break", times=None)
    return made


def served(upstream, mock, retries=0, patience=60.0):
    """Two providers at the same place, so that the second try is the mock's next request. `patience` is for the first."""
    table = UPSTREAMS[upstream].format(url=mock.url) + '\napi_key = "test"\ntimeout = '
    models = '[models]\nchain = ["one/m", "two/m"]'
    return gateway(f"[routing]\nretries = {retries}\n{models}\n[provider.one]\n{table}{patience}\n[provider.two]\n{table}60\n")


def sound(route, answer):
    verdicts.sound(route, answer, b"mock")


def route(front, stream=False):
    return Route(path=FRONTS[front], front=front, spoken="openai.chat", stream=stream)


async def asked(upstream, mock, front="openai.chat", stream=False, model="chain", retries=0, patience=60.0):
    asking = route(front, stream)
    async with served(upstream, mock, retries, patience) as port:
        return await ask(port, asking.path, asking.question(model))


@fronts
@upstreams
@streams
async def test_a_sound_answer(mock, upstream, front, stream):
    sound(route(front, stream), await asked(upstream, mock, front, stream))
    assert len(mock.requests) == 1


@upstreams
@streams
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failure_moves_on(mock, upstream, stream, status):
    mock.fail(status)
    sound(route("openai.chat", stream), await asked(upstream, mock, stream=stream))
    assert [record.status for record in mock.requests] == [status, 200]


@upstreams
async def test_a_rate_limit_is_waited_for_as_long_as_it_says(mock, upstream):
    mock.rate_limit(retry_after=1)
    sound(route("openai.chat"), await asked(upstream, mock, model="one/m", retries=2))
    mock.assert_resilient(strict=True)


@upstreams
@pytest.mark.parametrize("status", [400, 422])
async def test_a_mistake_of_the_caller_is_not_repeated(mock, upstream, status):
    mock.fail(status, times=None)
    answer = await asked(upstream, mock, retries=2)
    assert answer.status in (400, 422)
    assert len(mock.requests) == 1
    mock.assert_resilient()


@upstreams
async def test_an_outage_ends_in_an_error_and_no_storm(mock, upstream):
    mock.outage()
    answer = await asked(upstream, mock, model="one/m", retries=2)
    assert (answer.status, answer.headers["x-should-retry"]) == (503, "false")
    assert len(mock.requests) <= 3
    mock.assert_resilient(strict=True)


@upstreams
async def test_a_context_that_is_too_long_goes_to_the_next(mock, upstream):
    mock.context_overflow()
    sound(route("openai.chat"), await asked(upstream, mock))


@fronts
@upstreams
@pytest.mark.parametrize("fault", ["disconnect", "truncate", "stall"])
async def test_a_broken_stream_is_never_taken_for_a_whole_one(mock, upstream, front, fault):
    """How much of it is content differs by dialect: either nobody saw any and the next one answers, or the caller is told."""
    getattr(mock, fault)(after_chunks=4)
    answer = await asked(upstream, mock, front, stream=True, patience=0.5 if fault == "stall" else 60.0)
    if len(mock.requests) == 2:
        sound(route(front, True), answer)
    else:
        assert not ended(route(front, True), answer)
        assert b'"error"' in answer.events()[-1].data


@upstreams
async def test_a_corrupt_chunk_is_seen(mock, upstream):
    """Raw bytes that lynkr has no reason to read go to the caller as they are; what it translates it must understand."""
    mock.corrupt(after_chunks=3)
    answer = await asked(upstream, mock, stream=True)
    if len(mock.requests) == 1 and ended(route("openai.chat", True), answer):
        assert upstream in ("chat", "mistral")
        assert any(not event.data.endswith((b"}", b"[DONE]")) for event in answer.events())


@upstreams
async def test_a_slow_first_token_is_waited_for_within_the_limit(mock, upstream):
    mock.slow_first_token(0.2)
    sound(route("openai.chat", True), await asked(upstream, mock, stream=True))
    assert len(mock.requests) == 1


async def test_all_of_it_at_once(mock):
    """Two hundred requests while a third of them meets a fault: each is answered, or told of a cut."""
    for _ in range(20):
        mock.fail(500).rate_limit(retry_after=1).disconnect(after_chunks=3)
    async with served("chat", mock, retries=2) as port:
        asking = [route(front, stream) for front in FRONTS for stream in (False, True)] * 34
        answers = await asyncio.gather(*[ask(port, one.path, one.question("chain")) for one in asking])
    for one, answer in zip(asking, answers, strict=True):
        if one.stream and not ended(one, answer):
            assert b'"error"' in answer.events()[-1].data
        else:
            sound(one, answer)
    mock.reset()

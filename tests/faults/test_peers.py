"""What six other gateways were measured on, one fault mock and identical requests: most fail most of it."""

import time

import msgspec
import pytest

from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.faults import Fault
from lynkr_core.testing.waiting import least

from .routes import ROUTES
from .verdicts import CONFIG, bench, closed, ended, sound

pytestmark = pytest.mark.anyio
BY_NAME = {route.name: route for route in ROUTES}
CHATS = [route for route in ROUTES if route.kind not in ("embeddings", "count_tokens")]
every = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
chats = pytest.mark.parametrize("route", CHATS, ids=lambda route: route.name)
streams = pytest.mark.parametrize("route", [route for route in CHATS if route.stream], ids=lambda route: route.name)
METERED = CONFIG + '[store.sqlite]\npath = "{folder}/journal.db"\n[sink.journal]\n'
ALONE = "[routing]\nretries = 2\n"
SLOW_DOWN = Script(status=429, body=b'{"error":{"message":"slow down","type":"rate_limit_error"}}')


@streams
async def test_a_cut_stream_never_ends_as_if_it_were_complete(route):
    async with bench(route) as made:
        made.proxy.always(Fault(after=route.content, ends="close"))
        answer = await made.ask()
    assert not ended(route, answer)
    assert b"closed the connection" in answer.events()[-1].data


@streams
async def test_a_stream_cut_before_content_moves_to_the_next_and_nobody_sees_it(route):
    first = route.good.events[0]
    async with bench(route) as made:
        made.proxy.always(Fault(after=first, ends="close"))
        answer = await made.ask()
        sound(route, answer)
        assert made.asked == (1, 1)
    assert [event.event for event in answer.events()].count(b"message_start") <= 1


@every
async def test_a_caller_that_leaves_closes_the_upstream_within_100_ms(route):
    async with bench(route) as made:
        made.proxy.always(Fault(ends="silence"))
        await closed(made)


@pytest.mark.parametrize(
    ("route", "header", "value", "seconds"),
    [
        *[pytest.param(route, "retry-after-ms", "300", 0.3, id=route.name) for route in ROUTES],
        (ROUTES[0], "retry-after", "1", 1.0),
    ],
)
async def test_429_with_retry_after_is_waited_for_when_nobody_else_is_there(route, header, value, seconds):
    async with bench(route, ALONE) as made:

        async def took():
            before = made.asked[0]
            made.first.then(SLOW_DOWN.but(headers={header: value}))
            began = time.monotonic()
            sound(route, await made.ask("first/m"))
            assert made.asked == (before + 2, 0)
            return time.monotonic() - began

        assert seconds <= await least(took, seconds + 0.3) < seconds + 0.3


@every
async def test_one_model_that_answers_500_is_told_soon(route):
    async with bench(route, ALONE) as made:
        made.first.always(Script(status=500, body=b'{"error":{"message":"boom"}}'))

        async def took():
            before, began = made.asked[0], time.monotonic()
            answer = await made.ask("first/m")
            seconds = time.monotonic() - began
            assert made.asked[0] - before <= 3
            if route.kind == "count_tokens":
                sound(route, answer)  # counted by lynkr itself
            else:
                assert (answer.status, answer.headers["x-should-retry"]) == (500, "false")
            return seconds

        assert await least(took, 2.5) < 2.5


@pytest.mark.parametrize("name", ["chat/completions stream same", "chat/completions stream translated"])
@pytest.mark.parametrize("asked", [False, True])
async def test_usage_reaches_only_a_caller_that_asked_for_it(tmp_path, name, asked):
    options = {"stream_options": {"include_usage": True}} if asked else {}
    async with bench(BY_NAME[name], METERED.format(folder=tmp_path)) as made:
        answer = await made.ask(**options)
        sent = made.first.last.json()
    assert sent.get("stream_options") == {"include_usage": True} or "translated" in name
    chunks = [msgspec.json.decode(event.data) for event in answer.events()[:-1]]
    assert [chunk for chunk in chunks if not chunk["choices"]] == [chunk for chunk in chunks if chunk.get("usage")]
    assert any(chunk.get("usage") for chunk in chunks) is asked


@pytest.mark.parametrize("name", ["messages stream same", "messages stream translated"])
async def test_message_start_has_the_usage_of_the_input(name):
    async with bench(BY_NAME[name]) as made:
        events = [msgspec.json.decode(event.data) for event in (await made.ask()).events()]
    assert events[0]["message"]["usage"]["input_tokens"] > 0
    last = next(event for event in events if event["type"] == "message_delta")
    assert last["usage"]["output_tokens"] == 7
    assert last["usage"].get("input_tokens", 12) == 12


@chats
async def test_the_tokens_told_are_those_that_the_provider_counted(route):
    async with bench(route) as made:
        answer = await made.ask(**({"stream_options": {"include_usage": True}} if route.kind == "chat" and route.stream else {}))
    assert b":12" in answer.body
    assert b":7" in answer.body


@chats
async def test_an_unknown_field_reaches_the_provider_or_is_told(route):
    async with bench(route) as made:
        answer = await made.ask(x_foo="bar")
        sent = made.first.last.json()
    assert sent.get("x_foo") == "bar" or "x_foo" in answer.headers["x-lynkr-losses"]
    assert route.translated or sent["x_foo"] == "bar"


@pytest.mark.parametrize("route", [route for route in CHATS if not route.translated], ids=lambda route: route.name)
async def test_every_field_reaches_a_provider_of_the_same_dialect(route):
    more = {
        "chat": {"logit_bias": {"50256": -100}, "reasoning_effort": "low", "service_tier": "auto", "user": "u", "seed": 1},
        "responses": {"service_tier": "auto", "user": "u", "reasoning": {"effort": "low"}, "metadata": {"a": "b"}},
        "messages": {"service_tier": "auto", "metadata": {"user_id": "u"}, "top_k": 5},
    }[route.kind]
    async with bench(route) as made:
        await made.ask(**more)
        sent = made.first.last.json()
    assert {key: sent.get(key) for key in more} == more


def test_the_canned_usage_is_what_the_tests_above_say():
    assert b'"prompt_tokens":12' in CANNED["openai.chat"].body

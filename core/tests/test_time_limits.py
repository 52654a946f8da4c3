"""Time limits that mean something: which silence is too long, and whose it is."""

import asyncio
import json
import time

import pytest

from lynkr_core.exchange import Attempt
from lynkr_core.settings import Limits
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.factories import candidate
from lynkr_core.testing.waiting import SOON, quickest, until
from lynkr_core.watch import Watch, overdue

pytestmark = pytest.mark.anyio
FRONTS = {"/v1/chat/completions": "openai.chat", "/v1/responses": "openai.responses", "/v1/messages": "anthropic.messages"}
PINGS = {
    "openai.chat": b": keep-alive\n\n",
    "openai.responses": b": keep-alive\n\n",
    "anthropic.messages": b'event: ping\ndata: {"type": "ping"}\n\n',
}
fronts = pytest.mark.parametrize("front", FRONTS)


def limits(**seconds):
    return "[routing]\nretries = 0\n[routing.limits]\n" + "\n".join(f"{name} = {value}" for name, value in seconds.items())


def stalled(name, after, pings=400, pause=0.05):
    """A stream that after so many events says only that it lives."""
    events = CANNED[name].events
    return CANNED[name].but(events=(*events[:after], *[PINGS[name]] * pings, *events[after:]), pause=pause)


@fronts
@pytest.mark.parametrize("translated", [False, True], ids=["same", "translated"])
async def test_signs_of_life_are_no_content(gateway, scripted_provider, front, translated):
    spoken = FRONTS[front] if not translated else next(name for name in FRONTS.values() if name != FRONTS[front])
    scripted_provider.always(stalled(spoken, 5))
    made = await gateway(scripted_provider.url, dialects=(spoken,), config=limits(gap=1.0))
    began = time.monotonic()
    async with made.stream(front) as streamed:
        answer = await streamed.read()
    assert 1.0 < time.monotonic() - began < 1.0 + SOON
    assert "said nothing for 1 s" in answer.events()[-1].data.decode()


@fronts
async def test_content_now_and_then_is_enough(gateway, scripted_provider, front):
    scripted_provider.always(CANNED[FRONTS[front]].but(pause=0.3))
    made = await gateway(scripted_provider.url, config=limits(gap=1.2))
    async with made.stream(front) as streamed:
        answer = await streamed.read()
    assert {"/v1/chat/completions": "[DONE]", "/v1/responses": "response.completed", "/v1/messages": "message_stop"}[
        front
    ] in answer.text


@fronts
async def test_no_first_event_moves_on_and_pings_are_none(gateway, scripted_provider, front):
    scripted_provider.then(stalled(FRONTS[front], 0))
    made = await gateway(scripted_provider.url, scripted_provider.url, config=limits(first_event=1.5))
    answer = await made.ask(front, model="chain", stream=True)
    assert (answer.status, answer.headers["x-lynkr-attempts"]) == (200, "2")


@pytest.mark.parametrize("front", ["/v1/responses", "/v1/messages"])
async def test_a_model_may_think_in_silence_for_longer(gateway, scripted_provider, front):
    scripted_provider.always(stalled(FRONTS[front], 1, pings=30))
    made = await gateway(scripted_provider.url, config=limits(gap=1.0, reasoning=30))
    assert (await made.ask(front, stream=True)).status == 200
    scripted_provider.always(stalled(FRONTS[front], 1))
    made = await gateway(scripted_provider.url, config=limits(gap=0.2, reasoning=0.4))
    answer = await made.ask(front, stream=True)
    assert answer.status == 504
    assert "said nothing for 0.4 s" in answer.text


@fronts
async def test_one_attempt_may_take_so_long(gateway, scripted_provider, front):
    scripted_provider.then(Script(delay=60))
    made = await gateway(scripted_provider.url, scripted_provider.url, config=limits(attempt=1.5))
    began = time.monotonic()
    answer = await made.ask(front, model="chain")
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "up2")
    assert time.monotonic() - began < 1.5 + SOON


async def test_a_stream_may_take_so_long_in_all(gateway, scripted_provider):
    scripted_provider.always(CANNED["openai.chat"].but(events=CANNED["openai.chat"].events[1:2] * 400, pause=0.05))
    made = await gateway(scripted_provider.url, config=limits(total=1.5))
    began = time.monotonic()
    async with made.stream("/v1/chat/completions") as streamed:
        answer = await streamed.read()
    assert 1.4 < time.monotonic() - began < 1.5 + SOON
    assert "time for this request is over" in answer.events()[-1].data.decode()


async def test_a_provider_has_limits_of_its_own(gateway, scripted_provider):
    scripted_provider.always(Script(delay=60))
    made = await gateway(scripted_provider.url, scripted_provider.url, config=limits(attempt=60))
    for n in (1, 2):
        made.kernel.catalog.providers[f"up{n}"].limits = {"attempt": 0.2}
    began = time.monotonic()
    answer = await made.ask(model="chain")
    assert (answer.status, answer.text.count("gave no answer within 0.2 s")) == (504, 1)
    assert time.monotonic() - began < SOON


async def test_a_caller_that_reads_slowly_is_not_the_upstreams_silence(gateway, scripted_provider):
    events = CANNED["openai.chat"].events
    large = events[1].replace(b"content", b'content":"' + b"x" * 200_000 + b'","y')
    scripted_provider.always(CANNED["openai.chat"].but(events=(*events[:2], *[large] * 5, *events[2:])))
    made = await gateway(scripted_provider.url, config=limits(gap=1.0))
    async with made.stream("/v1/chat/completions") as streamed:
        pieces = []
        async for piece in streamed:
            pieces.append(piece)
            if len(pieces) == 2:
                await asyncio.sleep(2.5)
    assert b"[DONE]" in b"".join(pieces)


@fronts
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_the_callers_deadline_is_honoured(gateway, scripted_provider, front, stream):
    scripted_provider.always(Script(delay=60))
    made = await gateway(scripted_provider.url, scripted_provider.url)
    began = time.monotonic()
    body = {"model": "chain", "stream": stream, "max_tokens": 9}
    body |= {"input": "hi"} if front.endswith("responses") else {"messages": [{"role": "user", "content": "hi"}]}
    answer = await made.client.post(front, json=body, headers={"x-lynkr-deadline-ms": "1000"})
    assert answer.status == 504
    assert 0.9 < time.monotonic() - began < 1.0 + SOON
    assert len(scripted_provider.requests) == 1


@pytest.mark.parametrize("deadline", ["soon", "-1", "1.5", "", "9" * 40])
async def test_a_deadline_that_is_none_is_a_client_error(gateway, scripted_provider, deadline):
    made = await gateway(scripted_provider.url)
    body = {"model": "m", "max_tokens": 9, "messages": []}
    answer = await made.client.post("/v1/messages", json=body, headers={"x-lynkr-deadline-ms": deadline})
    assert (answer.status, "x-lynkr-deadline-ms" in json.loads(answer.body)["error"]["message"]) == (400, True)
    assert scripted_provider.requests == []


async def test_nothing_is_watched_when_all_is_over(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    for stream in (False, True):
        await made.ask(stream=stream)
    async with made.stream() as streamed:
        async for _ in streamed:
            break
    await until(lambda: made.kernel.watch._timer is None)
    assert made.kernel.watch._watched == {}


async def test_one_timer_for_all():
    watch = Watch()
    attempts = [Attempt(candidate("a/b")) for _ in range(1000)]
    for attempt in attempts:
        watch.add(attempt, Limits(attempt=0.05))
    await until(lambda: watch._timer is None)
    assert all("0.05 s" in attempt.expired for attempt in attempts)


def test_looking_at_an_attempt_costs_next_to_nothing():
    attempt, seconds = Attempt(candidate("a/b")), Limits()
    assert quickest(lambda: [overdue(attempt, seconds, attempt.started) for _ in range(10_000)]) < 0.1

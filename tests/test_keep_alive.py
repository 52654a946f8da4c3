"""Signs of life: a streaming caller of a silent provider hears something before its own patience, or a proxy's, ends."""

import asyncio

import pytest

from lynkr_core.testing.canned import CANNED, TEXT
from tests.test_end_to_end import ENDS, FRONTS, post, question, wire

pytestmark = pytest.mark.anyio
PINGS = {"/v1/chat/completions": b": keep-alive\n\n", "/v1/responses": b": keep-alive\n\n", "/v1/messages": b'{"type": "ping"}'}
fronts = pytest.mark.parametrize("front", FRONTS)


@pytest.fixture(scope="module")
def lively(serve_all, session_provider):
    return serve_all(
        f"[server]\nkeep_alive = 0.3\nlist_models = false\n[routing]\nretries = 0\n"
        f'[provider.up]\nuse = "openai-compatible"\nbase_url = "{session_provider.url}/v1"\n'
        'dialects = ["openai.chat", "openai.responses", "anthropic.messages"]\n'
    )


async def heard(lively, front, seconds=60.0):
    async with wire(lively) as caller:
        caller.writer.write(post(front, question(front, "up/m", stream=True)))
        return await asyncio.wait_for(caller.answer(), seconds)


@fronts
async def test_a_silent_stream_is_pinged_between_its_events(lively, provider, front):
    provider.then(CANNED[FRONTS[front]].but(pause=0.8))
    status, _, body = await heard(lively, front)
    assert status == 200
    assert body.count(PINGS[front]) >= 2
    assert ENDS[front] in body
    assert b"\n\n" + PINGS[front][:6] in body or b"event: ping" in body


@fronts
async def test_a_provider_that_thinks_long_holds_back_the_answer_and_not_the_pings(lively, provider, front):
    provider.then(CANNED[FRONTS[front]].but(delay=2.0))
    status, headers, body = await heard(lively, front)
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    assert body.count(PINGS[front]) >= 2
    assert body.index(PINGS[front]) < body.index(TEXT.split()[0].encode())


@fronts
async def test_an_error_after_pings_is_told_in_the_stream(lively, provider, front):
    provider.then(CANNED[FRONTS[front]].but(delay=2.0, status=500, body=b"{}", events=()))
    status, _, body = await heard(lively, front)
    assert status == 200
    assert b"error" in body
    assert ENDS[front] not in body


async def test_a_plain_answer_is_never_pinged(lively, provider):
    provider.then(CANNED["openai.chat"].but(delay=1.0))
    async with wire(lively) as caller:
        caller.writer.write(post("/v1/chat/completions", question("/v1/chat/completions", "up/m")))
        status, _, body = await caller.answer()
    assert (status, body[:1]) == (200, b"{")


async def test_nothing_is_written_into_an_event_that_has_not_ended(lively, provider):
    whole = CANNED["openai.chat"]
    halves = [half for event in whole.events for half in (event[: len(event) // 2], event[len(event) // 2 :])]
    provider.then(whole.but(events=tuple(halves), pause=0.5))
    _, _, body = await heard(lively, "/v1/chat/completions", 60)
    events = [event for event in body.split(b"\n\n") if event and not event.startswith(b":")]
    assert b"\n\n".join(events) == b"".join(whole.events).rstrip()

"""Lines 28 to 33 of the translation checklist: errors and transport. Retries and failover have more tests in core/tests."""

from __future__ import annotations

import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.canned import ANTHROPIC_FAULTS, GARBAGE, HTML, IN_200, OPENAI_FAULTS
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider

from .asking import CHAT, COLUMN, CROSSED, DIALECTS, FRONT, MESSAGES, RESPONSES, Asking

pytestmark = pytest.mark.anyio
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
FAULTS = {CHAT: OPENAI_FAULTS, RESPONSES: OPENAI_FAULTS, MESSAGES: ANTHROPIC_FAULTS}
TYPES = {MESSAGES: {"404": "not_found_error", "429": "rate_limit_error", "529": "overloaded_error", "500": "api_error"},
         CHAT: {"404": "not_found_error", "429": "rate_limit_error", "529": "server_error", "500": "server_error"}}  # fmt: skip
BEGUN = {CHAT: 2, MESSAGES: 5, RESPONSES: 5}
"""Events until some text was told."""
EVERYWHERE = [(front, back) for front in DIALECTS for back in DIALECTS]


@streams
@pytest.mark.parametrize("status", ["404", "429", "500", "529"])
@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_28_errors_come_in_the_callers_envelope_with_the_providers_status(ask: Asking, front, back, status, stream):
    script = FAULTS[back][status].script
    asked = await ask(front, back, script.but(headers={**script.headers, "retry-after": "20"}), stream)
    assert asked.answer.status == int(status)
    assert asked.answer.headers["retry-after"] == "20"
    error = asked.answer.json()["error"]
    assert error["type"] == TYPES.get(front, TYPES[CHAT])[status]
    assert (asked.answer.json().get("type") == "error") == (front == MESSAGES)


@pytest.mark.parametrize(("status", "tries"), [("404", 1), ("401", 1), ("context", 1), ("500", 3)])
async def test_line_29_what_the_caller_did_wrong_is_not_tried_again(ask: Asking, status, tries):
    upstream, _ = ask.gateways[CHAT]
    await ask(MESSAGES, CHAT, OPENAI_FAULTS[status].script)
    assert len(upstream.requests) == tries


@pytest.mark.parametrize(("front", "back"), EVERYWHERE)
async def test_line_30_a_stream_that_was_cut_never_ends_well(ask: Asking, front, back):
    script = COLUMN[back].answers["text"]
    asked = await ask(front, back, script.but(cut_events=BEGUN[back]), stream=True)
    told = asked.answer.text
    assert "error" in told
    assert not any(good in told for good in ("[DONE]", '"message_stop"', '"response.completed"'))


@pytest.mark.parametrize(("front", "back"), EVERYWHERE)
async def test_line_30_a_stream_that_just_stops_never_ends_well(ask: Asking, front, back):
    script = COLUMN[back].answers["text"]
    asked = await ask(front, back, script.but(events=script.events[: BEGUN[back]]), stream=True)
    last = asked.events()[-1]
    assert "error" in last or last["type"] in ("error", "response.failed")
    assert "[DONE]" not in asked.answer.text


async def test_line_30_a_cut_responses_stream_goes_on_counting(ask: Asking):
    script = COLUMN[RESPONSES].answers["text"]
    asked = await ask(RESPONSES, RESPONSES, script.but(events=script.events[:5]), stream=True)
    numbers = [event["sequence_number"] for event in asked.events()]
    assert asked.events()[-1]["type"] == "error"
    assert numbers == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("front", "back"), EVERYWHERE)
async def test_line_30_half_an_event_never_reaches_the_caller(ask: Asking, front, back):
    script = COLUMN[back].answers["text"]
    begun = BEGUN[back]
    half = script.events[begun][:-20]
    asked = await ask(front, back, script.but(events=(*script.events[:begun], half)), stream=True)
    assert all(msgspec.json.decode(event.data) for event in asked.answer.events() if event.data != b"[DONE]")


@streams
@pytest.mark.parametrize("script", [GARBAGE, HTML, IN_200], ids=["garbage", "a page", "an error in a 200"])
@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_30_what_is_no_answer_is_an_error(ask: Asking, front, back, script, stream):
    asked = await ask(front, back, script, stream)
    assert asked.answer.status >= 500
    assert "lynkr failed" not in asked.answer.text
    assert asked.answer.json()["error"]["message"]


@streams
@pytest.mark.parametrize("front", DIALECTS)
async def test_line_31_the_next_candidate_answers_before_the_first_byte(front, stream):
    """Of another API than the first one's."""
    async with ScriptedProvider() as first, ScriptedProvider() as second:
        first.always(OPENAI_FAULTS["500"].script)
        second.always(COLUMN[MESSAGES].answers["text"])
        text = f'[models]\nboth = ["one/m", "two/m"]\n[provider.one]\n{COLUMN[CHAT].table(first.url)}'
        text += f"[provider.two]\n{COLUMN[MESSAGES].table(second.url)}"
        async with Client(Application(Kernel.from_config(parse(text, {}), {}))) as client:
            body = {**FRONT[front].base, "model": "both", "stream": stream}
            answer = await client.post(FRONT[front].path, json=body)
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "two")


@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_32_nothing_is_held_back(ask: Asking, front, back):
    """The first words arrive while the provider still thinks of the others."""
    upstream, client = ask.gateways[back]
    script = COLUMN[back].answers["text"]
    upstream.reset().always(script.but(pause=0.05))
    seen: list[int] = []
    async with client.stream(FRONT[front].path, json={**FRONT[front].base, "model": "up/m", "stream": True}) as streamed:
        async for piece in streamed:
            seen.append(piece.count(b"Gr"))
    assert [count > 0 for count in seen].index(True) < len(seen) - 1


@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/v1/chat/completions?x=1", "/v1/responses?x=1"])
async def test_line_33_queries_are_ignored(ask: Asking, path):
    _, client = ask.gateways[CHAT]
    front = next(front for front in FRONT.values() if path.startswith(front.path))
    assert (await client.post(path, json={**front.base, "model": "up/m"})).status == 200


@pytest.mark.parametrize("front", DIALECTS)
async def test_line_33_bad_bodies_are_told_at_once(ask: Asking, front):
    upstream, client = ask.gateways[MESSAGES]
    upstream.reset()
    assert (await client.post(FRONT[front].path, content=b'{"model":')).status == 400
    assert upstream.requests == []


@pytest.mark.parametrize("back", DIALECTS)
async def test_line_33_counting_tokens_always_answers(ask: Asking, back):
    _, client = ask.gateways[back]
    answer = await client.post("/v1/messages/count_tokens", json={**FRONT[MESSAGES].base, "model": "up/m"})
    assert answer.status == 200
    assert answer.json()["input_tokens"] > 0

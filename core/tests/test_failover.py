"""Fallback before the commit point, truth after it, and a client that leaves: on every front, plain and streaming."""

import asyncio
import json
import re
import socket
import time

import pytest

from lynkr_core.cards import ModelCard
from lynkr_core.exchange import Reservation
from lynkr_core.testing.canned import CANNED, IN_200, TEXT, Script
from lynkr_core.testing.waiting import PATIENCE, SOON, least, until
from lynkr_core.tokens import estimate

pytestmark = pytest.mark.anyio
FRONTS = {"/v1/chat/completions": "openai.chat", "/v1/responses": "openai.responses", "/v1/messages": "anthropic.messages"}
ENDS = {"/v1/chat/completions": "[DONE]", "/v1/responses": "response.completed", "/v1/messages": "message_stop"}
fronts = pytest.mark.parametrize("front", FRONTS)
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
FAILURES = {
    "500": Script(status=500, body=b'{"error": {"message": "boom"}}'),
    "503": Script(status=503, body=b"<html>busy</html>", content_type="text/html"),
    "529": Script(status=529, body=b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}'),
    "429": Script(status=429, body=b'{"error": {"message": "slow down"}}', headers={"retry-after": "30"}),
    "401": Script(status=401, body=b'{"error": {"message": "bad key"}}'),
    "404": Script(status=404, body=b'{"error": {"message": "no such model"}}'),
    "silence": Script(delay=60),
    "cut head": Script(body=b"x" * 100, cut_bytes=0),
    "garbage": Script(body=b"<html>hello</html>", content_type="text/html"),
    "error inside 200": Script(body=b'{"error": {"message": "boom", "type": "server_error"}}'),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@fronts
@streams
@pytest.mark.parametrize("failure", FAILURES)
async def test_the_next_candidate_answers(gateway, scripted_provider, front, stream, failure):
    scripted_provider.then(FAILURES[failure])
    made = await gateway(scripted_provider.url, scripted_provider.url, timeout=0.3 if failure == "silence" else 60)
    answer = await made.ask(front, model="chain", stream=stream)
    assert answer.status == 200
    assert answer.headers["x-lynkr-provider"] == "up2" or stream
    assert answer.headers["x-lynkr-attempts"] == "2"
    assert len(scripted_provider.requests) == 2


@fronts
@streams
async def test_a_refused_connection_costs_next_to_nothing(gateway, scripted_provider, front, stream):
    made = await gateway(f"http://127.0.0.1:{free_port()}", scripted_provider.url)

    async def took():
        began = time.monotonic()
        answer = await made.ask(front, model="chain", stream=stream)
        assert (answer.status, answer.headers["x-lynkr-attempts"]) == (200, "2")
        return time.monotonic() - began

    assert await least(took, 0.2) < 0.2


@fronts
async def test_a_stream_cut_before_it_said_anything_moves_on(gateway, scripted_provider, front):
    scripted_provider.then(CANNED[FRONTS[front]].but(cut_events=1))
    made = await gateway(scripted_provider.url, scripted_provider.url)
    async with made.stream(front, model="chain") as streamed:
        answer = await streamed.read()
    assert ENDS[front] in answer.text
    assert len(scripted_provider.requests) == 2


@fronts
@pytest.mark.parametrize("translated", [False, True], ids=["same", "translated"])
async def test_a_stream_cut_in_the_middle_ends_in_an_error(gateway, scripted_provider, front, translated):
    spoken = FRONTS[front] if not translated else next(name for name in FRONTS.values() if name != FRONTS[front])
    cut = 5 if spoken == "openai.responses" else 3
    scripted_provider.always(CANNED[spoken].but(cut_events=cut))
    made = await gateway(scripted_provider.url, dialects=(spoken,))
    async with made.stream(front) as streamed:
        answer = await streamed.read()
    assert ENDS[front] not in answer.text
    assert '"error"' in answer.events()[-1].data.decode()
    assert len(scripted_provider.requests) == 1


@fronts
@streams
@pytest.mark.parametrize(
    "fault", [{"cut_events": 0, "cut_bytes": 0}, {"body": IN_200.body, "events": ()}], ids=["cut", "error inside 200"]
)
async def test_an_answer_that_began_with_200_and_failed_is_no_200(gateway, scripted_provider, front, stream, fault):
    scripted_provider.always(CANNED[FRONTS[front]].but(**fault))
    made = await gateway(scripted_provider.url, config="[routing]\nretries = 0")
    answer = await made.ask(front, stream=stream)
    assert answer.status >= 500
    assert answer.json()["error"]["message"]


async def test_a_translated_response_that_is_cut_says_failed_and_counts_on(gateway, scripted_provider):
    scripted_provider.always(CANNED["openai.chat"].but(cut_events=3))
    made = await gateway(scripted_provider.url, dialects=("openai.chat",))
    async with made.stream("/v1/responses") as streamed:
        events = [json.loads(event.data) for event in (await streamed.read()).events()]
    assert events[-1]["type"] == "response.failed"
    assert "closed the connection" in events[-1]["response"]["error"]["message"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


@fronts
@streams
async def test_a_client_error_is_told_at_once_and_not_retried(gateway, scripted_provider, front, stream):
    scripted_provider.always(
        Script(status=400, body=b'{"error": {"message": "bad tool schema", "type": "invalid_request_error"}}')
    )
    made = await gateway(scripted_provider.url, scripted_provider.url)
    answer = await made.ask(front, model="chain", stream=stream)
    assert answer.status == 400
    assert "bad tool schema" in answer.json()["error"]["message"]
    assert len(scripted_provider.requests) == 1


@streams
async def test_losses_are_those_of_the_attempt_that_answered(gateway, scripted_provider, stream):
    scripted_provider.then(FAILURES["500"])
    made = await gateway(scripted_provider.url, scripted_provider.url)
    first, _ = made.kernel.catalog.resolve("chain").candidates
    first.provider.dialects = ("openai.chat",)  # it would have lost `top_k`
    answer = await made.ask("/v1/messages", model="chain", stream=stream, top_k=5)
    assert b"top_k" not in scripted_provider.requests[0].body
    assert b"top_k" in scripted_provider.requests[1].body
    assert (answer.status, answer.headers.get("x-lynkr-losses")) == (200, None)


@fronts
async def test_when_all_fail_the_error_lists_the_attempts(gateway, scripted_provider, front):
    scripted_provider.always(FAILURES["500"])
    made = await gateway(scripted_provider.url, scripted_provider.url, config="[routing]\nretries = 0")
    answer = await made.ask(front, model="chain")
    message = answer.json()["error"]["message"]
    assert answer.status == 500
    assert "up1/m: 500 server" in message
    assert "up2/m: 500 server" in message
    assert answer.headers["x-should-retry"] == "false"


@fronts
@streams
async def test_the_final_error_has_status_class_and_time_of_each_attempt(gateway, scripted_provider, front, stream):
    scripted_provider.then(FAILURES["429"], FAILURES["503"])
    made = await gateway(
        scripted_provider.url, scripted_provider.url, f"http://127.0.0.1:{free_port()}", config="[routing]\nretries = 0"
    )
    answer = await made.ask(front, model="chain", stream=stream)
    lines = [
        r"up1/m: 429 rate_limited after \d\.\d\d s",
        r"up2/m: 503 server after \d\.\d\d s",
        r"up3/m: unavailable after \d\.\d\d s",
    ]
    assert all(re.search(line, answer.json()["error"]["message"]) for line in lines)
    assert (answer.status, answer.headers["x-should-retry"]) == (502, "false")


@fronts
@streams
async def test_when_everything_is_down_it_is_told_soon(gateway, front, stream):
    down = f"http://127.0.0.1:{free_port()}"
    made = await gateway(down, down, down)

    async def took():
        began = time.monotonic()
        answer = await made.ask(front, model="chain", stream=stream)
        assert (answer.status, answer.headers["x-should-retry"]) == (502, "false")
        return time.monotonic() - began

    assert await least(took, 3, 3) < 3


@streams
async def test_the_last_one_standing_is_asked_again(gateway, scripted_provider, stream):
    made = await gateway(scripted_provider.url, scripted_provider.url)

    async def took():
        scripted_provider.then(FAILURES["500"], FAILURES["503"])
        began = time.monotonic()
        answer = await made.ask(model="chain", stream=stream)
        assert (answer.status, answer.headers["x-lynkr-attempts"]) == (200, "3")
        return time.monotonic() - began

    assert await least(took, 1, 5) < 1


@pytest.mark.parametrize("fallback", [False, True])
async def test_a_content_filter_moves_on_only_where_that_is_wanted(gateway, scripted_provider, fallback):
    blocked = b'{"error": {"message": "no", "type": "invalid_request_error", "code": "content_policy_violation"}}'
    scripted_provider.then(Script(status=400, body=blocked))
    config = "[routing.fallback]\ncontent = true" if fallback else ""
    made = await gateway(scripted_provider.url, scripted_provider.url, config=config)
    answer = await made.ask("/v1/chat/completions", model="chain")
    assert (answer.status, len(scripted_provider.requests)) == ((200, 2) if fallback else (400, 1))


@fronts
async def test_retry_after_is_passed_on(gateway, scripted_provider, front):
    scripted_provider.always(FAILURES["429"])
    answer = await (await gateway(scripted_provider.url)).ask(front)
    assert (answer.status, answer.headers["retry-after"]) == (429, "30")


@fronts
@streams
async def test_a_client_that_leaves_closes_the_upstream_at_once(gateway, scripted_provider, front, stream):
    scripted_provider.always(Script(delay=60))
    made = await gateway(scripted_provider.url)

    async def took():
        task = asyncio.ensure_future(made.ask(front, stream=stream))
        received = await scripted_provider.arrived(len(scripted_provider.requests) + 1)
        task.cancel()
        left = time.monotonic()
        await asyncio.wait_for(received.gone.wait(), SOON)
        return received.gone_at - left

    assert await least(took, 0.1) < 0.1


@fronts
async def test_a_client_that_leaves_in_the_middle_of_a_stream(gateway, scripted_provider, front):
    scripted_provider.always(CANNED[FRONTS[front]].but(pause=0.4))
    made = await gateway(scripted_provider.url)

    async def took():
        async with made.stream(front) as streamed:
            async for _ in streamed:
                break
            left = time.monotonic()
        await asyncio.wait_for(scripted_provider.last.gone.wait(), SOON)
        return scripted_provider.last.gone_at - left

    assert await least(took, 0.1) < 0.1


@pytest.mark.parametrize("front", [*FRONTS, "/v1/embeddings"])
@pytest.mark.parametrize("when", ["before", "after"])
@streams
async def test_whoever_leaves_is_settled_with_what_was_used(gateway, scripted_provider, front, when, stream):
    settled = []

    class Money:
        def reserve(self, exchange, candidate):
            return Reservation()

        def settle(self, reservation, outcome):
            settled.append(outcome)

    name = FRONTS.get(front, "openai.embeddings")
    slow = CANNED[name].but(pause=0.4) if stream and CANNED[name].events else CANNED[name].but(cut_bytes=5)
    scripted_provider.always(Script(delay=60) if when == "before" or not (stream and CANNED[name].events) else slow)
    made = await gateway(scripted_provider.url, plugins=(("policy", Money()),))
    async with asyncio.timeout(PATIENCE):
        if when == "after" and stream and CANNED[name].events:
            async with made.stream(front) as streamed:
                async for _ in streamed:
                    break
                left = time.monotonic()
        else:
            task = asyncio.ensure_future(made.ask(front, stream=stream))
            await scripted_provider.arrived()
            task.cancel()
            left = time.monotonic()
        await scripted_provider.last.gone.wait()
        while not settled:
            await asyncio.sleep(0.01)
    assert scripted_provider.last.gone_at - left < SOON
    assert [outcome.status for outcome in settled] == ["cancelled"]
    assert settled[0].usage.input_tokens > 0


@pytest.mark.parametrize("kept", [True, False])
async def test_a_stream_that_flows_holds_the_model_of_its_request_only_for_who_keeps_the_answer(gateway, scripted_provider, kept):
    class Reader(Sink):
        def pre_route(self, exchange):
            self.exchange, self.counted = exchange, estimate(exchange.request)
            if kept:
                exchange.tap(lambda data: None)

    reader = Reader([])
    scripted_provider.always(CANNED["anthropic.messages"].but(pause=0.4))
    made = await gateway(scripted_provider.url, plugins=(("sink", reader),))
    async with made.stream("/v1/messages") as streamed:
        async for _ in streamed:
            break
        await until(lambda: kept or reader.exchange.parsed is None)
        assert kept == (reader.exchange.parsed is not None)
    await until(lambda: reader.outcomes)
    assert reader.outcomes[0].status == "cancelled"
    assert estimate(reader.exchange.request) == reader.counted


async def test_whoever_leaves_while_a_retry_is_waited_for_is_not_kept(gateway, scripted_provider):
    scripted_provider.always(Script(status=429, body=b"{}", headers={"retry-after": "9"}))
    outcomes = []
    made = await gateway(scripted_provider.url, plugins=(("sink", Sink(outcomes)),))
    task = asyncio.ensure_future(made.ask())
    await scripted_provider.arrived()
    await asyncio.sleep(0.05)
    task.cancel()
    left = time.monotonic()
    await until(lambda: outcomes)
    assert time.monotonic() - left < SOON
    assert outcomes[0].status == "cancelled"


class Sink:
    def __init__(self, outcomes):
        self.outcomes = outcomes

    def post_response(self, exchange, outcome):
        self.outcomes.append(outcome)


@fronts
@streams
async def test_usage_reaches_the_outcome(gateway, scripted_provider, front, stream):
    outcomes = []

    class Sink:
        def post_response(self, exchange, outcome):
            outcomes.append(outcome)

    made = await gateway(scripted_provider.url, plugins=(("sink", Sink()),), config="[prices]\nm = { input = 1, output = 2 }")
    answer = await made.ask(front, stream=stream)
    assert (outcomes[0].usage.input_tokens, outcomes[0].usage.output_tokens) == (12, 7)
    assert outcomes[0].cost == pytest.approx(26e-6)
    assert stream or answer.headers["x-lynkr-cost-usd"] == "0.000026000"


@fronts
async def test_pieces_are_not_held_back(gateway, scripted_provider, front):
    scripted_provider.always(CANNED[FRONTS[front]].but(pause=0.03))
    made = await gateway(scripted_provider.url)
    async with made.stream(front) as streamed:
        times = [time.monotonic() async for _ in streamed]
    assert len(times) >= 3
    assert times[-1] - times[0] > 0.05


@fronts
@pytest.mark.parametrize("spoken", FRONTS.values())
@streams
async def test_every_front_reaches_every_dialect(gateway, scripted_provider, front, spoken, stream):
    made = await gateway(scripted_provider.url, dialects=(spoken,))
    answer = await made.ask(front, stream=stream)
    assert answer.status == 200
    text = answer.text if not stream else "".join(event.data.decode() for event in answer.events())
    assert TEXT.split()[0] in text
    assert not stream or ENDS[front] in answer.text


async def test_message_start_has_input_usage_from_any_provider(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, dialects=("openai.chat",))
    async with made.stream("/v1/messages") as streamed:
        answer = await streamed.read()
    first, *_, last, _ = [event.data.decode() for event in answer.events()]
    assert '"input_tokens":0' not in first
    assert '"input_tokens":12' in last


@fronts
@pytest.mark.parametrize("shown", ["sk-secret-key-1234", "sk-se*********1234"])
async def test_a_key_that_the_provider_repeats_is_not_passed_on(gateway, scripted_provider, front, shown):
    body = b'{"error": {"message": "Incorrect API key provided: %b.", "code": "invalid_api_key"}}' % shown.encode()
    scripted_provider.always(Script(status=401, body=body))
    answer = await (await gateway(scripted_provider.url, key="sk-secret-key-1234")).ask(front)
    assert answer.status == 502
    assert "1234" not in answer.text
    assert "up1 refused the key that lynkr sent" in answer.text


@fronts
async def test_one_line_end_too_many_harms_nobody(gateway, scripted_provider, front):
    first, *rest = CANNED[FRONTS[front]].events
    scripted_provider.always(CANNED[FRONTS[front]].but(events=(first + b"\n", *rest)))
    made = await gateway(scripted_provider.url)
    async with made.stream(front) as streamed:
        answer = await streamed.read()
    assert answer.status == 200
    assert ENDS[front] in answer.text


@fronts
@streams
async def test_what_is_too_long_goes_to_a_larger_window_and_nowhere_else(gateway, scripted_provider, front, stream):
    windows = {"up1": 100_000, "up2": 50_000, "up3": 200_000}

    class Cards:
        def card(self, provider, vendor, model):
            return ModelCard(id=model, context_window=windows[provider])

        def proposals(self, vendor):
            return {}

    long = Script(status=400, body=b'{"error": {"message": "too long", "code": "context_length_exceeded"}}')
    scripted_provider.then(long)
    urls = [scripted_provider.url] * 3
    made = await gateway(*urls, plugins=(("catalog", Cards()),))
    answer = await made.ask(front, model="chain", stream=stream)
    assert (answer.status, answer.headers["x-lynkr-attempts"], answer.headers.get("x-lynkr-provider")) == (200, "2", "up3")
    scripted_provider.always(long)
    answer = await made.ask(front, model="chain", stream=stream)
    assert (answer.status, len(scripted_provider.requests)) == (400, 4)
    assert all(line in answer.json()["error"]["message"] for line in ("up1/m: 400 context after", "up3/m: 400 context after"))
    assert answer.headers["x-should-retry"] == "false"

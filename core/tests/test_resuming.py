"""A cut text answer that the next candidate continues, where that is asked for: one stream, true to its grammar."""

import asyncio
import json

import pytest

from lynkr_core.cards import ModelCard
from lynkr_core.exchange import Reservation
from lynkr_core.resuming import GO_ON
from lynkr_core.testing.canned import CANNED, TEXT, Script, encoded, named
from lynkr_core.testing.waiting import SOON

pytestmark = pytest.mark.anyio
FRONTS = {"/v1/chat/completions": "openai.chat", "/v1/responses": "openai.responses", "/v1/messages": "anthropic.messages"}
ENDS = {"/v1/chat/completions": "[DONE]", "/v1/responses": "response.completed", "/v1/messages": "message_stop"}
CUTS = {"openai.chat": 2, "openai.responses": 5, "anthropic.messages": 4}
fronts = pytest.mark.parametrize("front", FRONTS)
CONFIG = "[routing]\nresume = true"


def text_of(front, answer):
    """What a client puts together."""
    events = [json.loads(event.data) for event in answer.events() if event.data != b"[DONE]"]
    if front == "/v1/chat/completions":
        return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event.get("choices"))
    if front == "/v1/responses":
        return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    return "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")


class Sink:
    def __init__(self):
        self.outcomes, self.settled = [], []

    def reserve(self, exchange, candidate):
        return Reservation(data=candidate.id)

    def settle(self, reservation, outcome):
        self.settled.append((reservation.data, outcome.status))

    def post_response(self, exchange, outcome):
        self.outcomes.append(outcome)


async def resumed(gateway, provider, front, first, *, dialects=(), plugins=(), config=CONFIG, **body):
    sink = Sink()
    provider.then(first)
    made = await gateway(provider.url, provider.url, config=config, dialects=dialects, plugins=(("policy", sink), *plugins))
    async with made.stream(front, model="chain", **body) as streamed:
        answer = await streamed.read()
    return answer, sink


@fronts
@pytest.mark.parametrize("spoken", CUTS)
async def test_the_next_candidate_goes_on(gateway, scripted_provider, front, spoken):
    answer, sink = await resumed(
        gateway, scripted_provider, front, CANNED[spoken].but(cut_events=CUTS[spoken]), dialects=(spoken,)
    )
    assert text_of(front, answer) == TEXT[:9].rstrip() + TEXT if TEXT[8].isspace() else TEXT[:9] + TEXT
    assert ENDS[front] in answer.text
    assert "error" not in [event.event.decode() for event in answer.events()]
    assert (sink.outcomes[0].status, sink.outcomes[0].resumed, sink.outcomes[0].candidate.id) == ("ok", 1, "up2/m")
    assert sink.settled == [("up1/m", "cut"), ("up2/m", "ok")]


@fronts
async def test_the_events_keep_their_grammar(gateway, scripted_provider, front):
    name = FRONTS[front]
    answer, _ = await resumed(gateway, scripted_provider, front, CANNED[name].but(cut_events=CUTS[name]))
    events = [json.loads(event.data) for event in answer.events() if event.data != b"[DONE]"]
    if front == "/v1/responses":
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert [event["type"] for event in events].count("response.output_item.added") == 1
    elif front == "/v1/messages":
        kinds = [event["type"] for event in events if event["type"] != "ping"]
        assert [kinds.count(kind) for kind in ("message_start", "content_block_start", "content_block_stop")] == [1, 1, 1]
    else:
        assert len({event["id"] for event in events}) == 1


@pytest.mark.parametrize("prefill", [True, None])
async def test_the_next_model_is_given_the_text_so_far(gateway, scripted_provider, prefill):
    class Cards:
        def card(self, provider, vendor, model):
            return ModelCard(id=model, prefill=prefill)

        def proposals(self, vendor):
            return {}

    first = CANNED["anthropic.messages"].but(cut_events=4)
    await resumed(gateway, scripted_provider, "/v1/messages", first, plugins=(("catalog", Cards()),))
    messages = scripted_provider.last.json()["messages"]
    roles = [message["role"] for message in messages]
    assert roles == (["user", "assistant"] if prefill else ["user", "assistant", "user"])
    assert TEXT[:9].rstrip() in json.dumps(messages[1], ensure_ascii=False)
    assert prefill or GO_ON in json.dumps(messages[2])


@fronts
async def test_nobody_is_asked_where_that_was_not_wanted(gateway, scripted_provider, front):
    name = FRONTS[front]
    answer, sink = await resumed(gateway, scripted_provider, front, CANNED[name].but(cut_events=CUTS[name]), config="")
    assert ENDS[front] not in answer.text
    assert (sink.outcomes[0].status, sink.outcomes[0].resumed, len(scripted_provider.requests)) == ("cut", 0, 1)


@fronts
async def test_when_the_rest_cannot_be_had_the_caller_is_told_of_the_cut(gateway, scripted_provider, front):
    name = FRONTS[front]
    scripted_provider.always(Script(status=500, body=b'{"error": {"message": "boom"}}'))
    config = "[routing]\nresume = true\nretries = 1"
    answer, sink = await resumed(gateway, scripted_provider, front, CANNED[name].but(cut_events=CUTS[name]), config=config)
    assert ENDS[front] not in answer.text
    assert '"error"' in answer.events()[-1].data.decode()
    assert sink.outcomes[0].status == "cut"
    assert [status for _, status in sink.settled] == ["cut", *["error"] * (len(sink.settled) - 1)]


async def test_an_answer_with_a_tool_call_is_not_continued(gateway, scripted_provider):
    events = json.loads(
        b'[{"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}]'
    )
    first = CANNED["anthropic.messages"]
    first = first.but(events=(first.events[0], *named(events), *first.events[3:]), cut_events=2)
    answer, sink = await resumed(gateway, scripted_provider, "/v1/messages", first)
    assert (sink.outcomes[0].status, sink.outcomes[0].resumed) == ("cut", 0)
    assert "message_stop" not in answer.text


async def test_an_error_inside_the_stream_is_a_cut_too_and_is_not_shown(gateway, scripted_provider):
    first = CANNED["anthropic.messages"]
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    answer, sink = await resumed(
        gateway, scripted_provider, "/v1/messages", first.but(events=(*first.events[:4], *named([error])))
    )
    assert "Overloaded" not in answer.text
    assert (sink.outcomes[0].status, text_of("/v1/messages", answer)) == ("ok", TEXT[:9] + TEXT)


async def test_it_is_continued_twice_at_most(gateway, scripted_provider):
    cut = CANNED["openai.chat"].but(cut_events=2)
    scripted_provider.then(cut, cut, cut, cut)
    answer, sink = await resumed(gateway, scripted_provider, "/v1/chat/completions", cut)
    assert (sink.outcomes[0].status, sink.outcomes[0].resumed, len(scripted_provider.requests)) == ("cut", 2, 3)
    assert text_of("/v1/chat/completions", answer) == TEXT[:9] * 3


async def test_a_caller_that_leaves_during_the_second_stream(gateway, scripted_provider):
    cut = CANNED["openai.chat"].but(cut_events=2)
    scripted_provider.then(cut, Script(delay=60))
    made = await gateway(scripted_provider.url, scripted_provider.url, config=CONFIG)
    async with made.stream("/v1/chat/completions", model="chain") as streamed:
        async for _ in streamed:
            if len(scripted_provider.requests) == 1:
                await scripted_provider.arrived(2)
            break
    await asyncio.wait_for(scripted_provider.last.gone.wait(), SOON)
    assert encoded(GO_ON)[1:20] in scripted_provider.last.body

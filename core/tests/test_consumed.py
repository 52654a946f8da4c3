"""What an answer has cost that was broken off: as much as had come, however it came."""

import pytest

from lynkr_core.consumed import Amount
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.waiting import until

pytestmark = pytest.mark.anyio
FRONTS = {"/v1/chat/completions": "max_tokens", "/v1/responses": "max_output_tokens", "/v1/messages": "max_tokens"}
SPOKEN = {"openai.chat": "/v1/chat/completions", "anthropic.messages": "/v1/messages"}
COUNT = 200
TEXT = "Grüße fro".encode()
CHUNK = (
    b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
)


class Sink:
    def __init__(self):
        self.outcomes = []

    def post_response(self, exchange, outcome):
        self.outcomes.append(outcome)


class Wrapping(Sink):
    """As plugins do that rewrite streams."""

    def transform_stream(self, exchange, events):
        return events


def amount(*pieces):
    made = Amount()
    for piece in pieces:
        made.add(piece)
    return made.tokens


def long(name):
    """A stream that says the same again and again, and then nothing for long."""
    events = CANNED[name].events
    place = next(index for index, event in enumerate(events) if TEXT in event)
    return CANNED[name].but(events=(*events[:place], *[events[place]] * COUNT, events[-1]), hold=30.0)


def test_it_is_the_same_however_the_events_come():
    events = [CHUNK % word for word in (b"the", b" quick", b" brown", b" fox")]
    assert 4 <= amount(*events) <= 6
    assert 4 <= amount(events[0], b"".join(events[1:])) <= 6
    assert 4 <= amount(*[event.replace(b"\n", b"\r\n") for event in events]) <= 6
    assert amount(b"".join(events)) == 4


def test_longer_events_have_more_tokens():
    assert 90 < amount(CHUNK % b"a", CHUNK % (b"word " * 80)) < 120
    assert amount(b'event: ping\ndata: {"type": "ping"}\n\n', *[CHUNK % b"word"] * 10) < 40


@pytest.mark.parametrize("sink", [Sink, Wrapping])
@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("spoken", SPOKEN)
async def test_who_leaves_a_stream_pays_for_what_had_come(gateway, scripted_provider, front, spoken, sink):
    """However few reads it came in, and though Anthropic's streams begin with a usage of one token."""
    scripted_provider.always(long(spoken))
    sink = sink()
    made = await gateway(scripted_provider.url, dialects=(spoken,), plugins=(("policy", sink),))
    got = b""
    async with made.stream(front, **{FRONTS[front]: 4000}) as streamed:
        async for piece in streamed:
            got += piece
            if got.count(b"Gr") >= COUNT:
                break
        streamed.disconnect()
    await until(lambda: sink.outcomes)
    usage = sink.outcomes[0].usage
    assert (sink.outcomes[0].status, usage.estimated) == ("cancelled", True)
    assert COUNT <= usage.output_tokens < 10 * COUNT


@pytest.mark.parametrize("spoken", SPOKEN)
async def test_who_leaves_once_the_usage_was_told_pays_just_that(gateway, scripted_provider, spoken):
    scripted_provider.always(CANNED[spoken].but(hold=30.0))
    sink, asked = Sink(), {"stream_options": {"include_usage": True}} if spoken == "openai.chat" else {}
    made = await gateway(scripted_provider.url, dialects=(spoken,), plugins=(("policy", sink),))
    async with made.stream(SPOKEN[spoken], **asked) as streamed:
        async for piece in streamed:
            if b'_tokens":7' in piece:
                break
        streamed.disconnect()
    await until(lambda: sink.outcomes)
    usage = sink.outcomes[0].usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (12, 7, False)

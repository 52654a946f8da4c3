"""Answers of a provider, mutated, through the whole gateway: never a crash, never a false end, and the next request is served."""

import asyncio
import logging
import re

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lynkr_core.testing.canned import Script
from lynkr_core.testing.contracts.fuzz import WRONG, paths, replaced, without

from .routes import ROUTES
from .verdicts import bench, ended, sound

STREAMS = [route for route in ROUTES if route.stream]
PLAIN = [route for route in ROUTES if not route.stream]
ENOUGH = settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
COMPLETE = {
    "openai.chat": re.compile(rb'\[DONE\]|"finish_reason":\s*"'),
    "openai.responses": re.compile(rb"response\.(completed|incomplete)"),
    "anthropic.messages": re.compile(rb"message_stop"),
}
"""One of these has to be in what a provider said before anybody may call it complete."""
GARBAGE = st.sampled_from([
    b"", b"\x00", b"\xff\xfe", b"data: ", b"data: {\n\n", b"data: null\n\n", b"data: []\n\n", b"\n\n", b"\r\n\r\n",
    b"event: error\n", b": ping\n\n",
    b'data: {"error":{"message":"boom"}}\n\n', b'data: {"type":"error","error":{"type":"api_error","message":"boom"}}\n\n',
    b"event: ping\ndata: {}\n\n", b"<html>", b"data: " + b"[" * 5000 + b"\n\n", b'data: {"type":"unheard_of"}\n\n',
])  # fmt: skip


def broken_json(data, draw):
    """A JSON text with one of its values replaced or gone."""
    whole = msgspec.json.decode(data)
    place = draw(st.sampled_from([path for path in paths(whole) if path]))
    if draw(st.booleans()):
        return msgspec.json.encode(without(whole, place))
    return msgspec.json.encode(replaced(whole, place, draw(st.sampled_from(WRONG))))


def broken_event(event, draw):
    head, data, rest = event.partition(b"data: ")
    return event if b"[DONE]" in rest else head + data + broken_json(rest.strip(), draw) + b"\n\n"


def broken_bytes(data, draw):
    at = draw(st.integers(0, max(0, len(data) - 1)))
    how = draw(st.sampled_from(["cut", "flip", "insert", "drop"]))
    if how == "cut":
        return data[:at]
    if how == "flip":
        return data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :] if data else data
    return data[:at] + (draw(GARBAGE) if how == "insert" else b"") + data[at + 1 :]


@st.composite
def broken_stream(draw, route):
    """The events of a good stream: some dropped, doubled, moved or damaged; perhaps cut."""
    events = list(route.good.events)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(events) - 1))
        how = draw(st.sampled_from(["drop", "double", "move", "insert", "json", "bytes", "end"]))
        if how == "drop" and len(events) > 1:
            del events[at]
        elif how == "double":
            events.insert(at, events[at])
        elif how == "move":
            events.insert(draw(st.integers(0, len(events) - 1)), events.pop(at))
        elif how == "insert":
            events.insert(at, draw(GARBAGE))
        elif how == "json" and events[at] in route.good.events:
            events[at] = broken_event(events[at], draw)
        elif how == "bytes":
            events[at] = broken_bytes(events[at], draw)
        elif how == "end":
            events = events[: at + 1]
    return Script(events=tuple(events), cut_events=draw(st.sampled_from([None, None, len(events)])))


@st.composite
def broken_body(draw, route):
    body = route.good.body
    if draw(st.booleans()):
        return route.good.but(body=broken_json(body, draw), events=())
    return route.good.but(body=broken_bytes(body, draw), events=())


@pytest.fixture
def attack(caplog):
    """`attack(route, scripts, check)`: each script's answer, checked; then a good one."""
    caplog.set_level(logging.ERROR)

    def run(route, scripts, check):
        with asyncio.Runner() as runner:
            opened = runner.run(entered(bench(route)))
            made = opened[1]

            async def one(script):
                made.first.always(script)
                answer = await made.ask("first/m")
                assert b"lynkr failed" not in answer.body
                assert answer.whole
                check(route, script, answer)

            try:
                ENOUGH(given(scripts)(lambda script: runner.run(one(script))))()
                made.first.always(route.good)
                sound(route, runner.run(made.ask("first/m")))
            finally:
                runner.run(opened[0].__aexit__(None, None, None))
        assert [record.getMessage() for record in caplog.records] == []

    return run


async def entered(manager):
    return manager, await manager.__aenter__()


@pytest.mark.parametrize("route", STREAMS, ids=lambda route: route.name)
def test_a_mutated_stream_never_crashes_and_never_ends_falsely(attack, route):
    attack(route, broken_stream(route), honest)


def honest(route, script, answer):
    """Complete only when the provider was, and otherwise an error that the caller can see."""
    if answer.status != 200:
        assert answer.json()["error"]["message"]
        return
    events = answer.events()
    if ended(route, answer):
        assert COMPLETE[route.spoken].search(b"".join(script.events)), answer.body
    elif route.translated or not COMPLETE[route.spoken].search(answer.body):  # as it came, which is whole to its own SDKs
        assert any(b"error" in event.data for event in events)
    if route.translated:
        assert [msgspec.json.decode(event.data) for event in events if event.data != b"[DONE]"]
        assert sum(route.end in (event.event, event.data) for event in events) <= 1


@pytest.mark.parametrize("route", PLAIN, ids=lambda route: route.name)
def test_a_mutated_answer_never_crashes(attack, route):
    attack(route, broken_body(route), readable)


def readable(route, script, answer):
    """JSON of lynkr's own making, or the provider's bytes, in which it found what makes an answer."""
    if answer.status == 200 and not route.translated:
        assert answer.body == script.body or route.kind == "count_tokens"  # which lynkr does itself when it has to
        return
    told = answer.json()
    assert isinstance(told, dict)
    if answer.status != 200:
        assert told["error"]["message"]

"""Every hook on every route of the API, plain and streamed, in the provider's own dialect and translated, whatever becomes of the request."""

import asyncio
import re
from contextlib import suppress

import msgspec
import pytest

from lynkr_core.events import Delta, End, Start
from lynkr_core.hooks import HOOKS
from lynkr_core.plugins import manifest
from lynkr_core.testing import factories
from lynkr_core.testing.canned import TEXT, Script
from lynkr_core.testing.firing import FRONT, TABLES
from lynkr_core.testing.waiting import SOON, until

from .asking import answer, body, fronts, gateway, manners, spoken_to
from .probes import Probe, Waiting

pytestmark = pytest.mark.anyio
REFUSED = Script(status=400, body=b'{"error": {"message": "no", "type": "invalid_request_error"}, "message": "no"}')
DOWN = Script(status=500, body=b'{"error": {"message": "boom"}, "message": "boom"}')
SILENT = Script(delay=60)
GATE = {
    "by a plugin": "answer",
    "unknown": "unknown",
    "denied": "denied",
    "no room": "no-room",
    "room elsewhere": "room-elsewhere",
}
CASES = [(path, dialect, spoken) for path, dialect in fronts() for spoken in spoken_to(dialect)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_every_hook_has_a_row_and_every_probe_has_every_hook(table):
    assert set(table.rows) == set(HOOKS), "core/src/lynkr_core/testing/firing.py says how often each hook is called"
    for hook in HOOKS:
        assert callable(getattr(Probe, hook)), "tests/firing/probes.py has every hook"
        assert getattr(Waiting, hook) is not getattr(Probe, hook) or hook in (
            "observe_event",
            "register_routes",
            "register_commands",
        )
        assert [table.expected(hook, column, stream) for column in table.columns for stream in (False, True)]


@pytest.mark.parametrize(("path", "dialect", "spoken"), CASES, ids=[f"{path} of {name}" for path, _, name in CASES])
async def test_every_hook_of_a_front(scripted_provider, path, dialect, spoken):
    async with gateway(scripted_provider, spoken) as made:
        for stream in manners(path, dialect):
            for situation in FRONT.columns:
                if FRONT.has(situation, stream):
                    made.reset(answer(spoken))
                    await happens(made, situation, path, dialect, stream)
                    await made.over()
                    compare(made, FRONT, situation, stream)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
async def test_every_hook_around_a_real_cache(scripted_provider, path):
    [dialect] = [dialect for front, dialect in fronts() if front == path]
    for spoken in spoken_to(dialect):
        cache = factories.build(manifest("cache", "exact"), {}, factories.context("exact", "cache"))
        async with gateway(scripted_provider, spoken, more=[("cache", "exact", cache)]) as made:
            for stream in (False, True):
                asked = msgspec.json.decode(body(dialect, stream)) | {"temperature": 0, "top_p": 1 if stream else 0.5}
                for situation, cached in (("answered", "miss"), ("by a plugin", "hit")):
                    made.reset(answer(spoken))
                    told = await made.client.post(path, json=asked)
                    assert (told.status, told.headers["x-lynkr-cache"]) == (200, cached)
                    await made.over()
                    compare(made, FRONT, situation, stream)


async def happens(made, situation, path, dialect, stream):
    """Asks, so that this becomes of it."""
    model = "none/such" if situation == "no such model" else "chain"
    asked = {"path": path.replace("{model}", model), "content": body(dialect, stream, model)}
    if dialect.name == "gemini" and stream:
        asked["path"] += "?alt=sse"
    if situation in GATE:
        told = await made.client.post(**asked, headers={"x-gate": GATE[situation]})
        assert told.status == {"unknown": 401, "denied": 403, "no room": 429}.get(situation, 200), told.body
    elif situation in ("unreadable", "no such model"):
        asked["content"] = b"{]" if situation == "unreadable" else asked["content"]
        assert (await made.client.post(**asked)).status == (400 if situation == "unreadable" else 404)
    elif situation in ("failed", "fallback", "answered"):
        made.provider.then(*{"failed": (REFUSED,), "fallback": (DOWN,), "answered": ()}[situation])
        told = await made.client.post(**asked)
        assert told.status == (400 if situation == "failed" else 200), told.body
    elif situation == "left":
        await left(made, **asked)
    else:
        await midway(made, situation, **asked)


async def left(made, **asked):
    made.provider.reset().always(SILENT)
    task = asyncio.ensure_future(made.client.request(**{"method": "POST", **asked}))
    received = await made.provider.arrived()
    task.cancel()
    await asyncio.wait([task])
    await asyncio.wait_for(received.gone.wait(), SOON)
    await until(lambda: made.probes[0].fired["post_response"])


async def midway(made, situation, **asked):
    good = made.provider._always
    made.provider.always(good.but(hold=60.0) if situation == "left midway" else good.but(cut_events=1))
    async with made.client.stream(**asked) as streamed:
        assert streamed.status == 200
        first = await anext(aiter(streamed))
        assert first
        if situation == "cut":
            with suppress(AssertionError):  # of what passes unread the end cannot be told: the connection breaks off
                await streamed.read()


def compare(made, table, situation, stream):
    for probe in made.probes:
        expected = {hook: table.expected(hook, situation, stream) for hook in HOOKS}
        counted = {hook: probe.fired[hook] for hook in HOOKS} | {"observe_event": most(probe.events)}
        where = f"{type(probe).__name__}: {situation}, {'stream' if stream else 'plain'}"
        assert {hook: times for hook, times in counted.items() if expected[hook] not in (times, None)} == {}, where
        assert (probe.held, probe.twice) == ([], []), where
    told = made.probes[0].events
    assert [id(event) for event in told] == [id(event) for event in made.probes[1].events]
    if told and situation == "answered":
        said = "".join([event.value for event in told if isinstance(event, Delta)])
        assert [sum(isinstance(event, kind) for event in told) for kind in (Start, End)] == [1, 1]
        assert re.sub(r"\s", "", said) == re.sub(r"\s", "", TEXT)


def most(events):
    """How often one event was seen at most."""
    times = [sum(event is other for other in events) for event in events]
    return max(times, default=0)

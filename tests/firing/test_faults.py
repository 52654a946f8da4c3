"""Whatever a plugin does in a hook, and whenever the caller leaves: what is reserved is settled once, and the end is told once."""

import asyncio

import pytest

from lynkr_core.errors import Forbidden, PluginError
from lynkr_core.exchange import Reservation
from lynkr_core.hooks import HOOKS
from lynkr_core.plugins import SYNCHRONOUS, Registry
from lynkr_core.testing.waiting import SOON, until

from .asking import answer, body, dialects, gateway, spoken_to
from .probes import Probe
from .test_fronts import DOWN

pytestmark = pytest.mark.anyio
FRONT = "openai.chat"
PER_REQUEST = [hook for hook in HOOKS if not hook.startswith("register")]
ASYNCHRONOUS = [hook for hook in PER_REQUEST if hook not in SYNCHRONOUS]
BEFORE = ("authenticate", "pre_route", "score", "select_provider", "revise_selection", "reserve", "transform_request")
"""Hooks after which somebody is asked."""
COMPLETE = ("transform_response", "settle", "post_response")
"""Hooks that come when the whole answer is there: it was given, and has to be paid for."""
NEVER = (("transform_response", True), ("transform_stream", False), ("observe_event", False))
"""Hooks that a stream does not have, and those that only a stream has."""
UNHEARD = ("observe_event", "settle", "post_response")
"""Hooks whose errors are for the log only."""
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


class Stalls:
    """Waits in one hook until it is let go."""

    def __init__(self):
        self.waits, self.goes_on = asyncio.Event(), asyncio.Event()

    async def wait(self):
        self.waits.set()
        await self.goes_on.wait()


def only(hook, function):
    """A plugin that has this hook, and what makes it be called. `function` takes no argument, and may be asynchronous."""

    async def later(self):
        return await function()

    def now(self):
        return function()

    reserves = {"reserve": lambda self: Reservation()} if hook == "settle" else {}
    return type("Only", (), {**reserves, hook: later if asyncio.iscoroutinefunction(function) else now})()


async def ends_well(made, outcome=None):
    """Both probes have had back what they reserved, and were told of the end once."""
    await made.over()
    for probe in made.probes:
        assert (probe.fired["post_response"], probe.held, probe.twice) == (1, [], [])
        assert outcome in (None, probe.outcomes[0].status)


@streams
@pytest.mark.parametrize("hook", ASYNCHRONOUS)
async def test_the_caller_leaves_while_a_plugin_thinks(scripted_provider, hook, stream):
    """Nobody is asked for a caller who is not there any more."""
    stalls = Stalls()
    more = [("extension", "stalls", only(hook, stalls.wait))]
    for spoken in spoken_to(dialects()[FRONT]):
        stalls.__init__()
        async with gateway(scripted_provider, spoken, more=more) as made:
            made.reset(answer(spoken))
            made.provider.then(*[DOWN] if hook == "attempt_failed" else [])
            asked = made.client.post("/v1/chat/completions", content=body(dialects()[FRONT], stream))
            task = asyncio.ensure_future(asked)
            if (hook, stream) in NEVER:
                await task
                continue
            await asyncio.wait_for(stalls.waits.wait(), SOON)
            before = len(made.provider.requests)
            if hook in ("settle", "post_response"):  # the answer is complete: nobody can leave any more
                await task
            else:
                task.cancel()
                await until(lambda made=made: made.probes[0].exchange.gone)
            stalls.goes_on.set()
            await asyncio.wait([task])
            await until(lambda made=made: made.probes[0].fired["post_response"])
            await ends_well(made, "ok" if hook in COMPLETE else "cancelled")
            assert len(made.provider.requests) == before == (hook not in BEFORE)


@streams
@pytest.mark.parametrize("kind", ["extension", "policy"])
@pytest.mark.parametrize("error", [ValueError("oh"), Forbidden("not so")], ids=["a fault", "a refusal"])
@pytest.mark.parametrize("hook", PER_REQUEST)
async def test_a_plugin_that_raises_in_a_hook(scripted_provider, hook, error, kind, stream):
    """A fault is skipped, or refuses where that plugin must not be; what was reserved comes back all the same."""

    def fails():
        raise error

    more = [(kind, "fails", only(hook, fails))]
    for spoken in spoken_to(dialects()[FRONT]):
        async with gateway(scripted_provider, spoken, more=more) as made:
            made.reset(answer(spoken))
            made.provider.then(*[DOWN] if hook == "attempt_failed" else [])
            told = await made.client.post("/v1/chat/completions", content=body(dialects()[FRONT], stream))
            await ends_well(made)
            refusal = 403 if isinstance(error, Forbidden) else 503
            skipped = (hook, stream) in NEVER or hook in UNHEARD or (kind == "extension" and refusal == 503)
            assert told.status == (200 if skipped else refusal), told.body
            [call] = [call for call in made.kernel.hooks.all if (call.plugin, call.hook) == (f"{kind}.fails", hook)]
            if (hook, stream) not in NEVER and (refusal == 503 or hook in UNHEARD):
                assert call.errors >= 1


@pytest.mark.parametrize("hook", sorted(SYNCHRONOUS))
def test_a_hook_that_nobody_waits_for_cannot_be_asynchronous(hook):
    async def later(self):
        pass

    with pytest.raises(PluginError, match=f"{hook} cannot be async"):
        Registry().register(type("Late", (Probe,), {hook: later})())


@pytest.mark.parametrize("leaves", [False, True], ids=["to its end", "left midway"])
async def test_what_wraps_a_stream_is_closed_with_it(scripted_provider, leaves):
    """A `finally` of a wrapper runs when the stream is over, however it ends."""
    closed = []

    class Wraps:
        def transform_stream(self, exchange, events):
            async def wrapped():
                try:
                    async for event in events:
                        yield event
                finally:
                    closed.append(exchange.id)

            return wrapped()

    async with gateway(scripted_provider, FRONT, more=[("extension", "wraps", Wraps())]) as made:
        made.reset(answer(FRONT).but(hold=60.0 if leaves else 0.0))
        async with made.client.stream("/v1/chat/completions", content=body(dialects()[FRONT], True)) as streamed:
            await anext(aiter(streamed))
            if not leaves:
                await streamed.read()
        await until(lambda: closed, within=SOON)
        await ends_well(made, "cancelled" if leaves else "ok")
    assert len(closed) == 1

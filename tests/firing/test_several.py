"""Every hook where one exchange has more than one attempt."""

import asyncio

import pytest

from lynkr_core.errors import UpstreamError
from lynkr_core.inner import offer
from lynkr_core.request import Text, Tool, ToolCall
from lynkr_core.testing.firing import SEVERAL
from lynkr_core.testing.saying import saying
from lynkr_core.testing.waiting import SOON, until

from .asking import CONFIG, answer, body, dialects, gateway, spoken_to
from .probes import Probe, Waiting
from .test_fronts import DOWN, SILENT, compare

pytestmark = pytest.mark.anyio
FRONTS = ("openai.chat", "openai.responses", "anthropic.messages")
SETTINGS = {
    "retried": CONFIG.replace("retries = 0", "retries = 1"),
    "hedged": CONFIG.replace("retries = 0", "retries = 0\nhedge_after = 0.1\nhedge_share = 1.0"),
    "resumed": CONFIG.replace("retries = 0", "retries = 1\nresume = true"),
}
SETTINGS["hedged, left"] = SETTINGS["hedged"]


class Picky:
    """Refuses the first candidate's answer, and offers a tool that it answers itself."""

    def __init__(self, situation):
        self.situation = situation

    def revise_selection(self, exchange, selection):
        if self.situation == "rejected":
            exchange.examine = lambda candidate: Examiner(candidate.provider.name == "up1")

    def transform_request(self, exchange, request):
        if self.situation == "rounds" and offer(exchange, "lynkr_look", lambda call: "found"):
            return request.edit(tools=(*request.tools, Tool(name="lynkr_look", parameters=b'{"type":"object"}')))
        return None


class Examiner:
    def __init__(self, refuses):
        self.refuses, self.holding = refuses, refuses

    def __call__(self, said):
        if self.refuses:
            raise UpstreamError("rejected", "not this one")


class Bare(Probe):
    transform_stream = None


class BareWaiting(Waiting):
    transform_stream = None


@pytest.mark.parametrize("situation", SEVERAL.columns)
@pytest.mark.parametrize("front", FRONTS)
async def test_every_hook_of_several_attempts(scripted_provider, front, situation):
    dialect = dialects()[front]
    probes = (Bare(), BareWaiting()) if situation in ("resumed", "rounds") else None
    for spoken in spoken_to(dialect):
        more = [("extension", "picky", Picky(situation))]
        async with gateway(scripted_provider, spoken, SETTINGS.get(situation, CONFIG), probes, more) as made:
            for stream in (False, True):
                if SEVERAL.has(situation, stream):
                    made.reset(answer(spoken))
                    made.provider.then(*scripts(situation, spoken))
                    await happens(made, situation, dialect, stream)
                    await made.over()
                    compare(made, SEVERAL, situation, stream)


def scripts(situation, spoken):
    good = answer(spoken)
    told = {
        "retried": [DOWN.but(headers={"retry-after": "0"})],
        "hedged": [SILENT],
        "hedged, left": [SILENT, SILENT],
        "resumed": [good.but(cut_events=1)],
        "rounds": [saying(spoken, ToolCall(id="call_1", name="lynkr_look", arguments="{}"))],
    }
    return [*told.get(situation, []), *([saying(spoken, Text(text="Done."))] if situation == "rounds" else [])]


async def happens(made, situation, dialect, stream):
    model = "alone" if situation in ("retried", "downgraded") else "chain"
    gate = {"x-gate": "downgrade"} if situation == "downgraded" else {}
    asked = made.client.post(dialect.routes[0], content=body(dialect, stream, model), headers=gate)
    if situation != "hedged, left":
        told = await asked
        assert told.status == 200, told.body
        assert len(made.provider.requests) == (1 if situation == "downgraded" else 2)
        return
    task = asyncio.ensure_future(asked)
    await made.provider.arrived(2)
    task.cancel()
    await asyncio.wait([task])
    for received in made.provider.requests:
        await asyncio.wait_for(received.gone.wait(), SOON)
    await until(lambda: made.probes[0].fired["post_response"])

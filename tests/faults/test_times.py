"""How long a failure may take: one model down costs one failed try, everything down is told soon."""

import asyncio
import time

import pytest

from lynkr_core.testing.canned import Script
from lynkr_core.testing.faults import Fault
from lynkr_core.testing.waiting import least

from .routes import ROUTES
from .verdicts import CONFIG, bench, refusal, sound

pytestmark = pytest.mark.anyio
every = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
FAILURES = {
    "500": (Script(status=500, body=b'{"error":{"message":"boom"}}', delay=0.05), 0.05),
    "429": (Script(status=429, body=b'{"error":{"message":"slow down"}}', headers={"retry-after": "20"}, delay=0.05), 0.05),
    "silence": (Script(delay=60), 0.3),
}
"""Each with the seconds that one failed try takes."""
PORT = 9
"""Of the discard service: nobody listens there."""


async def timed(made, model="chain"):
    began = time.monotonic()
    answer = await made.ask(model)
    return time.monotonic() - began, answer


@every
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_model_that_fails_costs_one_failed_try_and_no_request(route, failure):
    script, one_try = FAILURES[failure]
    async with bench(route, patience=0.25 if failure == "silence" else 60) as made:
        await made.ask("second/m")
        healthy = min([(await timed(made, "second/m"))[0] for _ in range(3)])
        made.first.always(script)

        async def slowest():
            answers = await asyncio.gather(*[timed(made) for _ in range(5)])
            for _, answer in answers:
                sound(route, answer)
            return max(took for took, _ in answers)

        most = healthy + one_try + 0.2
        assert await least(slowest, most) < most


@every
async def test_a_provider_that_is_down_costs_less_than_200_ms(route):
    text = CONFIG.replace('chain = ["first/m"', 'chain = ["nobody/m"') + route.provider("nobody", f"http://127.0.0.1:{PORT}")
    async with bench(route, text) as made:

        async def took():
            seconds, answer = await timed(made)
            sound(route, answer)
            return seconds

        assert await least(took, 0.2) < 0.2


@every
@pytest.mark.parametrize("how", ["refused", "reset", "500"])
async def test_everything_down_is_told_within_3_s(route, how):
    down = 'chain = ["nobody/m", "none/m"' if how == "refused" else 'chain = ["first/m", "first/n"'
    nobody = [route.provider(name, f"http://127.0.0.1:{PORT}") for name in ("nobody", "none")]
    text = CONFIG.replace("retries = 0", "retries = 2").replace('chain = ["first/m", "second/m"', down) + "".join(nobody)
    async with bench(route, text) as made:
        made.first.always(FAILURES["500"][0])
        made.proxy.always(Fault(ends="reset" if how == "reset" else None))

        async def took():
            seconds, answer = await timed(made)
            if route.kind == "count_tokens":
                sound(route, answer)  # counted by lynkr itself
            else:
                assert answer.status >= 500
                refusal(route, answer)
            return seconds

        assert await least(took, 3) < 3

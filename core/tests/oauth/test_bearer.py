import asyncio

import pytest

from lynkr_core import Secret, UpstreamError
from lynkr_core.oauth import Bearer, Token

pytestmark = pytest.mark.anyio


class Source:
    """Gives token 1, token 2 and so on, or the error it was told; counts how often it was asked."""

    def __init__(self, lifetime: float = 3600.0) -> None:
        self.lifetime, self.asked = lifetime, 0
        self.error: Exception | None = None

    async def __call__(self) -> Token:
        self.asked += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return Token(value=Secret(f"token-{self.asked}"), lifetime=self.lifetime)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def rest() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_there_is_no_token_before_it_was_fetched():
    bearer = Bearer(Source())
    assert bearer.ready() is None
    assert await bearer.fetched() == (b"authorization", b"Bearer token-1")
    assert bearer.ready() == (b"authorization", b"Bearer token-1")


async def test_all_who_wait_wait_for_the_same_token():
    bearer = Bearer(source := Source())
    headers = await asyncio.gather(*[bearer.fetched() for _ in range(20)])
    assert (source.asked, len(set(headers))) == (1, 1)


async def test_one_who_gives_up_does_not_take_the_token_from_the_others():
    bearer = Bearer(Source())
    first, second = bearer.fetched(), bearer.fetched()
    first.cancel()
    assert (await second)[1] == b"Bearer token-1"


async def test_a_token_near_its_end_is_renewed_beside_the_requests():
    bearer = Bearer(source := Source(), clock := Clock())
    await bearer.fetched()
    clock.now += 3600 - 299
    assert bearer.ready()[1] == b"Bearer token-1"  # nobody waits
    await rest()
    assert (bearer.ready()[1], source.asked) == (b"Bearer token-2", 2)


@pytest.mark.parametrize(("lifetime", "good", "due"), [(3600.0, 3299.0, 3301.0), (100.0, 79.0, 81.0)])
async def test_renewal_begins_five_minutes_or_a_fifth_before_the_end(lifetime, good, due):
    bearer = Bearer(source := Source(lifetime), clock := Clock())
    await bearer.fetched()
    for moment, asked in ((good, 1), (due, 2)):
        clock.now = 1000.0 + moment
        bearer.ready()
        await rest()
        assert source.asked == asked


async def test_a_failed_renewal_leaves_the_old_token_and_is_tried_again_after_a_pause():
    bearer = Bearer(source := Source(), clock := Clock())
    await bearer.fetched()
    source.error = UpstreamError("unavailable", "down")
    clock.now += 3400
    for pause, asked in ((0, 2), (5, 2), (11, 3)):
        clock.now += pause
        assert bearer.ready()[1] == b"Bearer token-1"
        await rest()
        assert source.asked == asked


async def test_a_token_that_has_run_out_is_not_used():
    bearer = Bearer(Source(), clock := Clock())
    await bearer.fetched()
    clock.now += 3600
    assert bearer.ready() is None


async def test_a_refused_token_is_forgotten_but_not_its_successor():
    bearer = Bearer(Source())
    old = await bearer.fetched()
    bearer.forget(old)
    assert bearer.ready() is None
    await bearer.fetched()
    bearer.forget(old)
    assert bearer.ready()[1] == b"Bearer token-2"


async def test_what_went_wrong_reaches_those_who_wait():
    bearer = Bearer(source := Source())
    source.error = UpstreamError("auth", "no")
    with pytest.raises(UpstreamError, match="no"):
        await bearer.fetched()
    source.error = None
    assert (await bearer.fetched())[1] == b"Bearer token-2"

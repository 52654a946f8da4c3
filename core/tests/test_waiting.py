import asyncio

import pytest

from lynkr_core.waiting import stopped

pytestmark = pytest.mark.anyio


async def test_tasks_are_over_once_they_are_stopped():
    cleaned: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            cleaned.append(number)

    tasks = [asyncio.ensure_future(work(number)) for number in range(3)]
    await asyncio.sleep(0)
    await stopped(*tasks, None)
    assert sorted(cleaned) == [0, 1, 2]
    assert all(task.cancelled() for task in tasks)


async def test_what_had_ended_or_never_began_is_no_error():
    async def fail() -> None:
        raise ValueError("before")

    ended = asyncio.ensure_future(fail())
    await asyncio.wait([ended])
    await stopped(ended)
    await stopped(None)
    await stopped()
    assert isinstance(ended.exception(), ValueError)

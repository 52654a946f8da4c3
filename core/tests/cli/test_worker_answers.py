"""What the supervisor asks of a worker is answered, or known not to be."""

import asyncio
from types import SimpleNamespace

import pytest

from lynkr_core.cli.channel import Settle, Take
from lynkr_core.cli.workers import Gone, Worker
from lynkr_core.process import Reloaded

pytestmark = pytest.mark.anyio
DONE = Reloaded(config="new", mistakes=(), restart=(), workers=1)


@pytest.fixture
def worker():
    sent = []
    return Worker(SimpleNamespace(pid=1, kill=lambda: None), SimpleNamespace(send=sent.append, sent=sent))


async def test_an_answer_to_settle_says_what_it_serves_with(worker):
    asking = asyncio.ensure_future(worker.do(Settle()))
    await asyncio.sleep(0)
    worker.answered(DONE)
    assert (await asking, worker.config) == (DONE, "new")


async def test_a_worker_that_ends_before_it_has_answered_is_gone(worker):
    asking = asyncio.ensure_future(worker.do(Take("")))
    await asyncio.sleep(0)
    worker.gone()
    with pytest.raises(Gone):
        await asking


async def test_a_worker_that_has_ended_is_not_waited_for(worker):
    """It may end between `Take` and `Settle`; a reload must not wait for it until its patience is over."""
    worker.gone()
    with pytest.raises(Gone):
        await asyncio.wait_for(worker.do(Settle()), 10)
    assert worker.channel.sent == []

"""How it ends: told to stop, with a store that is broken, or killed in the middle of load. What callers saw is kept."""

import asyncio
import json
import os
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.process import ask
from lynkr_core.testing.waiting import SOON
from tests.conftest import ECHO
from tests.test_end_to_end import ENDS, FRONTS, fronts, post, question, wire
from tests.test_reload import UP, file_of, until
from tests.test_workers import refuses
from tests.test_workers import workers as working

pytestmark = pytest.mark.anyio
CHAT = "/v1/chat/completions"
KEEPING = '[store.sqlite]\npath = "{path}"\n[sink.journal]\n'
BROKEN = {"/v1/chat/completions": b'"error"', "/v1/responses": b'"type":"error"', "/v1/messages": b"event: error"}
FLUSH_SECONDS = 0.2
"""What the store's README promises."""


def kept(path):
    """Records by id."""
    with closing(sqlite3.connect(path)) as connection:
        return {id: json.loads(record) for id, record in connection.execute("SELECT id, record FROM journal")}


async def test_health_says_that_it_stops_while_requests_are_still_taken(serve):
    served = serve("[server]\nnotice = 3.0\n" + ECHO.partition("\n\n")[2])
    assert ask(f"{served.url}/health/ready").status == 200
    began = time.monotonic()
    served.process.send_signal(signal.SIGTERM)
    until(lambda: ask(f"{served.url}/health/ready").status != 200, SOON)
    answer = await asyncio.to_thread(ask, f"{served.url}/health/ready")
    assert (answer.status, answer.json()["status"]) == (503, "stopping")
    assert (await asyncio.to_thread(ask, served.url + CHAT, json.loads(question(CHAT)))).status == 200
    assert (await asyncio.to_thread(ask, f"{served.url}/health/live")).status == 200
    assert served.ended() == 0
    assert 2.9 < time.monotonic() - began < 3 + 2 * SOON


@fronts
@pytest.mark.parametrize("same", [True, False], ids=["same", "translated"])
async def test_streams_that_last_too_long_end_with_an_error_that_the_journal_has(serve, provider, tmp_path, front, same):
    dialect = FRONTS[front] if same else next(name for name in FRONTS.values() if name != FRONTS[front])
    provider.always(CANNED[dialect].but(pause=0.6))
    path = tmp_path / "kept.db"
    up = UP.format(url=provider.url, dialect=dialect).replace('"openai.chat", ', "")
    served = serve("[server]\ndrain = 1\nlist_models = false\n" + up + KEEPING.format(path=path))
    async with wire(served) as caller:
        caller.writer.write(post(front, question(front, "up/m", stream=True)))
        head = await caller.reader.readuntil(b"\r\n\r\n")
        served.process.send_signal(signal.SIGTERM)
        body = b"".join([piece async for piece in caller.chunks()])
    assert BROKEN[front] in body
    assert b"lynkr was stopped" in body
    assert ENDS[front] not in body
    assert served.ended() == 0
    (record,) = kept(path).values()
    assert record["id"].encode() in head
    assert (record["status"], record["error"]) == ("cut", "lynkr was stopped")


async def test_a_request_that_waits_for_its_answer_is_told_as_an_error(serve, provider):
    provider.always(CANNED["openai.chat"].but(delay=30))
    served = serve("[server]\ndrain = 1\nlist_models = false\n" + UP.format(url=provider.url, dialect="openai.responses"))
    async with wire(served) as caller:
        caller.writer.write(post(CHAT, question(CHAT, "up/m")))
        await provider.arrived()
        served.process.send_signal(signal.SIGTERM)
        status, _, body = await caller.answer()
    assert (status, json.loads(body)["error"]["message"]) == (503, "lynkr was stopped")


async def test_the_second_ctrl_c_tells_callers_too(serve, tmp_path):
    path = tmp_path / "kept.db"
    served = serve(ECHO + KEEPING.format(path=path))
    async with wire(served) as caller:
        caller.writer.write(post("/v1/messages", question("/v1/messages", text="[[echo: chunks 99 every 1]]", stream=True)))
        await caller.reader.readuntil(b"\r\n\r\n")
        served.process.send_signal(signal.SIGINT)
        await asyncio.to_thread(until, lambda: refuses(served))  # two signals at once would be one
        served.process.send_signal(signal.SIGINT)
        assert b"lynkr was stopped" in await caller.reader.read()
    assert served.ended() == 0
    assert [record["status"] for record in kept(path).values()] == ["cut"]


async def test_what_a_broken_store_cannot_take_is_there_after_the_next_start(serve, tmp_path):
    path = tmp_path / "kept.db"
    served = serve(ECHO + KEEPING.format(path=path))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")  # somebody holds the file and does not let go
        answers = [await asyncio.to_thread(ask, served.url + CHAT, json.loads(question(CHAT))) for _ in range(5)]
        assert await asyncio.to_thread(served.stop) == 0
        assert list(tmp_path.glob("kept.db.spill-*"))
    assert kept(path) == {}
    again = serve(file_of(served).read_text())
    assert set(kept(path)) == {answer.headers["x-lynkr-request-id"] for answer in answers}
    assert list(tmp_path.glob("*spill*")) == []
    assert ask(f"{again.url}/v1/decisions/{answers[0].headers['x-lynkr-request-id']}").status == 200


async def written(path, ids, within=60):
    """Returns when all of them are in the file: how soon that is depends on the machine, that it happens does not."""
    until = time.monotonic() + within
    while missing := ids - set(kept(path)):
        assert time.monotonic() < until, f"{len(missing)} of {len(ids)} never reached the file"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
async def test_killed_in_the_middle_of_load_it_keeps_what_callers_saw(serve, tmp_path, workers):
    """What its callers saw finished is written while load goes on, survives a kill -9, and it starts again."""
    path = tmp_path / "kept.db"
    config = ECHO.replace("list_models", f"workers = {workers}\nlist_models") + KEEPING.format(path=path)
    served = serve(config)
    seen: set[str] = set()

    async def caller(number):
        front = list(FRONTS)[number % 3]
        try:
            async with wire(served) as one:
                while True:
                    one.writer.write(post(front, question(front, stream=number % 2 == 0)))
                    _, headers, _ = await one.answer()
                    seen.add(headers["x-lynkr-request-id"])
                    await asyncio.sleep(0.01)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # killed

    callers = [asyncio.ensure_future(caller(number)) for number in range(12)]
    await asyncio.to_thread(until, lambda: len(seen) > 100)
    due = set(seen)
    await written(path, due)
    await asyncio.to_thread(until, lambda: len(seen) > len(due))  # load goes on
    pids = working(served) if workers > 1 else ()
    served.process.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*callers)
    assert due - set(kept(path)) == set()
    again = serve(config)
    assert ask(again.url + CHAT, json.loads(question(CHAT))).status == 200
    assert "ERROR" not in again.text


async def test_a_quiet_gateway_that_is_killed_has_lost_nothing_older_than_its_flush_interval(serve, tmp_path):
    path = tmp_path / "kept.db"
    served = serve(ECHO + KEEPING.format(path=path))
    answers = [await asyncio.to_thread(ask, served.url + CHAT, json.loads(question(CHAT))) for _ in range(5)]
    ids = {answer.headers["x-lynkr-request-id"] for answer in answers}
    await written(path, ids, FLUSH_SECONDS * 50)  # nothing else runs; fifty times as long for a machine that is busy
    served.process.kill()
    assert set(kept(path)) == ids

"""Several processes behind one address: they are kept alive, reloaded together and stopped together."""

import asyncio
import os
import signal
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lynkr_core.testing.process import lynkr
from lynkr_core.testing.waiting import PATIENCE, SOON
from tests.test_end_to_end import ENDS, FRONTS, post, question, wire
from tests.test_reload import BAD, CHAT, GOOD, OTHER, chat, hash_of, put, ready, reload, until

pytestmark = pytest.mark.anyio
TWO = GOOD.replace("[provider", "workers = 2\n[provider")
OTHER_TWO = OTHER.replace("[provider", "workers = 2\n[provider")


@pytest.fixture
def served(serve):
    return serve(TWO)


def workers(served):
    """Process ids of those that run."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text()
    return {int(pid) for pid in children.split()}


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def refuses(served):
    """Whether nobody accepts any more."""
    try:
        socket.create_connection(("127.0.0.1", served.port), 5).close()
    except OSError:
        return True
    return False


def listening(served):
    """Whether all workers serve: each takes part in a reload, also one that comes to nothing."""
    return reload(served)[1].get("workers") == 2


def test_all_take_up_a_configuration_together(served):
    assert len(workers(served)) == 2
    put(served, OTHER_TWO)
    status, told = reload(served)
    assert (status, told["workers"], told["config"]) == (200, 2, hash_of(OTHER_TWO))
    assert {chat(served)[1:] for _ in range(20)} == {(hash_of(OTHER_TWO), "two: Hello")}


def test_none_takes_up_a_bad_one_and_all_say_why(served):
    put(served, BAD)
    status, told = reload(served)
    assert (status, told["workers"]) == (422, 2)
    answers = [ready(served) for _ in range(20)]
    assert all(one["config"] == hash_of(TWO) and one["config_mistakes"] == told["mistakes"] for one in answers)
    os.kill(min(workers(served)), signal.SIGKILL)
    until(lambda: listening(served))
    assert all(ready(served)["config_mistakes"] for _ in range(20))


def test_a_signal_and_a_change_reach_all(served):
    put(served, OTHER_TWO)
    until(lambda: ready(served)["config"] == hash_of(OTHER_TWO))
    assert {chat(served)[2] for _ in range(20)} == {"two: Hello"}
    put(served, TWO)
    for pid in (served.process.pid, min(workers(served))):
        served_before = served.text.count("is taken up")
        os.kill(pid, signal.SIGHUP)
        until(lambda before=served_before: served.text.count("is taken up") >= before + 2)
    assert {chat(served)[2] for _ in range(20)} == {"one: Hello"}


async def test_a_dead_worker_is_replaced_and_the_others_serve(served):
    before = workers(served)
    statuses = []
    stopping = asyncio.Event()

    async def caller():
        while not stopping.is_set():
            try:
                async with wire(served) as one:
                    one.writer.write(post(CHAT, question(CHAT, "auto")))
                    statuses.append((await one.answer())[0])
            except (OSError, asyncio.IncompleteReadError):
                statuses.append(0)

    callers = [asyncio.ensure_future(caller()) for _ in range(4)]
    await asyncio.sleep(0.3)
    os.kill(min(before), signal.SIGKILL)
    await asyncio.to_thread(until, lambda: len(workers(served) - before) == 1)
    await asyncio.to_thread(until, lambda: listening(served))
    stopping.set()
    await asyncio.gather(*callers)
    assert statuses.count(0) <= 4, "only what the dead one was answering is lost"
    assert set(statuses) <= {0, 200}
    assert "another one starts" in served.text


def test_a_new_worker_serves_with_what_the_others_serve_with(served):
    put(served, OTHER_TWO)
    assert reload(served)[0] == 200
    file = served.log.with_suffix(".toml")
    file.write_text("[broken")
    os.kill(min(workers(served)), signal.SIGKILL)
    until(lambda: listening(served))
    assert {chat(served)[1] for _ in range(30)} == {hash_of(OTHER_TWO)}


async def test_a_stop_lets_the_streams_of_all_end(serve):
    served = serve(TWO.replace("one: ", ""))
    pids = workers(served)
    async with AsyncExitStack() as open_ones:
        callers = [(front, await open_ones.enter_async_context(wire(served))) for front in (*FRONTS, *FRONTS)]
        for front, caller in callers:
            caller.writer.write(post(front, question(front, text="word [[echo: chunks 10 every 0.05]]", stream=True)))
            assert (await caller.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        served.process.send_signal(signal.SIGTERM)
        for front, caller in callers:
            assert ENDS[front] in b"".join([piece async for piece in caller.chunks()])
    assert await asyncio.to_thread(served.ended, PATIENCE) == 0
    assert not any(alive(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_by_a_signal(served, number):
    pids = workers(served)
    assert served.stop(number) == 0
    assert not any(alive(pid) for pid in pids)
    assert "Traceback" not in served.text


def test_the_second_ctrl_c_ends_it_at_once(served):
    answer = asyncio.run(begun_stream(served))
    began = time.monotonic()
    served.process.send_signal(signal.SIGINT)
    until(lambda: refuses(served))  # two signals at once would be one
    assert alive(served.process.pid)
    assert served.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 3 * SOON  # the stream would take 99 s
    answer.close()


async def begun_stream(served):
    """A socket on which a long stream has begun."""
    async with wire(served) as caller:
        caller.writer.write(post(CHAT, question(CHAT, "auto", text="[[echo: chunks 99 every 1]]", stream=True)))
        await caller.reader.readuntil(b"\r\n\r\n")
        return caller.writer.get_extra_info("socket").dup()


def test_without_the_supervisor_nobody_goes_on(served):
    pids = workers(served)
    served.process.kill()
    served.process.wait()
    until(lambda: not any(alive(pid) for pid in pids))


def test_what_keeps_them_from_starting_is_told_once(tmp_path):
    (tmp_path / "lynkr.toml").write_text(TWO + '[store.sqlite]\npath = "no/such/folder.db"\n')
    done = lynkr("serve", "--port", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("cannot open") == 1
    assert "Traceback" not in done.stderr


def test_a_bad_file_is_told_once_however_many_there_are(tmp_path):
    (tmp_path / "lynkr.toml").write_text(BAD)
    done = lynkr("serve", "--workers", "2", "--port", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("unknown section")) == (2, 1)

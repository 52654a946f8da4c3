"""The server over real sockets: a caller that leaves is noticed at once."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import asynccontextmanager, nullcontext

import pytest

from lynkr_core.cli import protocol
from lynkr_core.cli.server import Server, listener
from lynkr_core.process import Process
from lynkr_core.settings import Server as Settings
from lynkr_core.testing.waiting import PATIENCE, SOON, least, until

pytestmark = pytest.mark.anyio
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest):
    return "asyncio", {"use_uvloop": request.param}


class App:
    """Reads the body, watches (or only afterwards, when `late`), waits until its path is let go, answers."""

    def __init__(self, late=False):
        self.log, self.lefts, self.late = [], [], late
        self.gates = defaultdict(asyncio.Event)

    async def __call__(self, scope, receive, send):
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            self.lefts.append((scope["path"], time.monotonic()))
            return
        name = scope["path"]
        self.log.append(name)
        if self.late:
            await self.gates[name].wait()
        scope["extensions"]["lynkr.caller"].watch(lambda: self.lefts.append((name, time.monotonic())))
        await self.gates[name].wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(app):
    server = Server(app, Settings(drain=1), Process(), lambda address: None)
    server.capture_signals = nullcontext
    bound = listener("127.0.0.1", 0)
    port = bound.getsockname()[1]
    task = asyncio.ensure_future(server.serve(bound))
    await until(lambda: server.started)
    try:
        yield port
    finally:
        for gate in app.gates.values():
            gate.set()
        server.should_exit = True
        await task


@pytest.mark.parametrize("size", [0, 10, 70_000, 400_000])
@pytest.mark.parametrize("abruptly", [True, False])
async def test_a_caller_that_leaves_is_noticed_at_once(size, abruptly):
    async def took():
        app = App()
        async with serving(app) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
            await until(lambda: app.log)
            left = time.monotonic()
            writer.transport.abort() if abruptly else writer.close()
            await until(lambda: app.lefts, SOON)
        ((name, noticed),) = app.lefts
        assert name == "/a"
        return noticed - left

    assert await least(took, 0.1) < 0.1


async def test_a_caller_that_leaves_after_its_answer_is_not_news():
    app = App()
    app.gates["/"].set()
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(GET)
            assert await reader.readuntil(b"ok")
        writer.close()
        await asyncio.sleep(0.05)
    assert (app.log, app.lefts) == (["/"] * 3, [])


async def test_with_pipelining_each_request_has_its_own_callback():
    app = App()
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET.replace(b"/ ", b"/a ", 1) + GET.replace(b"/ ", b"/b ", 1))
        await until(lambda: app.log)
        app.gates["/a"].set()
        await reader.readuntil(b"ok")
        await until(lambda: len(app.log) == 2)
        writer.close()
        await until(lambda: app.lefts)
    assert (app.log, [name for name, _ in app.lefts]) == (["/a", "/b"], ["/b"])


async def test_a_callback_set_too_late_runs_at_once():
    app = App(late=True)
    async with serving(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await until(lambda: app.log)
        writer.close()
        await asyncio.sleep(0.05)
        assert app.lefts == []
        app.gates["/"].set()
        await until(lambda: app.lefts)
    assert len(app.lefts) == 1


class Streaming(App):
    """Streams one piece, and ends when its path is let go."""

    async def __call__(self, scope, receive, send):
        await receive()
        self.log.append(scope["path"])
        caller = scope["extensions"]["lynkr.caller"]
        await caller.begin(200, [])
        await caller.piece(b"begun")
        await self.gates[self.log[-1]].wait()
        await caller.end()


@pytest.mark.parametrize("place", [0, 10, len(GET)])
@pytest.mark.parametrize("early", [True, False], ids=["before", "while"])
async def test_the_next_request_may_come_before_a_stream_begins_and_while_it_lasts(early, place):
    app, second = Streaming(), GET.replace(b"/ ", b"/2 ", 1)
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET + second[:place] if early else GET)
        assert await reader.readuntil(b"begun")
        for piece in (second[place:],) if early else (second[:place], second[place:]):
            writer.write(piece)
            await asyncio.sleep(0.01)
        app.gates["/"].set()
        assert await asyncio.wait_for(reader.readuntil(b"begun"), PATIENCE)
        writer.close()
    assert app.log == ["/", "/2"]


SLOW = """
import asyncio
async def app(scope, receive, send):
    print("asked", flush=True)
    await asyncio.sleep(60)
"""


RUN = """
import slow, sys
from lynkr_core.cli.server import listener, run
from lynkr_core.settings import Server
run(slow.app, listener("127.0.0.1", int(sys.argv[1])), Server(drain=1.0), ready=lambda _: None)
"""


def test_the_process_stops_within_its_time(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(port)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with connect(port) as caller:
        caller.sendall(GET)
        assert process.stdout.readline()  # it asks
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    process.stdout.close()
    assert 0.9 < time.monotonic() - began < 1 + 2 * SOON


def connect(port):
    for _ in range(1200):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")


async def told(port, *pieces):
    """What the server says until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.005)
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    return answer


@pytest.mark.parametrize("pieces", [1, 40])
async def test_a_head_that_is_too_large_is_refused(pieces):
    app = App()
    async with serving(app) as port:
        head = b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 80_000 + b"\r\n\r\n"
        size = len(head) // pieces + 1
        answer = await told(port, *[head[at : at + size] for at in range(0, len(head), size)])
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert app.log == []


async def test_what_is_not_http_is_refused():
    async with serving(App()) as port:
        assert (await told(port, b"GARBAGE\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_garbage_behind_a_request_does_not_cost_it_its_answer():
    app = App()
    async with serving(app) as port:
        asking = asyncio.ensure_future(told(port, GET + b"\x00\x01garbage\r\n"))
        await until(lambda: app.log)
        app.gates["/"].set()
        answer = await asking
    assert answer.endswith(b"ok")
    assert b"connection: close" in answer


POST = b"POST /2 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_garbage_in_a_body_is_refused_and_its_request_is_over():
    app = App()
    async with serving(app) as port:
        answer = await told(port, POST + b"2\r\n{}\r\n", b"zz\r\n")
        await until(lambda: app.lefts)
    assert (answer[:13], answer.count(b"HTTP/1.1 "), app.log) == (b"HTTP/1.1 400 ", 1, [])


async def test_garbage_in_a_body_does_not_cost_the_request_before_it_its_answer():
    app = App()
    async with serving(app) as port:
        asking = asyncio.ensure_future(told(port, GET + POST + b"zz\r\n"))
        await until(lambda: app.log)
        app.gates["/"].set()
        answer = await asking
    assert (answer[-2:], answer.count(b"HTTP/1.1 "), app.log) == (b"ok", 1, ["/"])


async def test_who_is_answered_before_its_body_has_come_is_told_that_the_connection_closes():
    """Or it would send its next request there, and get no answer."""

    class Refuses(App):
        async def __call__(self, scope, receive, send):
            await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    async with serving(Refuses()) as port:
        for length, closes in ((5, True), (2, False)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\nab" % length)
            head = await reader.readuntil(b"\r\n\r\n")
            assert (head[:13], b"connection: close" in head) == (b"HTTP/1.1 413 ", closes)
            writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET / HT", POST, POST + b"2\r\n{}\r\n"])
async def test_a_caller_that_says_no_more_is_not_waited_for(begun, monkeypatch):
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 1.0)
    app = App()
    async with serving(app) as port:
        assert await told(port, begun) == b""
        assert (app.log, len(app.lefts)) == ([], int(POST in begun))


async def test_a_caller_that_waits_for_its_answer_is_not_silent(monkeypatch):
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.5)
    app = App()
    async with serving(app) as port:
        asking = asyncio.ensure_future(told(port, GET[:-2] + b"connection: close\r\n\r\n"))
        await until(lambda: app.log)
        await asyncio.sleep(2.5)
        app.gates["/"].set()
        assert (await asking).endswith(b"ok")


async def test_http_1_0_is_answered_without_chunks():
    app = App()
    app.gates["/"].set()
    async with serving(app) as port:
        answer = await told(port, b"GET / HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nok")
    assert b"transfer-encoding" not in answer


@pytest.mark.parametrize("header", [b"connection", b"proxy-connection"])
async def test_http_1_0_is_known_for_what_it_is_when_it_asks_to_go_on(header):
    app = App()
    app.gates["/"].set()
    async with serving(app) as port:
        answer = await told(port, b"GET / HTTP/1.0\r\n" + header + b": keep-alive\r\n\r\n")
    assert b"connection: close" in answer


async def test_trailers_are_read_over():
    app = App()
    app.gates["/"].set()
    app.gates["/2"].set()
    async with serving(app) as port:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
        after = b"GET /2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        answer = await told(port, head + b"expect: 100-continue\r\nx-more: 1\r\n\r\n", after)
    assert app.log == ["/", "/2"]
    assert (answer.count(b"ok"), b"100 Continue" in answer) == (2, False)


async def test_a_task_that_is_done_is_forgotten():
    app = App()
    async with serving(app) as port:
        asking = asyncio.ensure_future(told(port, GET, b"GET /2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
        await until(lambda: app.log == ["/"])
        app.gates["/"].set()
        app.gates["/2"].set()
        assert (await asking).count(b"ok") == 2
        assert not [task for task in asyncio.all_tasks() if "Cycle.run" in repr(task)]

"""A connection fed by hand: any split of the bytes gives the same result, and what waits unread is bounded."""

import asyncio
import math
import time
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr_core.errors import UpstreamError
from lynkr_core.testing.waiting import until
from lynkr_core.testing.wire import answer, chunked
from lynkr_core.upstream import Endpoint, Timeouts
from lynkr_core.upstream.connection import Connection
from lynkr_core.upstream.http1 import Http1Call
from lynkr_core.upstream.origin import IN_A_ROW, Origin


class Socket:
    """A transport that only notes."""

    def __init__(self):
        self.written, self.aborted, self.paused = b"", False, False

    def write(self, data):
        self.written += data

    def writelines(self, pieces):
        self.written += b"".join(pieces)

    def abort(self):
        self.aborted = True

    def pause_reading(self):
        assert not self.paused
        self.paused = True

    def resume_reading(self):
        assert self.paused
        self.paused = False

    def get_write_buffer_size(self):
        return 0


def begin(loop, silence=9.0, origin=None):
    origin = origin or Origin("localhost", 1, None, 9, lambda: None)
    connection, sock = Connection(origin, loop), Socket()
    connection.connection_made(sock)
    origin._connections.add(connection)
    endpoint = Endpoint("http://localhost:1/", timeouts=Timeouts(silence=silence))
    call = Http1Call(origin, endpoint, endpoint.head, b"")
    call.begin(connection)
    return origin, connection, sock, call


def finish(coroutine):
    """Runs a coroutine that must not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it suspended")


def outcome(pieces, end):
    """Status, headers, body, error and whether the connection was kept, of an answer that comes in these pieces."""

    async def run():
        origin, connection, sock, call = begin(asyncio.get_running_loop())
        for piece in pieces:
            if not sock.aborted:
                connection.data_received(piece)
        if end and not sock.aborted:
            connection.eof_received()
        status, headers, body, kind = None, None, b"", None
        with suppress(UpstreamError):
            response = finish(call.response())
            status, headers = response.status, dict(response.headers)
        try:
            while piece := finish((await call.response()).next()):
                body += piece
        except UpstreamError as error:
            kind = error.kind
        return status, headers, body, kind, len(origin.idle)

    return asyncio.run(run())


ANSWERS = [
    answer(b"hello world", b"x-a: 1"), chunked(b"hello", b"", b"x" * 40), b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\n" + chunked(b"a", b"b"), answer(b"", status=204), answer(b"a", b"connection: close"),
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", answer(b"short")[:-2], chunked(b"no end")[:-3],
    answer(b"a", b"bad header: 1"),
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n", chunked(b"a")[:-2] + b"x-trailer: 1\r\n\r\n",
    b"HTTP/1.1 2", b"nonsense\r\n\r\n", b"",
]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(ANSWERS), st.lists(st.integers(1, 100), max_size=12, unique=True))
def test_any_split_gives_the_same_result(data, cuts):
    edges = [0, *[cut for cut in sorted(cuts) if cut < len(data)], len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges) if end > start]
    assert outcome(pieces, True) == outcome([data] if data else [], True)


@pytest.mark.parametrize("data", ANSWERS)
def test_every_byte_by_itself_gives_the_same_result(data):
    assert outcome([data[at : at + 1] for at in range(len(data))], True) == outcome([data] if data else [], True)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 64))
def test_chunks_come_out_as_they_went_in(bodies, step):
    whole = chunked(*[body for body in bodies if body])
    pieces = [whole[at : at + step] for at in range(0, len(whole), step)]
    assert outcome(pieces, False) == (200, {b"transfer-encoding": b"chunked"}, b"".join(bodies), None, 1)


@pytest.mark.anyio
@pytest.mark.parametrize("size", [16, 1000, 100_000])
async def test_what_waits_unread_is_bounded(size):
    _, connection, sock, call = begin(asyncio.get_running_loop())
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    came = 0
    while not sock.paused:
        connection.data_received(b"x" * size)
        came += size
    assert came <= 256 * 1024 + size
    response = await call.response()
    while sock.paused:
        came -= len(await response.next())
    assert came < 64 * 1024
    response.abort()
    assert sock.aborted


@pytest.fixture
def busy(monkeypatch):
    """However slow this machine is, one request follows another at once."""
    monkeypatch.setattr("lynkr_core.upstream.origin.SOON", math.inf)


def three():
    """The sockets of three requests in a row, and the call of the second one."""
    loop = asyncio.get_running_loop()
    origin, _, first, _ = begin(loop)
    _, _, second, call = begin(loop, origin=origin)
    _, _, third, _ = begin(loop, origin=origin)
    return first, second, third, call


@pytest.mark.anyio
async def test_a_request_alone_is_written_at_once():
    _, _, sock, _ = begin(asyncio.get_running_loop())
    assert sock.written


@pytest.mark.anyio
@pytest.mark.usefixtures("busy")
async def test_requests_that_follow_each_other_are_written_in_a_row():
    first, aborted, last, call = three()
    call.abort()
    assert first.written == last.written == b""
    await asyncio.sleep(0)
    assert first.written == last.written != b""
    assert aborted.aborted
    assert aborted.written == b""


@pytest.mark.anyio
@pytest.mark.usefixtures("busy")
async def test_few_requests_wait_for_each_other():
    loop = asyncio.get_running_loop()
    origin, _, first, _ = begin(loop)
    while not first.written:
        begin(loop, origin=origin)
    assert len(origin._connections) == IN_A_ROW
    _, _, later, _ = begin(loop, origin=origin)
    assert later.written == b""
    await asyncio.sleep(0)
    assert later.written == first.written


@pytest.mark.anyio
@pytest.mark.usefixtures("busy")
async def test_a_connection_that_is_used_again_within_a_turn_writes_each_request_once():
    origin, connection, sock, call = begin(asyncio.get_running_loop())
    connection.data_received(answer(b"", status=204))
    again = Http1Call(origin, Endpoint("http://localhost:1/again"), b"again", b"")
    again.begin(connection)
    await asyncio.sleep(0)
    assert (await call.response()).status == 204
    assert sock.written == b"again"


@pytest.mark.anyio
@pytest.mark.usefixtures("busy")
async def test_a_request_that_cannot_be_written_costs_no_other():
    first, broken, last, call = three()
    call.body = "no bytes"
    await asyncio.sleep(0)
    assert first.written == last.written != b""
    assert broken.aborted
    with pytest.raises(UpstreamError, match="was not sent the request"):
        finish(call.response())


@pytest.mark.anyio
@pytest.mark.usefixtures("busy")
async def test_the_silence_begins_when_the_request_is_written():
    origin, _, sock, _ = begin(asyncio.get_running_loop(), silence=0.3)
    time.sleep(0.5)  # as a plugin that blocks
    origin._look()
    assert sock.written
    assert not sock.aborted
    await until(lambda: sock.aborted)


@pytest.mark.anyio
async def test_our_own_pause_is_no_silence():
    loop = asyncio.get_running_loop()
    _, connection, sock, call = begin(loop, silence=0.5)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000)
    await asyncio.sleep(1.2)
    assert sock.paused
    assert not sock.aborted
    await (await call.response()).next()
    assert not sock.paused
    assert not sock.aborted
    await until(lambda: sock.aborted)


@pytest.mark.anyio
async def test_a_kept_connection_reads_again_after_a_pause():
    origin, connection, sock, call = begin(asyncio.get_running_loop())
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 300001\r\n\r\n" + b"x" * 300_000)
    assert sock.paused
    connection.data_received(b"x")
    assert not sock.paused
    assert origin.idle == [connection]
    assert len(await (await call.response()).read()) == 300_001
    assert not sock.aborted
    connection.close()
    assert origin.idle == []

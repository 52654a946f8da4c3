"""What both transports promise, against scripted servers. All answers are hand-made from RFC 9112."""

import asyncio
import time
from itertools import repeat

import pytest

from lynkr_core.errors import UpstreamError
from lynkr_core.testing.waiting import SOON, until
from lynkr_core.testing.wire import CLOSE, RESET, Pause, ScriptedServer, answer, chunked, split
from lynkr_core.upstream import Endpoint

pytestmark = pytest.mark.anyio
HEAD = b"HTTP/1.1 200 OK\r\n"


async def ask(transport, endpoint, body=b"ping", headers=()):
    response = await transport.send(endpoint, headers, body).response()
    return response.status, await response.read()


async def fails(transport, endpoint) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await ask(transport, endpoint)
    return caught.value


async def test_the_request_arrives_whole(transport, endpoint):
    async with ScriptedServer([answer(b"pong")]) as server:
        target = endpoint(server, "/v1/chat?a=b", ((b"authorization", b"Bearer k"),))
        assert await ask(transport, target, b"ping", ((b"x-own", b"1"),)) == (200, b"pong")
    request = server.requests[0]
    assert (request.method, request.target, request.body) == ("POST", "/v1/chat?a=b", b"ping")
    assert request.header(b"host") == [b"localhost:%d" % server.port]
    assert request.header(b"authorization") == [b"Bearer k"]
    assert request.header(b"x-own") == [b"1"]


@pytest.mark.parametrize("size", [0, 100, 5_000_000])
async def test_bodies_of_any_size_go_both_ways(transport, endpoint, size):
    body = b"x" * size
    async with ScriptedServer([answer(body)]) as server:
        assert await ask(transport, endpoint(server), body) == (200, body)
    assert server.requests[0].body == body


async def test_content_length_is_sent_once(transport, endpoint):
    async with ScriptedServer([answer()]) as server:
        given = ((b"Content-Length", b"99"), (b"Transfer-Encoding", b"chunked"))
        await ask(transport, endpoint(server, headers=given), b"ping", given)
    assert server.requests[0].header(b"content-length") == [b"4"]
    assert server.requests[0].header(b"transfer-encoding") == []


async def test_a_get_has_no_body(transport, endpoint):
    async with ScriptedServer([answer(b"models")]) as server:
        assert await ask(transport, endpoint(server, method="GET"), b"") == (200, b"models")
    assert (server.requests[0].method, server.requests[0].header(b"content-length")) == ("GET", [])


async def test_answer_headers_are_lower_case_joined_and_without_cookies(transport, endpoint):
    async with ScriptedServer([answer(b"", b"X-A: 1", b"x-a: 2", b"Set-Cookie: s=1", b"X-B:  b ")]) as server:
        response = await transport.send(endpoint(server), (), b"").response()
        assert await response.read() == b""
    assert dict(response.headers) == {b"content-length": b"0", b"x-a": b"1, 2", b"x-b": b"b"}


@pytest.mark.parametrize("header", [(b"x", b"1\r\nevil: 1"), (b"x\ny", b"1"), (b"x", b"1\rz")])
async def test_a_header_with_a_line_end_is_refused(transport, header):
    with pytest.raises(ValueError, match="line end"):
        transport.send(Endpoint("http://localhost:1/"), (header,), b"")


async def test_a_connection_is_used_again(transport, endpoint):
    async with ScriptedServer([answer(b"a")], [chunked(b"b", b"c")], [answer(b"d", status=500)]) as server:
        assert [await ask(transport, endpoint(server)) for _ in range(3)] == [(200, b"a"), (200, b"bc"), (500, b"d")]
    assert len(server.peers) == 1


async def test_connection_close_is_obeyed(transport, endpoint):
    async with ScriptedServer([answer(b"a", b"Connection: close")]) as server:
        await ask(transport, endpoint(server))
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)
        await ask(transport, endpoint(server))
    assert len(server.peers) == 2


async def test_a_connection_is_not_used_again_while_its_body_is_unread(transport, endpoint):
    slow = [HEAD + b"content-length: 4\r\n\r\nab", Pause(0.1), b"cd"]
    async with ScriptedServer(slow, [answer(b"x")]) as server:
        first = await transport.send(endpoint(server), (), b"").response()
        assert await first.next() == b"ab"
        assert await ask(transport, endpoint(server)) == (200, b"x")
        assert await first.read() == b"cd"
    assert len(server.peers) == 2


async def test_a_stale_connection_costs_one_silent_try(transport, endpoint):
    async with ScriptedServer([answer(b"a")], [CLOSE], [answer(b"b")]) as server:
        await ask(transport, endpoint(server))
        assert await ask(transport, endpoint(server)) == (200, b"b")
    assert len(server.peers) == 2
    assert [request.body for request in server.requests] == [b"ping"] * 3


@pytest.mark.parametrize("end", [CLOSE, RESET])
async def test_a_second_failure_is_told(transport, endpoint, end):
    async with ScriptedServer([answer(b"a")], [end]) as server:
        await ask(transport, endpoint(server))
        assert (await fails(transport, endpoint(server))).kind == "unavailable"
    assert len(server.requests) == 3


@pytest.mark.parametrize("end", [CLOSE, RESET])
async def test_a_new_connection_that_dies_is_not_tried_again(transport, endpoint, end):
    async with ScriptedServer([end]) as server:
        assert (await fails(transport, endpoint(server))).kind == "unavailable"
    assert len(server.requests) == 1


async def test_nobody_listens(transport, endpoint):
    async with ScriptedServer() as server:
        target = endpoint(server, "/v1?secret=hunter2", ((b"authorization", b"Bearer hunter2"),))
    error = await fails(transport, target)
    assert error.kind == "unavailable"
    assert f"localhost:{server.port}" in error.message
    assert "hunter2" not in error.message


async def test_a_host_that_does_not_exist(transport):
    assert (await fails(transport, Endpoint("http://nowhere.invalid/"))).kind == "unavailable"


CUT = {
    "length": [HEAD + b"content-length: 9\r\n\r\nabc"],
    "chunk": [HEAD + b"transfer-encoding: chunked\r\n\r\n9\r\nabc"],
    "last chunk": [HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"],
}


@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.parametrize("begin", CUT.values(), ids=list(CUT))
async def test_a_cut_body(transport, endpoint, begin, end):
    async with ScriptedServer([*begin, Pause(0.05), end]) as server:
        response = await transport.send(endpoint(server), (), b"").response()
        assert await response.next() == b"abc"
        for _ in range(2):
            with pytest.raises(UpstreamError) as caught:
                await response.next()
            assert caught.value.kind == "cut"


async def test_a_stale_looking_end_after_a_byte_is_not_tried_again(transport, endpoint):
    async with ScriptedServer([answer(b"a")], [HEAD + b"content-length: 4\r\n\r\n", CLOSE]) as server:
        await ask(transport, endpoint(server))
        assert (await fails(transport, endpoint(server))).kind == "cut"
    assert len(server.requests) == 2


@pytest.mark.parametrize("garbage", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46"])
async def test_garbage(transport, endpoint, garbage):
    async with ScriptedServer([garbage, Pause(0.05), CLOSE]) as server:
        assert (await fails(transport, endpoint(server))).kind in ("server", "cut", "unavailable")


async def test_garbage_instead_of_a_chunk(transport, endpoint):
    async with ScriptedServer([HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", Pause(0.5)]) as server:
        assert (await fails(transport, endpoint(server))).kind == "server"


@pytest.mark.parametrize("script", [[Pause(60)], [HEAD + b"content-length: 3\r\n\r\nab", Pause(60)]], ids=["head", "body"])
async def test_silence(transport, endpoint, script):
    async with ScriptedServer(script) as server:
        began = time.monotonic()
        assert (await fails(transport, endpoint(server, silence=0.15))).kind == "timeout"
        assert 0.1 < time.monotonic() - began < SOON
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)


async def test_silence_begins_anew_with_each_piece(transport, endpoint):
    steps = [step for _ in range(6) for step in (b"1\r\nx\r\n", Pause(0.3))]
    async with ScriptedServer([HEAD + b"transfer-encoding: chunked\r\n\r\n", *steps, b"0\r\n\r\n"]) as server:
        assert await ask(transport, endpoint(server, silence=1.2)) == (200, b"x" * 6)


async def test_abort_before_the_head_closes_at_once(transport, endpoint):
    async with ScriptedServer([Pause(60)]) as server:
        call = transport.send(endpoint(server), (), b"ping")
        waiting = asyncio.ensure_future(call.response())
        await until(lambda: server.requests)
        call.abort()
        call.abort()
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)
        with pytest.raises(UpstreamError) as caught:
            await waiting
    assert caught.value.kind == "unavailable"


async def test_abort_before_anything(transport, endpoint):
    async with ScriptedServer([answer()]) as server:
        call = transport.send(endpoint(server), (), b"ping")
        call.abort()
        with pytest.raises(UpstreamError):
            await call.response()
    assert server.requests == []


@pytest.mark.parametrize("reading", [True, False])
@pytest.mark.parametrize("through", ["call", "response"])
async def test_abort_in_the_body_closes_at_once(transport, endpoint, reading, through):
    async with ScriptedServer([HEAD + b"content-length: 9\r\n\r\nabc", Pause(60)]) as server:
        call = transport.send(endpoint(server), (), b"ping")
        response = await call.response()
        waiting = asyncio.ensure_future(response.read() if reading else asyncio.sleep(0))
        await asyncio.sleep(0.02)  # it reads
        (call if through == "call" else response).abort()
        response.abort()
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)
        results = await asyncio.gather(waiting, response.next(), return_exceptions=True)
    assert [getattr(result, "kind", None) for result in results] == ["cut" if reading else None, "cut"]


async def test_abort_after_the_end_leaves_the_connection_alone(transport, endpoint):
    async with ScriptedServer([answer(b"a")]) as server:
        call = transport.send(endpoint(server), (), b"")
        response = await call.response()
        await response.read()
        call.abort()
        response.abort()
        assert await ask(transport, endpoint(server)) == (200, b"a")
    assert len(server.peers) == 1


async def test_a_cancelled_wait_closes_the_connection(transport, endpoint):
    async with ScriptedServer([Pause(60)]) as server:
        waiting = asyncio.ensure_future(transport.send(endpoint(server), (), b"").response())
        await until(lambda: server.requests)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)


async def test_a_slow_reader_slows_the_upstream(transport, endpoint):
    piece = b"x" * 65536
    stream = (HEAD + b"content-length: %d\r\n\r\n" % (2000 * 65536), *repeat(piece, 2000))
    async with ScriptedServer(stream) as server:
        response = await transport.send(endpoint(server, silence=1.0), (), b"").response()
        held = -1
        while held != server.peers[0].sent:
            held = server.peers[0].sent
            await asyncio.sleep(0.7)  # twice at least, which is more than the silence that is allowed
        assert held < 40_000_000  # the kernel's buffers and ours, of 131 MB
        total = 0
        while data := await response.next():
            total += len(data)
    assert total == 2000 * 65536


async def test_read_has_a_limit(transport, endpoint):
    async with ScriptedServer([answer(b"x" * 1000)]) as server:
        response = await transport.send(endpoint(server), (), b"").response()
        with pytest.raises(UpstreamError) as caught:
            await response.read(999)
        assert caught.value.kind == "invalid"
        assert len(await (await transport.send(endpoint(server), (), b"").response()).read(1000)) == 1000


async def test_interim_answers_are_skipped(transport, endpoint):
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    async with ScriptedServer([interim + answer(b"a")]) as server:
        response = await transport.send(endpoint(server), (), b"").response()
        assert (response.status, await response.read(), response.headers.get(b"link")) == (200, b"a", None)
        assert await ask(transport, endpoint(server)) == (200, b"a")
    assert len(server.peers) == 1


async def test_a_body_that_ends_with_the_connection(transport, endpoint):
    async with ScriptedServer([HEAD + b"\r\nab", Pause(0.03), b"cd", CLOSE]) as server:
        assert await ask(transport, endpoint(server)) == (200, b"abcd")


async def test_a_body_that_ends_with_a_reset(transport, endpoint):
    async with ScriptedServer([HEAD + b"\r\nab", Pause(0.05), RESET]) as server:
        assert (await fails(transport, endpoint(server))).kind == "cut"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 204), ("POST", 304)])
async def test_answers_without_a_body(transport, endpoint, method, status):
    head = b"HTTP/1.1 %d X\r\n" % status + (b"content-length: 7\r\n\r\n" if method == "HEAD" else b"\r\n")
    async with ScriptedServer([head, Pause(5)]) as server:
        assert await ask(transport, endpoint(server, method=method), b"") == (status, b"")


async def test_trailers_are_ignored(transport, endpoint):
    trailed = HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-check: 1\r\n\r\n"
    async with ScriptedServer([trailed]) as server:
        assert await ask(transport, endpoint(server)) == (200, b"a")
        assert await ask(transport, endpoint(server)) == (200, b"a")
    assert len(server.peers) == 1


async def test_redirects_are_not_followed(transport, endpoint):
    async with ScriptedServer([answer(b"", b"location: /elsewhere", status=307)]) as server:
        assert await ask(transport, endpoint(server)) == (307, b"")
    assert len(server.requests) == 1


async def test_tls(transport, endpoint, server_tls, client_tls):
    async with ScriptedServer([answer(b"a")], [chunked(b"b" * 100_000)], tls=server_tls) as server:
        target = endpoint(server, tls=client_tls)
        assert await ask(transport, target) == (200, b"a")
        assert await ask(transport, target, b"x" * 100_000) == (200, b"b" * 100_000)
    assert len(server.peers) == 1


async def test_an_unknown_certificate(transport, endpoint, server_tls):
    async with ScriptedServer([answer(b"a")], tls=server_tls) as server:
        assert (await fails(transport, endpoint(server))).kind == "unavailable"
    assert server.requests == []


async def test_a_closed_transport(transport, endpoint):
    async with ScriptedServer([answer(b"a")]) as server:
        await ask(transport, endpoint(server))
        await transport.aclose()
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)
        assert (await fails(transport, endpoint(server))).kind == "unavailable"


@pytest.mark.parametrize("whole", [chunked(b"hello", b"w" * 17), answer(b"hello", b"x-a: 1")], ids=["chunked", "length"])
async def test_an_answer_split_at_every_byte(transport, endpoint, whole):
    async with ScriptedServer(split(whole, *range(1, len(whole)), pause=0.001)) as server:
        status, body = await ask(transport, endpoint(server))
    assert (status, body[:5]) == (200, b"hello")


async def test_pumped_pieces_come_in_order_and_a_full_taker_holds_them_back(transport, endpoint):
    pieces = [b"%d " % n * 1000 for n in range(40)]
    taken, waits = [], []

    def take(piece):
        taken.append(piece)
        if len(taken) % 3 == 0:
            waits.append(asyncio.sleep(0.005))
            return waits[-1]
        return None

    async with ScriptedServer([chunked(*pieces)]) as server:
        response = await transport.send(endpoint(server), (), b"").response()
        await response.pump(take)
    assert b"".join(taken) == b"".join(pieces)


async def test_what_a_taker_raises_ends_the_pumping(transport, endpoint):
    def take(piece):
        raise ZeroDivisionError

    async with ScriptedServer([HEAD + b"transfer-encoding: chunked\r\n\r\n", Pause(0.05), b"1\r\na\r\n", Pause(30)]) as server:
        response = await transport.send(endpoint(server), (), b"").response()
        with pytest.raises(ZeroDivisionError):
            await response.pump(take)
        response.abort()


async def test_a_cut_is_raised_to_whoever_pumps_after_the_last_piece(transport, endpoint):
    taken = []
    async with ScriptedServer(
        [HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n", Pause(0.05), b"1\r\nb\r\n", CLOSE]
    ) as server:
        response = await transport.send(endpoint(server), (), b"").response()
        with pytest.raises(UpstreamError) as caught:
            await response.pump(taken.append)
    assert (b"".join(taken), caught.value.kind) == (b"ab", "cut")

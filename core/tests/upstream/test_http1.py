"""What only the HTTP/1.1 client of our own promises: its limits, its strictness and its pool."""

import asyncio
import random
import ssl
import tracemalloc
from contextlib import suppress

import pytest

from lynkr_core.errors import UpstreamError
from lynkr_core.testing.waiting import SOON, until
from lynkr_core.testing.wire import CLOSE, RESET, Pause, ScriptedServer, answer, chunked
from lynkr_core.upstream.http1 import Http1Transport

pytestmark = pytest.mark.anyio
HEAD = b"HTTP/1.1 200 OK\r\n"


async def ask(transport, endpoint, body=b"ping"):
    return await (await transport.send(endpoint, (), body).response()).read()


def resumed(coroutine):
    """The result of a coroutine that must not suspend."""
    with pytest.raises(StopIteration) as caught:
        coroutine.send(None)
    return caught.value.value


async def test_a_free_connection_is_written_to_at_once_and_a_small_answer_read_at_once(http1, endpoint):
    async with ScriptedServer([answer(b"a")]) as server:
        await ask(http1, endpoint(server))
        call = http1.send(endpoint(server), (), b"ping")
        await until(lambda: len(server.requests) == 2)
        await asyncio.sleep(0.05)  # the answer comes
        assert resumed(resumed(call.response()).read()) == b"a"


async def test_no_task_is_made(http1, endpoint):
    async with ScriptedServer([Pause(0.05), answer(b"a")]) as server:
        await ask(http1, endpoint(server))
        before = asyncio.all_tasks()
        call = http1.send(endpoint(server), (), b"ping")
        assert asyncio.all_tasks() == before
        await call.response()


STRICT = {
    "length and coding": HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two lengths": HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabc",
    "a length that is none": HEAD + b"content-length: +3\r\n\r\nabc",
    "folded": HEAD + b"x-a: 1\r\n 2\r\ncontent-length: 3\r\n\r\nabc",
    "a space before the colon": HEAD + b"content-length : 3\r\n\r\nabc",
    "a bare line feed": HEAD + b"x-a: 1\ncontent-length: 3\r\n\r\nabc",
    "another coding": HEAD + b"transfer-encoding: gzip\r\n\r\nabc",
    "zero byte": HEAD + b"x-a: \x00\r\ncontent-length: 3\r\n\r\nabc",
    "an upgrade": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
    "a long head": HEAD + b"x-a: 1\r\n" * 9000,
    "a long field": HEAD + b"x-a: " + b"1" * 70_000,
    "endless interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 3000,
}


@pytest.mark.parametrize("data", STRICT.values(), ids=list(STRICT))
async def test_what_is_not_clean_http_is_refused(http1, endpoint, data):
    async with ScriptedServer([data]) as server:
        with pytest.raises(UpstreamError) as caught:
            await ask(http1, endpoint(server))
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)
    assert caught.value.kind == "server"


@pytest.mark.parametrize("endless", [b"1;" + b"x" * 70_000, b"0\r\nx-a: " + b"1" * 70_000], ids=["extension", "trailer"])
async def test_chunk_extensions_and_trailers_are_bounded(http1, endpoint, endless):
    async with ScriptedServer([HEAD + b"transfer-encoding: chunked\r\n\r\n", Pause(0.02), endless, Pause(1)]) as server:
        with pytest.raises(UpstreamError) as caught:
            await ask(http1, endpoint(server))
    assert caught.value.kind == "server"


async def test_bytes_after_the_answer_close_the_connection(http1, endpoint):
    async with ScriptedServer([answer(b"a") + answer(b"evil")], [answer(b"b")]) as server:
        assert await ask(http1, endpoint(server)) == b"a"
        assert await ask(http1, endpoint(server)) == b"b"
    assert len(server.peers) == 2


async def test_bytes_on_an_idle_connection_close_it(http1, endpoint):
    async with ScriptedServer([answer(b"a"), Pause(0.03), answer(b"evil")], [answer(b"b")]) as server:
        assert await ask(http1, endpoint(server)) == b"a"
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)
        assert await ask(http1, endpoint(server)) == b"b"
    assert len(server.peers) == 2


@pytest.mark.parametrize("end", [CLOSE, RESET])
async def test_a_connection_closed_while_idle_is_not_used(http1, endpoint, end):
    async with ScriptedServer([answer(b"a"), Pause(0.03), end], [answer(b"b")]) as server:
        await ask(http1, endpoint(server))
        await until(server.peers[0].gone.is_set)
        await asyncio.sleep(0.05)  # our side sees it
        assert await ask(http1, endpoint(server)) == b"b"
    assert len(server.requests) == 2


async def test_the_connection_used_last_is_used_first(http1, endpoint):
    async with ScriptedServer([Pause(0.03), answer(b"a")]) as server:
        await asyncio.gather(*[ask(http1, endpoint(server)) for _ in range(3)])
        for _ in range(3):
            await ask(http1, endpoint(server))
    assert len(server.peers) == 3
    assert len({id(request.peer) for request in server.requests[3:]}) == 1


async def test_idle_connections_are_closed_by_one_timer(endpoint):
    transport = Http1Transport(idle_timeout=1.0)
    async with ScriptedServer([answer(b"a")]) as server:
        await asyncio.gather(*[ask(transport, endpoint(server)) for _ in range(3)])
        await asyncio.sleep(0.8)
        await ask(transport, endpoint(server))
        await until(lambda: any(peer.gone.is_set() for peer in server.peers))
        await asyncio.sleep(0.05)
        assert sum(peer.gone.is_set() for peer in server.peers) == 2
        await until(lambda: all(peer.gone.is_set() for peer in server.peers))
    await transport.aclose()


@pytest.mark.parametrize("limit", [1, 3])
async def test_calls_over_the_limit_wait_in_order(endpoint, limit):
    transport = Http1Transport(max_connections=limit)
    async with ScriptedServer([Pause(0.02), answer(b"a")]) as server:
        target = endpoint(server)
        await asyncio.gather(*[ask(transport, target, b"%d" % number) for number in range(8)])
    order = [request.body for request in server.requests]
    assert sorted(order) == [b"%d" % number for number in range(8)]
    assert limit > 1 or order == sorted(order)
    assert len(server.peers) == limit
    await transport.aclose()


async def test_a_closed_connection_makes_room(endpoint):
    transport = Http1Transport(max_connections=1)
    async with ScriptedServer([Pause(0.02), answer(b"a", b"connection: close")]) as server:
        assert await asyncio.gather(*[ask(transport, endpoint(server)) for _ in range(4)]) == [b"a"] * 4
    assert len(server.peers) == 4
    await transport.aclose()


async def test_the_wait_for_room_has_an_end(endpoint):
    transport = Http1Transport(max_connections=1)
    async with ScriptedServer([Pause(1.5), answer(b"a")], [answer(b"a")]) as server:
        first = asyncio.ensure_future(ask(transport, endpoint(server)))
        await until(lambda: server.requests)
        with pytest.raises(UpstreamError) as caught:
            await ask(transport, endpoint(server, connect=0.1))
        assert caught.value.kind == "timeout"
        assert await first == b"a"
        assert await ask(transport, endpoint(server)) == b"a"
    await transport.aclose()


async def test_an_aborted_wait_for_room_gives_its_place_away(endpoint):
    transport = Http1Transport(max_connections=1)
    async with ScriptedServer([Pause(1), answer(b"a")], [answer(b"a")]) as server:
        first = asyncio.ensure_future(ask(transport, endpoint(server)))
        await until(lambda: server.requests)
        call = transport.send(endpoint(server), (), b"gone")
        waiting = asyncio.ensure_future(call.response())
        last = asyncio.ensure_future(ask(transport, endpoint(server)))
        await asyncio.sleep(0.02)
        call.abort()
        results = await asyncio.gather(first, waiting, last, return_exceptions=True)
    assert [results[0], results[1].kind, results[2]] == [b"a", "unavailable", b"a"]
    assert b"gone" not in [request.body for request in server.requests]
    await transport.aclose()


async def test_a_stale_connection_at_the_limit_gives_way_to_a_fresh_one(endpoint):
    transport = Http1Transport(max_connections=1)
    async with ScriptedServer([answer(b"a")], [RESET], [answer(b"b")]) as server:
        await ask(transport, endpoint(server))
        assert await asyncio.gather(*[ask(transport, endpoint(server)) for _ in range(3)]) == [b"b"] * 3
    await transport.aclose()


async def test_abort_while_connecting(http1, endpoint, client_tls):
    async with ScriptedServer() as server:  # it never answers the TLS greeting
        server_url = type("Https", (), {"url": server.url.replace("http:", "https:")})
        call = http1.send(endpoint(server_url, tls=client_tls), (), b"")
        waiting = asyncio.ensure_future(call.response())
        await until(lambda: server.peers)
        call.abort()
        call.abort()
        with pytest.raises(UpstreamError) as caught:
            await asyncio.wait_for(waiting, SOON)
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)
    assert caught.value.kind == "unavailable"


async def test_connecting_takes_too_long(http1, endpoint, client_tls):
    async with ScriptedServer() as server:
        server_url = type("Https", (), {"url": server.url.replace("http:", "https:")})
        with pytest.raises(UpstreamError) as caught:
            await ask(http1, endpoint(server_url, tls=client_tls, connect=0.1))
        await until(lambda: server.peers and server.peers[0].gone.is_set(), SOON)
    assert caught.value.kind == "timeout"


async def test_only_http_1_1_is_offered(http1, endpoint, authority, client_tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    names = []
    context.sni_callback = lambda connection, name, _: names.append(name)
    async with ScriptedServer([answer(b"a")], tls=context) as server:
        assert await ask(http1, endpoint(server, tls=client_tls)) == b"a"
        chosen = server.peers[0]._transport.get_extra_info("ssl_object").selected_alpn_protocol()
    assert (chosen, names) == ("http/1.1", ["localhost"])


async def test_a_head_request_does_not_wait_for_a_body(http1, endpoint):
    async with ScriptedServer([HEAD + b"content-length: 7\r\n\r\n"]) as server:
        for _ in range(2):
            response = await http1.send(endpoint(server, method="HEAD"), (), b"").response()
            assert (response.headers[b"content-length"], await response.read()) == (b"7", b"")


async def test_closing_ends_what_is_under_way(http1, endpoint):
    slow = [HEAD + b"content-length: 9\r\n\r\nabc", Pause(60)]
    async with ScriptedServer(slow, [Pause(60)]) as server:
        response = await http1.send(endpoint(server), (), b"").response()
        waiting = asyncio.ensure_future(http1.send(endpoint(server), (), b"").response())
        await until(lambda: len(server.requests) == 2)
        await http1.aclose()
        results = await asyncio.gather(waiting, response.read(), return_exceptions=True)
    assert [result.kind for result in results] == ["unavailable", "unavailable"]


async def test_an_idle_stream_costs_little_memory(http1, endpoint):
    headers = [b"x-header-%d: %s" % (number, b"v" * 30) for number in range(10)]
    stream = [HEAD + b"\r\n".join(headers) + b"\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n", Pause(30)]
    async with ScriptedServer(stream) as server:
        target = endpoint(server)
        await (await http1.send(target, (), b"").response()).next()
        await asyncio.sleep(0.05)
        tracemalloc.start()
        calls = [http1.send(target, (), b"ping") for _ in range(50)]
        responses = [await call.response() for call in calls]
        assert [await response.next() for response in responses] == [b"a"] * 50
        ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*lynkr_core/upstream/*")])
        tracemalloc.stop()
    assert sum(stat.size for stat in ours.statistics("filename")) / 50 < 4500  # of which uvloop's socket 1350


async def test_pieces_are_those_of_the_socket(http1, endpoint):
    two = b"1\r\na\r\n1\r\nb\r\n"
    script = [HEAD + b"transfer-encoding: chunked\r\n\r\n" + two, Pause(0.03), two, Pause(0.03), b"1\r\nc\r\n0\r\n\r\n"]
    async with ScriptedServer(script, [chunked(b"x")]) as server:
        response = await http1.send(endpoint(server), (), b"").response()
        assert [await response.next() for _ in range(5)] == [b"ab", b"ab", b"c", b"", b""]
        assert await ask(http1, endpoint(server)) == b"x"


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_leaks_however_calls_end(endpoint, seed):
    chance = random.Random(seed)
    scripts = [[answer(b"a")], [CLOSE], [RESET], [Pause(0.01), chunked(b"b")], [HEAD + b"\r\n", Pause(0.01), b"c", CLOSE]]
    transport = Http1Transport(max_connections=4)

    async def one(target):
        await asyncio.sleep(chance.random() / 10)
        call = transport.send(target, (), b"ping")
        asyncio.get_running_loop().call_later(chance.choice([0, 0.005, 0.02, 1]), call.abort)
        with suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(chance.choice([0.01, 0.03, 1])):
                await (await call.response()).read()
        call.abort()

    async with ScriptedServer(*chance.choices(scripts, k=400)) as server:
        await asyncio.gather(*[one(endpoint(server, connect=0.05)) for _ in range(200)])
        (origin,) = transport._origins.values()
        await until(lambda: sum(not peer.gone.is_set() for peer in server.peers) == len(origin.idle))
        assert (origin._opening, len(origin._waiting)) == (0, 0)
        assert set(origin.idle) == origin._connections
        assert sum(not peer.gone.is_set() for peer in server.peers) == len(origin.idle) <= 4
        await transport.aclose()

"""A configuration takes the place of another one while requests are under way: in a process of its own, over real sockets."""

import asyncio
import hashlib
import json
import signal
import time
from pathlib import Path

import pytest

from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.process import ask
from lynkr_core.testing.waiting import PATIENCE
from tests.conftest import ECHO
from tests.test_end_to_end import ENDS, FRONTS, fronts, post, question, wire

pytestmark = pytest.mark.anyio
KEY = {"authorization": "Bearer admin"}
SERVER = '[server]\nadmin_key = "admin"\nlist_models = false\n'
GOOD = SERVER + '[provider.echo]\nprefix = "one: "\n'
OTHER = SERVER + '[provider.echo]\nprefix = "two: "\n'
BAD = SERVER + "[provider.ecko]\n[nonsense]\n"
UP = '[provider.up]\nuse = "openai-compatible"\nbase_url = "{url}/v1"\ndialects = ["openai.chat", "{dialect}"]\n'
CHAT = "/v1/chat/completions"


def file_of(served) -> Path:
    return served.log.with_suffix(".toml")


def put(served, text):
    """As editors do: a new file in the place of the old one."""
    new = file_of(served).with_suffix(".new")
    new.write_text(text)
    new.rename(file_of(served))


def hash_of(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def ready(served):
    return ask(f"{served.url}/health/ready").json()


def reload(served, **headers):
    answer = ask(f"{served.url}/v1/admin/reload", method="POST", **(headers or KEY))
    return answer.status, answer.json()


def chat(served):
    answer = ask(served.url + CHAT, json.loads(question(CHAT)))
    return answer.status, answer.headers["x-lynkr-config"], answer.json()["choices"][0]["message"]["content"]


def until(condition, within=PATIENCE):
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_changed_file_is_taken_up_by_itself(serve):
    served = serve(GOOD)
    assert chat(served) == (200, hash_of(GOOD), "one: Hello")
    put(served, OTHER)
    until(lambda: ready(served)["config"] == hash_of(OTHER))
    assert chat(served) == (200, hash_of(OTHER), "two: Hello")


def test_a_file_that_is_not_watched_waits_for_a_signal(serve):
    served = serve(GOOD.replace("[provider", "watch = false\n[provider"))
    put(served, OTHER)
    time.sleep(1.5)  # one that is watched takes it up in half of that
    assert chat(served)[2] == "one: Hello"
    served.process.send_signal(signal.SIGHUP)
    until(lambda: chat(served)[2] == "two: Hello")


def test_a_bad_file_leaves_the_running_one_and_says_why(serve):
    served = serve(GOOD)
    put(served, BAD)
    status, told = reload(served)
    mistakes = ["unknown section", "'ecko' is not installed"]
    assert status == 422
    assert all(any(mistake in line for line in told["mistakes"]) or mistake == mistakes[1] for mistake in mistakes)
    assert told["error"]["message"] == "\n".join(told["mistakes"])
    assert chat(served) == (200, hash_of(GOOD), "one: Hello")
    assert (ready(served)["status"], ready(served)["config_mistakes"]) == ("ok", told["mistakes"])
    assert told["mistakes"][0] in served.text
    put(served, OTHER)
    assert reload(served)[0] == 200
    assert "config_mistakes" not in ready(served)


@pytest.mark.parametrize(
    "text",
    [
        SERVER + '[provider.openai]\napi_key = "${NO_SUCH_VARIABLE}"\n',
        SERVER + '[provider.echo]\n[store.sqlite]\npath = "no/such/folder.db"\n',
        SERVER + '[provider.echo]\n[selector.chain]\nwhat = 1\n',
        "\xff",
        "",
    ],
    ids=["variable", "store", "setting", "bytes", "empty"],
)  # fmt: skip
def test_whatever_is_wrong_the_running_one_stays(serve, text):
    served = serve(GOOD)
    file_of(served).write_bytes(text.encode("latin-1"))
    status, told = reload(served)
    assert (status, bool(told["mistakes"])) == (422, True)
    assert chat(served) == (200, hash_of(GOOD), "one: Hello")


def test_a_missing_file_is_told_and_left_alone(serve):
    served = serve(GOOD)
    file_of(served).unlink()
    assert "cannot be read" in reload(served)[1]["mistakes"][0]
    assert chat(served)[2] == "one: Hello"


def test_what_holds_from_the_next_start_on_is_said(serve):
    served = serve(GOOD)
    put(served, OTHER.replace("[provider", 'workers = 3\nhost = "127.0.0.9"\nport = 1\n[provider'))
    status, told = reload(served)
    assert status == 200
    assert told["restart"] == [
        "[server] host = '127.0.0.9' holds from the next start on",
        "[server] workers = 3 holds from the next start on",
    ]


def test_another_address_without_anybody_who_asks_who_calls_is_refused_in_a_reload_too(serve):
    served = serve(GOOD)
    put(served, OTHER.replace("[provider", 'host = "0.0.0.0"\n[provider'))
    assert "allow_anonymous" in reload(served)[1]["mistakes"][0]


def test_without_an_admin_key_the_route_is_off(serve):
    served = serve(ECHO)
    status, told = reload(served)
    assert (status, told["error"]["code"]) == (403, "admin_off")
    assert "[server] admin_key" in told["error"]["message"]


@pytest.mark.parametrize(
    "headers", [{"x": ""}, {"authorization": "Bearer admi"}, {"x-api-key": "admin2"}, {"authorization": "Basic admin"}]
)
def test_another_key_is_refused(serve, headers):
    served = serve(GOOD)
    assert reload(served, **headers)[0] == 401
    assert reload(served, **{"x-api-key": "admin"})[0] == 200


@fronts
@pytest.mark.parametrize("stream_dialect", ["openai.chat", "anthropic.messages"])
async def test_a_stream_under_way_finishes_on_the_old_configuration(serve, provider, front, stream_dialect):
    """The old configuration's plugins end after it, and not before."""
    provider.always(CANNED[FRONTS[front] if stream_dialect == FRONTS[front] else "openai.chat"].but(pause=0.25))
    dialects = stream_dialect if stream_dialect == FRONTS[front] else "openai.chat"
    served = serve(SERVER + UP.format(url=provider.url, dialect=dialects) + "[store.sqlite]\npath = 'a.db'\n[sink.journal]\n")
    old = ready(served)["config"]
    async with wire(served) as caller:
        caller.writer.write(post(front, question(front, "up/m", stream=True)))
        await caller.reader.readuntil(b"\r\n\r\n")
        put(served, OTHER)
        done = await asyncio.to_thread(reload, served)
        assert done[0] == 200
        assert (await asyncio.to_thread(chat, served))[2] == "two: Hello"
        assert f"configuration {old} has ended" not in served.text
        body = b"".join([piece async for piece in caller.chunks()])
    assert ENDS[front] in body
    await asyncio.to_thread(until, lambda: f"configuration {old} has ended" in served.text)


async def test_no_request_is_lost_when_it_is_taken_up_again_and_again_under_load(serve):
    served = serve(GOOD)
    statuses, configs = [], set()
    stopping = asyncio.Event()

    async def caller():
        async with wire(served) as one:
            while not stopping.is_set():
                one.writer.write(post(CHAT, question(CHAT, "auto")))
                status, headers, body = await one.answer()
                statuses.append((status, json.loads(body)["choices"][0]["message"]["content"][5:]))
                configs.add(headers["x-lynkr-config"])

    callers = [asyncio.ensure_future(caller()) for _ in range(16)]
    for number in range(12):
        put(served, OTHER if number % 2 else GOOD)
        assert (await asyncio.to_thread(reload, served))[0] == 200
        await asyncio.sleep(0.1)
    await asyncio.to_thread(until, lambda: len(statuses) > 300)
    stopping.set()
    await asyncio.gather(*callers)
    assert set(statuses) == {(200, "Hello")}
    assert configs == {hash_of(GOOD), hash_of(OTHER)}


async def test_old_configurations_leave_nothing_behind(serve, provider):
    """Neither tasks nor connections nor files: twenty reloads, each with a request over its own transport."""
    served = serve(
        SERVER + UP.format(url=provider.url, dialect="openai.chat") + "[store.sqlite]\npath = 'b.db'\n[sink.journal]\n"
    )
    counts = []
    for number in range(21):
        assert (await asyncio.to_thread(reload, served))[0] == 200
        assert (await asyncio.to_thread(ask, served.url + CHAT, json.loads(question(CHAT, "up/m")))).status == 200
        if number % 10 == 0:
            await asyncio.to_thread(until, lambda told=number + 1: served.text.count("has ended") == told)
            counts.append(held(served))
    _, (files, threads), _ = counts
    await asyncio.to_thread(until, lambda: within(held(served), (files + 1, threads + 2)))


def held(served):
    """Files and threads that the process has open."""
    return [len(list(Path(f"/proc/{served.process.pid}/{what}").iterdir())) for what in ("fd", "task")]


def within(counts, most):
    return all(count <= limit for count, limit in zip(counts, most, strict=True))

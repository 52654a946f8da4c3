"""Decisions: told in full, the same in a dry run as live, and made whatever is asked and whatever scorers do."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lynkr_core import stalls
from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.exchange import Score
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import Loaded, compiled
from lynkr_core.testing.client import Client
from lynkr_sink_journal.redaction import redacted

LABELLED = Path(__file__).parent.parent / "plugins/scorer-heuristic/train/labelled.tsv"
TOML = """
[server]
max_body = 16_000_000
max_messages = 200_000
[provider.home]
use = "echo"
[provider.cloud]
use = "echo"
[provider.idle]
use = "echo"
[tiers]
simple = ["home/s"]
medium = ["cloud/m"]
complex = ["cloud/c"]
[models]
mine = ["idle/x"]
[prices]
"home/s" = { input = 0, output = 0 }
"cloud/m" = { input = 1, output = 4 }
"cloud/c" = { input = 3, output = 15, cache_read = 0.3 }
[scorer.heuristic]
[selector.tiers]
[selector.sticky]
[sink.journal]
texts = true
"""
LIVE_ONLY = {"id", "priced", "considered"}
"""What a live record has otherwise: its own id, and prices for what was really used."""
CALL = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
JUNK = bytes(range(256)) * 40


class Scorer:
    def __init__(self, score):
        self._score = score

    def score(self, exchange):
        return self._score()


class AsyncScorer:
    async def score(self, exchange):
        await asyncio.sleep(60)


def kernel(*scorers, toml=TOML):
    made = Kernel.from_config(parse(toml, {}), {})
    made.plugins += [Loaded(kind="scorer", name=f"a{n}", use="x", instance=each) for n, each in enumerate(scorers)]
    made.hooks = compiled(made.plugins, {}, "", [])
    return made


def said(text, **more):
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **more}


async def route(client, body, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.post("/v1/route", json=body, headers=sent)
    assert answer.status == 200, answer.body[:500]
    return answer.json()


async def record(client, answer):
    """Of a request that was answered; written just after."""
    for _ in range(500):
        found = await client.get(f"/v1/decisions/{answer.headers['x-lynkr-request-id']}")
        if found.status == 200:
            return found.json()
        await asyncio.sleep(0.01)
    raise AssertionError("nobody wrote it down")


@pytest.mark.anyio
async def test_a_dry_run_decides_as_the_live_request_on_the_whole_labelled_set():
    asks = [line.split("\t")[-1].replace("\\n", "\n") for line in LABELLED.read_text().splitlines() if line.strip()]
    assert len(asks) > 400
    async with Client(Application(kernel())) as client:
        for ask in asks:
            dry = await route(client, said(ask))
            answer = await client.post("/v1/chat/completions", json=said(ask))
            live = await record(client, answer)
            for place in (dry, *dry["scores"]):
                place["ask"] = redacted(place["ask"] or "") or None
            assert {key: live[key] for key in dry if key not in LIVE_ONLY} == {
                key: dry[key] for key in dry if key not in LIVE_ONLY
            }
            assert answer.headers["x-lynkr-reason"] == dry["reason"]
            assert (answer.headers["x-lynkr-provider"], answer.headers["x-lynkr-model"]) == (dry["provider"], dry["model"])
            told = [{**each, "usd": 0} for each in live["considered"]]
            assert told == [{**each, "usd": 0} for each in dry["considered"]]


@pytest.mark.anyio
async def test_a_decision_tells_all_it_came_from():
    text = "<system-reminder>be nice</system-reminder>Prove that the protocol never deadlocks, and derive a bound."
    async with Client(Application(kernel())) as client:
        found = await route(client, said(text), x_lynkr_session="s1")
    assert found["ask"] == "Prove that the protocol never deadlocks, and derive a bound."
    assert found["signals"]
    assert found["points"]
    assert found["gates"] == ["deep_thought"]
    assert (found["tier"], found["score"] >= 76, found["reason"].startswith("score ")) == ("reasoning", True, True)
    assert (found["session"], found["session_from"]) == ("s1", "header x-lynkr-session")
    assert [(each["candidate"], each["place"], each["plugin"]) for each in found["considered"]] == [
        ("cloud/c", 1, "selector.tiers"), ("cloud/m", 2, "selector.tiers"), ("home/s", 3, "selector.tiers"),
    ]  # fmt: skip
    costs = [each["usd"] for each in found["considered"]]
    assert costs[0] > costs[1] > costs[2] == 0
    assert found["priced"]["estimated"] is True
    assert found["skipped"] == []


@pytest.mark.anyio
async def test_who_was_removed_stands_there_with_why_and_by_whom():
    toml = (
        TOML + '[[selector.rules.rule]]\nname = "ours"\nwhen = { prompt_contains = ["hello"] }\nto = "home"\n[selector.rules]\n'
    )
    async with Client(Application(kernel(toml=toml))) as client:
        found = await route(client, said("hello"))
    removed = {
        each["candidate"]: (each["plugin"], each["reason"], each["usd"] > 0)
        for each in found["considered"]
        if each["place"] is None
    }
    assert removed == {"cloud/m": ("selector.rules", "ours", True), "cloud/c": ("selector.rules", "ours", True)}


@pytest.mark.anyio
async def test_a_conversations_part_is_told_and_what_it_would_have_cost_elsewhere():
    async with Client(Application(kernel())) as client:
        talk = said("Prove that the protocol never deadlocks, and derive a bound.")
        first = await record(client, await client.post("/v1/chat/completions", json=talk))
        talk["messages"] += [{"role": "assistant", "content": "It does not."}, {"role": "user", "content": "thanks"}]
        answer = await client.post("/v1/chat/completions", json=talk)
        second = await record(client, answer)
    assert (first["model"], second["model"]) == ("c", "c")
    assert first["session"] == second["session"]
    assert second["notes"]["sticky"].startswith("stays: no ask; 1 turns ahead cost $")
    assert answer.headers["x-lynkr-sticky"] == second["notes"]["sticky"]
    costs = {each["candidate"]: each["usd"] for each in second["considered"]}
    assert second["cost"] == costs["cloud/c"] > costs["cloud/m"] > costs["home/s"]
    assert second["priced"] == {key: second["usage"][key] for key in second["priced"]}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "system", "content": "only a system prompt"}],
        [{"role": "assistant", "content": "hello"}],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}]}],
        [{"role": "user", "content": "wall of text " * 80_000}],
        [{"role": "user", "content": "a" * 1_000_000}],
        [{"role": "user", "content": "<a-b>" * 200_000}],
        [{"role": "user" if n % 2 == 0 else "assistant", "content": "x"} for n in range(100_000)],
        [{"role": "user", "content": JUNK.decode("latin-1")}],
        [{"role": "user", "content": "\x00\x1b[31m\ufffe\u202e" * 1000}],
        [CALL, {"role": "tool", "tool_call_id": "c", "content": "x"}] * 1000,
    ],
    ids=[
        "none",
        "system",
        "assistant",
        "empty",
        "no parts",
        "image",
        "1 MB",
        "one word",
        "tags",
        "100,000",
        "binary",
        "controls",
        "tools",
    ],
)
async def test_every_request_is_decided(messages):
    """Seconds, where a slow machine would need a tenth: what is quadratic would take hours."""
    began = time.monotonic()
    async with Client(Application(kernel())) as client:
        found = await route(client, {"model": "auto", "messages": messages})
    assert found["order"]
    assert found["tier"] in ("simple", "medium", "complex", "reasoning")
    assert 0 <= found["score"] <= 100
    assert found["skipped"] == []
    assert time.monotonic() - began < 30


@pytest.mark.anyio
async def test_bytes_that_are_no_text_are_refused_and_not_failed_on():
    async with Client(Application(kernel())) as client:
        for body in (JUNK, b'{"model": "auto", "messages": [{"role": "user", "content": "' + JUNK + b'"}]}', b"", b"\xff\xfe"):
            answer = await client.post("/v1/chat/completions", content=body)
            assert answer.status == 400


def raises():
    raise ValueError("the prompt says: secret")


def lazily():
    yield Score(value=3)
    raise ValueError("halfway")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "skipped"),
    [
        (raises, "scorer.a0 failed: ValueError in score"),
        (lambda: float("nan"), "scorer.a0 gave no number in score"),
        (lambda: float("inf"), "scorer.a0 gave no number in score"),
        (lambda: 10**400, "scorer.a0 gave no number in score"),
        (object, "scorer.a0 gave no number in score"),
        (lambda: Score(value="high"), "scorer.a0 gave no number in score"),
        (lambda: Score(value=5, weight=float("nan")), "scorer.a0 gave no number in score"),
        (lazily, "scorer.a0 gave no number in score"),
    ],
)
async def test_a_scorer_that_is_no_use_is_skipped_and_named(answer, skipped):
    async with Client(Application(kernel(Scorer(answer)))) as client:
        found = await route(client, said("hi"))
        live = await record(client, await client.post("/v1/chat/completions", json=said("hi")))
    assert found["skipped"] == live["skipped"] == [skipped]
    assert (found["tier"], [score["plugin"] for score in found["scores"]]) == ("simple", ["scorer.heuristic"])
    assert "secret" not in json.dumps(live["skipped"])


@pytest.mark.anyio
async def test_after_five_faults_it_is_off_and_that_is_told():
    async with Client(Application(kernel(Scorer(raises)))) as client:
        told = [(await route(client, said("hi")))["skipped"] for _ in range(6)]
    assert told[4] == ["scorer.a0 failed: ValueError in score"]
    assert told[5] == ["scorer.a0 is off after errors in a row in score"]


def sleeps():
    time.sleep(60)


def spins():
    while True:
        pass


class Blocking(Scorer):
    """Asynchronous by name alone, from its second step on."""

    async def score(self, exchange):
        await asyncio.sleep(0)
        return self._score()


@pytest.mark.anyio
@pytest.mark.parametrize("stall", [sleeps, spins])
@pytest.mark.parametrize("scorer", [Scorer, Blocking])
async def test_a_scorer_that_stalls_is_broken_off(monkeypatch, scorer, stall):
    monkeypatch.setattr(stalls, "STALL_SECONDS", 0.3)
    began = time.monotonic()
    async with Client(Application(kernel(scorer(stall)))) as client:
        found = await route(client, said("hi"))
    assert time.monotonic() - began < 30
    assert found["skipped"] == ["scorer.a0 failed: TimeoutError in score"]
    assert found["tier"] == "simple"


def test_the_alarm_does_not_ring_in_a_process_that_is_ending():
    """Python lets go of its signals before it has let go of everything else: one that came then would kill it."""
    words = """
import atexit, signal
atexit.register(lambda: print(signal.getitimer(signal.ITIMER_REAL)[0]))
from lynkr_core import stalls
assert stalls.bounded(str)(7) == "7"
print(signal.getitimer(signal.ITIMER_REAL)[0] > 0)
"""
    told = subprocess.run([sys.executable, "-c", words], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert told.split() == ["True", "0.0"]


@pytest.mark.anyio
async def test_an_asynchronous_scorer_that_stalls_has_the_stages_deadline():
    made = kernel(AsyncScorer())
    made.hooks.score.deadline = 0.2
    began = time.monotonic()
    async with Client(Application(made)) as client:
        found = await route(client, said("hi"))
    assert time.monotonic() - began < 30
    assert found["skipped"] == ["scorer.a0 failed: TimeoutError in score"]
    assert (found["tier"], found["score"]) == ("simple", 3.0)


@pytest.mark.anyio
@pytest.mark.parametrize("wait", [0.0, 60.0])
async def test_what_an_asynchronous_scorer_waits_for_it_gets_or_is_stopped_at(wait):
    """Its steps are bounded one by one, and errors that come while it waits arrive in it."""
    told = []

    async def scored():
        try:
            await asyncio.sleep(wait)
            return await asyncio.wait_for(asyncio.sleep(0.01, 70), 5)
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    coroutine = stalls.in_steps(scored)()
    if wait:
        task = asyncio.ensure_future(coroutine)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        assert await coroutine == 70
    assert told == ["cancelled"] * bool(wait)


@pytest.mark.anyio
async def test_without_any_scorer_left_there_is_a_default():
    toml = TOML.replace("[scorer.heuristic]", "")
    async with Client(Application(kernel(Scorer(raises), toml=toml))) as client:
        found = await route(client, said("hi"))
    assert (found["tier"], found["reason"], found["score"]) == ("medium", "no score: medium", None)

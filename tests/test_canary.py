"""Another configuration proves itself beside the one that serves, in a process of its own: it is refused, accepted, or taken back."""

import asyncio
import signal
import threading
import time
from pathlib import Path

import pytest

from lynkr_core.cli.serving import planned
from lynkr_core.errors import LynkrError
from lynkr_core.testing.canned import Script
from lynkr_core.testing.process import ask, gateway
from lynkr_core.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio
KEY = {"authorization": "Bearer admin-key-of-tests"}
SERVER = '[server]\nadmin_key = "admin-key-of-tests"\nlist_models = false\nwatch = false\n[routing]\nretries = 0\n'
OLD = SERVER + '[provider.echo]\nprefix = "old: "\nmodels = ["a", "b"]\n[models]\nm = ["echo/a"]\n'
NEW = OLD.replace("old: ", "new: ").replace('["echo/a"]', '["echo/b"]')
UP = '[provider.up]\nuse = "openai-compatible"\nbase_url = "{url}/v1"\ndialects = ["openai.chat"]\n[models]\nm = ["up/x"]\n'


@pytest.fixture
def served(tmp_path):
    """`served(canary)` starts a gateway with `OLD` that tries another one; four requests of each stage are enough."""
    running = []

    def start(canary, requests="4"):
        (tmp_path / "lynkr.toml").write_text(OLD)
        (tmp_path / "other.toml").write_text(canary)
        running.append(gateway("up", "--canary", "other.toml", "--canary-requests", requests, cwd=tmp_path))
        return running[-1].__enter__()

    yield start
    for one in running:
        one.__exit__(None, None, None)


def chat(served, model="m"):
    """Status, and what was said."""
    question = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    answer = ask(f"{served.url}/v1/chat/completions", question)
    told = answer.json()
    return answer.status, told["choices"][0]["message"]["content"] if answer.status == 200 else told["error"]["message"]


def standing(served):
    return ask(f"{served.url}/v1/admin/canary", **KEY).json()


def until(served, phase, model="m"):
    """Asks until it stands there. Gives the answers."""
    end, answers = time.monotonic() + PATIENCE, []
    while standing(served)["phase"] != phase:
        assert time.monotonic() < end, (standing(served), served.said)
        answers.append(chat(served, model))
    return answers


def test_a_good_one_is_decided_with_then_served_with_then_accepted(served):
    gate = served(NEW)
    assert chat(gate) == (200, "old: Hello")
    answers = until(gate, "accepted")
    assert {status for status, _ in answers} == {200}
    assert chat(gate) == (200, "new: Hello")
    told = standing(gate)
    assert (told["compared"], told["moved"], told["refused"], told["after"]) == (4, 4, 0, [4, 0])
    assert "put it in the place of lynkr.toml" in told["why"][0]
    answer = ask(f"{gate.url}/v1/chat/completions", {"model": "m", "messages": []})
    assert answer.headers["x-lynkr-config"] == told["config"]
    gate.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + PATIENCE
    while chat(gate) != (200, "old: Hello"):
        assert time.monotonic() < end
    assert gate.stop() == 0


def test_one_that_would_refuse_requests_never_serves(served):
    gate = served(
        NEW.replace('m = ["echo/b"]', 'n = ["echo/b"]').replace("[models]", '[provider.second]\nuse = "echo"\n[models]')
    )
    answers = until(gate, "refused")
    assert set(answers) <= {(200, "old: Hello")}
    assert chat(gate) == (200, "old: Hello")
    told = standing(gate)
    assert (told["refused"], told["after"]) == (4, [0, 0])
    assert "it would have refused 4 of 4 requests" in told["why"][0]
    assert "'m' is not served here" in told["why"][1]


def test_one_with_mistakes_is_told_and_the_old_one_serves(served, tmp_path):
    gate = served("[provider.ecko]")
    for text, why in (("", "'ecko' is not installed"), ("[[", "other.toml: not TOML"), (OLD + "[x]\n", "unknown section")):
        if text:
            (tmp_path / "other.toml").write_text(text)
            assert ask(f"{gate.url}/v1/admin/canary", method="POST", **KEY).status == 202
        until(gate, "refused")
        assert why in standing(gate)["why"][0]
        assert why in gate.said
    assert chat(gate) == (200, "old: Hello")
    assert ask(f"{gate.url}/v1/admin/canary").status == 401


async def test_one_that_fails_is_taken_back(served, provider):
    provider.always(Script(status=500, body=b"{}"))
    gate = await asyncio.to_thread(served, SERVER + UP.format(url=provider.url), "20")
    answers = await asyncio.to_thread(until, gate, "rolled back")
    failed = [answer for answer in answers if answer[0] != 200]
    assert 10 <= len(failed) < 20, "as soon as enough have failed"
    assert await asyncio.to_thread(chat, gate) == (200, "old: Hello")
    told = await asyncio.to_thread(standing, gate)
    assert told["why"][1] == "server"
    assert "went wrong, 0 of" in told["why"][0]
    again = ask(f"{gate.url}/v1/admin/canary", method="POST", **KEY)
    assert (again.status, again.json()["phase"]) == (202, "shadowing")
    assert ask(f"{gate.url}/v1/admin/canary", method="POST", **KEY).status == 409
    assert await asyncio.to_thread(gate.stop) == 0


async def test_no_request_is_lost_on_the_way(served):
    gate = served(NEW, "50")
    answers, stopping = [], threading.Event()

    def caller():
        while not stopping.is_set():
            answers.append(chat(gate))

    callers = [asyncio.create_task(asyncio.to_thread(caller)) for _ in range(4)]
    end = time.monotonic() + PATIENCE
    while (await asyncio.to_thread(standing, gate))["phase"] != "accepted":
        assert time.monotonic() < end
    stopping.set()
    await asyncio.gather(*callers)
    assert set(answers) == {(200, "old: Hello"), (200, "new: Hello")}


def test_a_reload_ends_the_trial(served, tmp_path):
    gate = served(NEW)
    until(gate, "shadowing")
    (tmp_path / "lynkr.toml").write_text(OLD.replace("old: ", "third: "))
    gate.process.send_signal(signal.SIGHUP)
    until(gate, "given up")
    assert chat(gate) == (200, "third: Hello")
    assert gate.stop() == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [((100, 0.05, 2), "works with one worker"), ((0, 0.05, 1), "at least 1"), ((100, 2, 1), "from 0 to 1"),
     ((100, 0.05, 1), "none.toml: cannot be read")],
)  # fmt: skip
def test_what_cannot_be_tried_is_refused_at_once(words, why):
    with pytest.raises(LynkrError, match=why):
        planned(Path("none.toml"), *words)

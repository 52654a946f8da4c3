"""examples/ab-test: who gets which model, and the report of it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest

from lynkr_core.request import Text
from lynkr_core.testing.canned import MODELS, OPENAI_FAULTS
from lynkr_core.testing.saying import saying
from lynkr_core.testing.scripted import ScriptedProvider
from tests.examples.running import Example, chat, client, messages, served

pytestmark = pytest.mark.anyio
VARIANTS = {"control": "openai/gpt-5.6-terra", "challenger": "anthropic/claude-sonnet-5-5"}
USERS = [f"user-{number}" for number in range(20)]


@pytest.fixture
async def openai(scripted_provider):
    scripted_provider.beside = {"/v1/models": MODELS}
    return scripted_provider.always(saying("openai.chat", Text(text="control"), usage=(1000, 100)))


@pytest.fixture
async def anthropic():
    async with ScriptedProvider() as provider:
        yield provider.always(saying("anthropic.messages", Text(text="challenger"), usage=(1000, 100)))


@pytest.fixture
def example(openai, anthropic, tmp_path):
    example = Example("ab-test", tmp_path, OPENAI_API_KEY="sk-test-of-examples", ANTHROPIC_API_KEY="sk-ant-test-of-examples")
    example.cloud("openai", f"{openai.url}/v1")
    example.cloud("anthropic", anthropic.url)
    return example


async def split(http, names, **headers):
    """The variant that each user is told, and has."""
    found = {}
    for name in names:
        answer = await chat(http, "Hello", model="assistant", user=name, headers=headers)
        found[name] = answer.headers["x-lynkr-variant"]
        assert served(answer) == (200, VARIANTS[found[name]])
        assert answer.json()["choices"][0]["message"]["content"] == found[name]
    return found


def report(exported: str, *arguments: object) -> list[dict]:
    command = [sys.executable, "report.py", "--json", *[str(argument) for argument in arguments]]
    done = subprocess.run(command, input=exported, capture_output=True, text=True, check=True, cwd=arguments[0].parent)
    return json.loads(done.stdout)


async def test_each_user_keeps_a_variant_over_apis_and_restarts_and_the_report_compares_them(example, openai):
    with example.serve() as running:
        async with client(running) as http:
            first = await split(http, USERS)
            assert sorted(first.values()) == ["challenger"] * 10 + ["control"] * 10
            streamed = await chat(http, "Hello", model="assistant", user=USERS[0], stream=True)
            assert streamed.headers["x-lynkr-variant"] == first[USERS[0]]
            other = await messages(http, "Hello", model="assistant", metadata={"user_id": USERS[1]})
            assert other.headers["x-lynkr-variant"] == first[USERS[1]]
    with example.serve() as running:
        async with client(running) as http:
            assert await split(http, USERS) == first
            openai.then(OPENAI_FAULTS["500"].script)
            control = next(name for name in USERS if first[name] == "control")
            answer = await chat(http, "Hello", model="assistant", user=control)
            assert served(answer) == (200, VARIANTS["challenger"])
            assert answer.headers["x-lynkr-variant"] == "control"
    exported = (await example.run("export", "--format", "jsonl")).stdout
    outcomes = example.folder / "outcomes.csv"
    with outcomes.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "outcome"])
        for record in map(json.loads, exported.splitlines()):
            table.writerow([record["id"], int(record["notes"]["variant"] == "challenger")])
    challenger, control = report(exported, outcomes)
    assert (challenger["variant"], control["variant"]) == ("challenger", "control")
    assert challenger["requests"] + control["requests"] == 2 * len(USERS) + 3
    assert (challenger["elsewhere"], control["elsewhere"], control["failed"]) == (0, 1, 0)
    assert challenger["usd each"][0] == pytest.approx((1000 * 2.0 + 100 * 10.0) / 1e6)
    assert (challenger["outcome"][0], control["outcome"][0]) == (1.0, 0.0)
    usage = json.loads((await example.run("usage", "--by", "model", "--json")).stdout)
    assert sorted(row["requests"] for row in usage["rows"]) == [21, 22], usage


async def test_by_session_whoever_asks(example):
    example.change('by = "user"   ', 'by = "session"')
    with example.serve() as running:
        async with client(running) as http:
            sessions = {}
            for number in range(20):
                told = {(await split(http, [user], **{"x-lynkr-session": f"s-{number}"}))[user] for user in USERS[:2]}
                assert len(told) == 1
                sessions[number] = told.pop()
            assert set(sessions.values()) == set(VARIANTS)

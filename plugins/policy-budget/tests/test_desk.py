"""What operators see of budgets, and runs that they stop by hand: over HTTP, on the command line, and at other processes."""

import os
import subprocess
import sys
import time

import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.client import Client
from lynkr_core.testing.contracts.governed import ADMIN, ASK, COST, OPERATED

pytestmark = pytest.mark.anyio
CONFIG = (
    OPERATED
    + """
[store.sqlite]
path = "{folder}/lynkr.db"
[policy.budget]
[[policy.budget.limit]]
usd = 1
[[policy.budget.limit]]
scope = "session:*"
per = "total"
requests = 4
"""
)


@pytest.fixture
def config(scripted_provider, tmp_path):
    scripted_provider.always(CANNED["openai.chat"])
    return CONFIG.format(url=scripted_provider.url, folder=tmp_path)


def node(config):
    return Client(Application(assemble(parse(config, {}), {})))


async def ask(client, session, **more):
    return await client.post(
        "/v1/chat/completions", json={**ASK, **more}, headers={"x-lynkr-session": session} if session else {}
    )


async def rows(client, query=""):
    found = (await client.get(f"/v1/admin/budgets{query}", headers=ADMIN)).json()["data"]
    return [(row["subject"], row["unit"], row["used"], row["held"], row["limit"], row["share"]) for row in found]


def run(folder, *words):
    made = subprocess.run(
        [sys.executable, "-m", "lynkr_core.cli", *words], cwd=folder, capture_output=True, check=False, env=os.environ
    )
    assert made.returncode == 0, made.stderr.decode()
    return made.stdout.decode()


async def test_balances_are_listed_the_fullest_first(config, tmp_path):
    async with node(config) as client:
        for _ in range(3):
            assert (await ask(client, "one")).status == 200
        assert (await client.get("/v1/admin/budgets")).status == 401
    async with node(config) as client:
        found = await rows(client)
        assert found == [
            ("session:anonymous/one", "requests", 3, 0, 4, 0.75),
            ("everyone", "usd", 3 * COST, 0, 10**9, round(3 * COST / 1e9, 4)),
        ]
        assert await rows(client, "?subject=ever") == found[1:]
    (tmp_path / "lynkr.toml").write_text(config)
    assert [row["used"] for row in msgspec.json.decode(run(tmp_path, "budgets", "--json"))] == [3, 3 * COST]
    assert "75%" in run(tmp_path, "budgets")


async def test_a_run_that_is_stopped_goes_no_further_until_it_is_resumed(config, tmp_path):
    (tmp_path / "lynkr.toml").write_text(config)
    async with node(config) as client:
        answer = await client.post("/v1/admin/runs/stop", json={"session": "one", "why": "loops"}, headers=ADMIN)
        assert (answer.status, answer.json()["state"]) == (200, "stopped")
        refused = await ask(client, "one")
        assert (refused.status, refused.json()["error"]["code"]) == (403, "run_stopped")
        assert [(await ask(client, session)).status for session in ("two", "")] == [200, 200]
        assert (await ask(client, "", metadata={"session_id": "one"})).status == 403
    assert "loops" in run(tmp_path, "runs", "list")
    async with node(config) as client:
        assert (await ask(client, "one")).status == 403
        assert (await client.post("/v1/admin/runs/resume", json={"session": "one"}, headers=ADMIN)).json()["was_stopped"] is True
        assert (await ask(client, "one")).status == 200
        assert (await client.get("/v1/admin/runs", headers=ADMIN)).json()["data"] == []


async def test_a_stopped_run_stays_stopped_in_another_store_and_is_forgotten_in_time(config, tmp_path, monkeypatch):
    (tmp_path / "lynkr.toml").write_text(config + '[store.other]\nuse = "sqlite"\npath = "other.db"\n')
    run(tmp_path, "runs", "stop", "one")
    run(tmp_path, "store", "move", "sqlite", "other")
    async with node(config.replace("/lynkr.db", "/other.db")) as client:
        assert (await ask(client, "one")).status == 403
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31 * 86400)
    async with node(config) as client:
        assert (await ask(client, "one")).status == 200
        assert (await client.get("/v1/admin/runs", headers=ADMIN)).json()["data"] == []


async def test_what_the_command_line_stops_is_stopped_for_one_caller_alone(config, tmp_path):
    (tmp_path / "lynkr.toml").write_text(config)
    assert "is stopped" in run(tmp_path, "runs", "stop", "one", "--caller", "anonymous")
    assert "is stopped" in run(tmp_path, "runs", "stop", "two", "--caller", "somebody")
    async with node(config) as client:
        assert [(await ask(client, session)).status for session in ("one", "two")] == [403, 200]
    assert "goes on" in run(tmp_path, "runs", "resume", "one", "--caller", "anonymous")
    assert "was not stopped" in run(tmp_path, "runs", "resume", "one")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"session": ""}', b'{"session": 7}', b'{"session": "x", "more": 1}', b'{"session": "' + b"x" * 501 + b'"}'],
)
async def test_what_is_no_run_is_refused(config, body):
    async with node(config) as client:
        assert (await client.post("/v1/admin/runs/stop", content=body, headers=ADMIN)).status == 400

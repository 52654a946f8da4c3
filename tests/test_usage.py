"""What was used, told by a whole gateway: over HTTP, by the commands, and as files for others."""

import csv
import io
import json
import time

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.client import Client
from lynkr_core.testing.process import lynkr

pytestmark = pytest.mark.anyio
CONFIG = """
[server]
admin_key = "the-admin-key-of-the-test"
[provider.cloud]
use = "openai-compatible"
base_url = "{url}"
local = false
models = ["small", "large", "free"]
[provider.box]
use = "openai-compatible"
base_url = "{url}"
local = true
models = ["own"]
[prices]
"cloud/small" = {{ input = 1.0, output = 2.0 }}
"cloud/large" = {{ input = 10.0, output = 20.0, per_request = 0.5 }}
"box/own" = {{ input = 0, output = 0 }}
[tiers]
simple = ["cloud/small"]
reasoning = ["cloud/large"]
[store.sqlite]
path = "lynkr.db"
[sink.journal]
"""
SMALL = (12 * 1 + 7 * 2) / 1e6
LARGE = (12 * 10 + 7 * 20) / 1e6 + 0.5
ADMIN = {"authorization": "Bearer the-admin-key-of-the-test"}


def ask(model, **more):
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}


@pytest.fixture
async def node(scripted_provider, tmp_path, monkeypatch):
    """Five requests: two small ones, a large one, one of the operator's own machine, one at no known price; and one of somebody else."""
    monkeypatch.chdir(tmp_path)
    scripted_provider.always(CANNED["openai.chat"])
    (tmp_path / "lynkr.toml").write_text(CONFIG.format(url=scripted_provider.url))
    kernel = assemble(parse((tmp_path / "lynkr.toml").read_text(), {}), {})
    async with Client(Application(kernel)) as client:
        for model in ("cloud/small", "cloud/small", "cloud/large", "box/own", "cloud/free"):
            answer = await client.post("/v1/chat/completions", json=ask(model), headers={"x-lynkr-session": "=1+1"})
            assert answer.status == 200, answer.text
        journal = kernel.stores.journal()
        await journal.flush()
        other = {**(await journal.query(limit=1))[0], "id": "req_0", "principal": "key:other", "key": "other", "cost": 2.0}
        journal.append({**other, "created": time.time() - 3600})
        await journal.flush()
        yield client


def rows(told):
    return {"/".join(value or "" for value in row["group"].values()): row for row in told["rows"]}


async def test_usage_is_told_by_model_with_what_is_not_known_apart(node):
    told = (await node.get("/v1/usage?by=provider,model")).json()
    found = rows(told)
    assert set(found) == {"cloud/small", "cloud/large", "box/own", "cloud/free"}
    assert found["cloud/small"]["usd"] == pytest.approx(2 * SMALL)
    assert (found["cloud/small"]["requests"], found["cloud/small"]["cheap_share"], found["cloud/large"]["cheap_share"]) == (
        2,
        1,
        0,
    )
    assert (found["box/own"]["usd"], found["box/own"]["local_share"]) == (0.0, 1.0)
    assert (found["cloud/free"]["usd"], found["cloud/free"]["unpriced"]) == (None, 1)
    assert (told["total"]["requests"], told["total"]["usd"]) == (5, pytest.approx(2 * SMALL + LARGE))
    assert (told["total"]["input_tokens"], told["total"]["output_tokens"], told["total"]["local_share"]) == (60, 35, 0.2)


async def test_a_baseline_prices_the_same_tokens_and_is_null_where_its_price_is_not_known(node):
    against = (await node.get("/v1/usage?by=model&baseline=cloud/large")).json()
    found = rows(against)["small"]
    assert (found["baseline_usd"], found["less_than_baseline_usd"]) == (
        pytest.approx(2 * LARGE),
        pytest.approx(2 * (LARGE - SMALL)),
    )
    assert rows(against)["free"]["baseline_usd"] is None
    assert against["total"]["baseline_usd"] == pytest.approx(4 * LARGE)
    unknown = (await node.get("/v1/usage?baseline=cloud/free")).json()
    assert unknown["baseline"] == {"model": "cloud/free", "priced": False}
    assert (unknown["total"]["baseline_usd"], unknown["total"]["less_than_baseline_usd"]) == (None, None)


async def test_a_caller_sees_its_own_and_the_admin_key_all(node):
    own = (await node.get("/v1/usage?by=key")).json()
    every = (await node.get("/v1/usage?by=key", headers=ADMIN)).json()
    assert (own["total"]["requests"], every["total"]["requests"]) == (5, 6)
    assert (set(rows(own)), set(rows(every))) == ({""}, {"", "other"})
    assert (await node.get("/v1/usage?principal=key:other")).status == 403
    asked = (await node.get("/v1/usage?principal=key:other", headers=ADMIN)).json()
    assert (asked["total"]["requests"], asked["total"]["usd"]) == (1, 2.0)


async def test_mistakes_in_the_question_are_named(node):
    for query, param in (
        ("by=secret", "by"),
        ("since=soon", "since"),
        ("limit=0", "limit"),
        ("baseline=x", "baseline"),
        ("bye=1", "bye"),
    ):
        answer = await node.get(f"/v1/usage?{query}")
        assert (answer.status, answer.json()["error"]["param"]) == (400, param)
    assert (await node.get("/v1/usage?since=2999-01-01")).json()["rows"] == []


async def test_the_command_tells_what_the_route_tells_an_admin(node, tmp_path):
    done = lynkr("usage", "--by", "model,status", "--baseline", "cloud/large", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    answer = (await node.get("/v1/usage?by=model,status&baseline=cloud/large", headers=ADMIN)).json()
    assert {**told, "since": ""} == {**answer, "since": ""}
    plain = lynkr("usage", "--by", "session", cwd=tmp_path).stdout.splitlines()
    assert plain[0].split("\t")[:2] == ["session", "requests"]
    assert [line.split("\t")[:2] for line in plain[1:]] == [["=1+1", "6"], ["total", "6"]]
    wrong = lynkr("usage", "--by", "colour", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "cannot tell usage by 'colour'" in wrong.stderr


async def test_the_journal_is_exported_as_csv_that_no_spreadsheet_runs(node, tmp_path):
    done = lynkr("export", cwd=tmp_path)
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert (done.returncode, done.stderr) == (0, "6 records\n")
    assert {row["session"] for row in found} == {"'=1+1"}
    assert [row["model"] for row in found] == ["free", "own", "large", "small", "small", "free"]
    assert [row["cost"] for row in found][:1] == [""]
    assert float(found[3]["cost"]) == pytest.approx(SMALL)
    assert lynkr("export", "--until", "2001-01-01", "--since", "2000-01-01", cwd=tmp_path).stderr == "0 records\n"


async def test_the_journal_is_exported_as_lines_and_as_charges(node, tmp_path):
    lines = [json.loads(line) for line in lynkr("export", "--format", "jsonl", cwd=tmp_path).stdout.splitlines()]
    assert (len(lines), lines[-1]["id"]) == (6, "req_0")
    done = lynkr("export", "--format", "focus", "--output", "charges.csv", cwd=tmp_path)
    charges = list(csv.DictReader(io.StringIO((tmp_path / "charges.csv").read_text())))
    assert done.stderr == "5 charges\n"
    assert sum(float(charge["BilledCost"]) for charge in charges) == pytest.approx(2 * SMALL + LARGE + 2.0)
    first = charges[0]
    assert (first["SkuId"], first["ServiceCategory"], first["BillingCurrency"]) == ("box/own", "AI and Machine Learning", "USD")
    assert (first["ConsumedQuantity"], first["ConsumedUnit"], first["ChargeCategory"]) == ("19", "Tokens", "Usage")
    assert first["BillingPeriodStart"] <= first["ChargePeriodStart"] < first["ChargePeriodEnd"]


async def test_what_came_to_nothing_is_in_the_sum_and_among_the_charges(scripted_provider, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = CONFIG.replace(
        "[sink.journal]", "[models]\nboth = ['cloud/small', 'cloud/free']\n[routing]\nretries = 0\n[sink.journal]"
    )
    (tmp_path / "lynkr.toml").write_text(config.format(url=scripted_provider.url))
    canned = CANNED["openai.chat"]
    usage = canned.events[-2]
    half = canned.but(events=(canned.events[0], usage, usage), cut_events=2)
    kernel = assemble(parse((tmp_path / "lynkr.toml").read_text(), {}), {})
    async with Client(Application(kernel)) as client:
        for scripts in ((half, canned.but(status=500, body=b"{}")), (half, canned)):
            scripted_provider.then(*scripts)
            await client.post("/v1/chat/completions", json=ask("both", stream=True))
        await kernel.stores.journal().flush()
        told = (await client.get("/v1/usage?by=status", headers=ADMIN)).json()
    found = {row["group"]["status"]: (row["usd"], row["unpriced"]) for row in told["rows"]}
    assert found == {"error": (pytest.approx(SMALL), 0), "ok": (pytest.approx(SMALL), 1)}
    done = lynkr("export", "--format", "focus", cwd=tmp_path)
    charges = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [charge["SkuId"] for charge in charges] == ["cloud/small", "cloud/small"]
    assert sum(float(charge["BilledCost"]) for charge in charges) == pytest.approx(told["total"]["usd"])


async def test_without_a_store_the_commands_say_so(tmp_path):
    (tmp_path / "lynkr.toml").write_text("[provider.echo]\n[sink.journal]\n")
    for command in ("usage", "export"):
        done = lynkr(command, cwd=tmp_path)
        assert (done.returncode, "[store.sqlite]" in done.stderr) == (1, True)

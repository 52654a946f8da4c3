"""`lynkr prices` and `lynkr reconcile`, run as people run them."""

import asyncio
import json
from datetime import datetime

import pytest

from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.process import lynkr

CONFIG = """
[store.sqlite]
path = "{folder}/lynkr.db"
[catalog.default]
[provider.openai]
api_key = "k"
models = ["gpt-5.6-sol", "house-model", "mine"]
[prices]
"openai/mine" = {{ input = 1, output = 2, fees = {{ web_search = 0.5 }} }}
"""
DAY = "2026-11-20"


def record(id, model="gpt-5.6-sol", input=1000, output=100, cost=0.006, at=f"{DAY}T12:00:00+00:00", provider="openai"):
    usage = {"input_tokens": input, "output_tokens": output}
    created = datetime.fromisoformat(at).timestamp()
    return {"id": id, "created": created, "provider": provider, "model": model, "usage": usage, "cost": cost}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lynkr.toml").write_text(CONFIG.format(folder=tmp_path))
    return tmp_path


def journal(folder, *records):
    async def fill():
        async with Kernel.from_config(parse((folder / "lynkr.toml").read_text(), {}), {}) as kernel:
            for made in records:
                kernel.stores.journal().append(made)
            await kernel.stores.journal().flush()

    asyncio.run(fill())


def reconciled(folder, export, *options):
    (folder / "export").write_text(export if isinstance(export, str) else json.dumps(export))
    ran = lynkr("reconcile", "export", "--json", *options, cwd=folder)
    return ran.returncode, json.loads(ran.stdout) if ran.returncode < 2 and ran.stdout else ran.stderr


def bucket(**result):
    """OpenAI's usage API."""
    start = datetime.fromisoformat(f"{DAY}T00:00:00+00:00").timestamp()
    return {"object": "page", "data": [{"start_time": start, "results": [result]}]}


def test_prices_tell_their_row_its_source_and_day(folder):
    ran = lynkr("prices", "--json", cwd=folder)
    found = {row["model"]: row["price"] for row in json.loads(ran.stdout)}
    known = found["openai/gpt-5.6-sol"]
    assert (known["input"], known["output"], known["dated"]) == (4, 20, "2026-11-21")
    assert known["source"].startswith("litellm ")
    assert (found["openai/mine"]["source"], found["openai/mine"]["fees"]) == ("lynkr.toml", {"web_search": 0.5})
    assert found["openai/house-model"] is None


def test_prices_for_people_and_of_one_name(folder):
    ran = lynkr("prices", "openai/house-model", "mine", cwd=folder)
    assert "unknown" in ran.stdout
    assert "lynkr.toml" in ran.stdout
    assert "gpt-5.6" not in ran.stdout
    assert "nobody serves a/../b" in lynkr("prices", "a/../b", cwd=folder).stderr


def test_what_agrees_is_good(folder):
    journal(folder, record("a"), record("b"), record("c", at="2026-11-22T12:00:00+00:00"), record("d", provider="other"))
    export = bucket(input_tokens=2000, input_cached_tokens=500, output_tokens=200, model="gpt-5.6-sol")
    status, lines = reconciled(folder, export, "--provider", "openai")
    assert (status, [(line["day"], line["model"], line["off"]) for line in lines]) == (0, [(DAY, "gpt-5.6-sol", 0.0)])
    assert reconciled(folder, export)[0] == 1


def test_every_call_that_was_billed_to_the_operator_counts(folder):
    used = {"usage": {"input_tokens": 1000, "output_tokens": 100}, "cost": 0.006}
    served = {"candidate": "other/mine", **used}
    again = {**record("a", provider="other", model="mine"), "attempts": [{"candidate": "openai/gpt-5.6-sol", **used}, served]}
    failed = {
        **record("b", provider=None, model=None, cost=None),
        "usage": None,
        "attempts": [{"candidate": "openai/gpt-5.6-sol", **used}],
    }
    journal(folder, again, failed, {**record("c"), "billed": "caller"})
    export = bucket(input_tokens=2000, output_tokens=200, model="gpt-5.6-sol")
    status, lines = reconciled(folder, export, "--provider", "openai")
    assert (status, [(line["model"], line["off"]) for line in lines]) == (0, [("gpt-5.6-sol", 0.0)])


def test_tokens_that_differ_are_told_beyond_the_tolerance(folder):
    journal(folder, record("a"))
    export = "date,model,input_tokens,output_tokens,cost_usd\n2026-11-20,gpt-5.6-sol,1000,110,0.006\n"
    status, lines = reconciled(folder, export)
    assert (status, round(lines[0]["off"], 3)) == (1, 0.091)
    assert reconciled(folder, export, "--tolerance", "0.1")[0] == 0


def test_days_and_models_that_are_missing_on_either_side(folder):
    journal(folder, record("a"), record("b", model="mine", at="2026-11-19T01:00:00+00:00"))
    export = "date,model,cost\n2026-11-18,gpt-5.6-sol,1\n2026-11-20,gpt-5.6-sol,0.006\n2026-11-20,gpt-9,1\n"
    status, lines = reconciled(folder, export)
    assert status == 1
    assert [(line["day"][-2:], line["model"], line["note"]) for line in lines] == [
        ("18", "gpt-5.6-sol", "this day is missing here"), ("19", "mine", "missing there"),
        ("20", "gpt-5.6-sol", ""), ("20", "gpt-9", "unknown here"),
    ]  # fmt: skip


def test_calls_without_a_price_never_agree_with_dollars(folder):
    journal(folder, record("a"), record("b", cost=None))
    status, lines = reconciled(folder, "date,model,cost\n2026-11-20,gpt-5.6-sol,0.006\n")
    assert (status, lines[0]["off"], lines[0]["note"]) == (1, None, "1 without a price")


ANTHROPIC = {"uncached_input_tokens": 500, "cache_read_input_tokens": 300, "output_tokens": 100, "model": "gpt-5.6-sol"}
WRITTEN = {"cache_creation": {"ephemeral_1h_input_tokens": 50, "ephemeral_5m_input_tokens": 150}}
START = "2026-11-20T00:00:00Z"
EXPORTS = [
    ({"data": [{"starting_at": START, "results": [ANTHROPIC | WRITTEN]}]}, ()),
    ({"data": [{"starting_at": START, "results": [{"amount": "0.6", "currency": "USD", "model": None}]}]}, ()),
    (bucket(amount={"value": 0.006, "currency": "usd"}, line_item=None), ()),
    ("ChargePeriodStart,ResourceName,BilledCost\n2026-11-20T00:00:00Z,gpt-5.6-sol,0.006\n", ()),
    (
        "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_read,usage_output_tokens\n"
        "2026-11-20,gpt-5.6-sol,400,600,100\n", (),
    ),
    ("Tag,Was,Rein,Extra,Raus\n2026-11-20,sol,900,100,100\n",
     ("--columns", "day=Tag,model=Was,input=Rein+Extra,output=Raus", "--models", "sol=gpt-5.6-sol")),
    ('{"day": "2026-11-20", "model": "gpt-5.6-sol", "cost": "$0.006"}\n{"day": "2026-11-20", "model": "gpt-5.6-sol", "cost": 0}', ()),
]  # fmt: skip


@pytest.mark.parametrize(("export", "options"), EXPORTS)
def test_exports_of_several_makers(folder, export, options):
    journal(folder, record("a"))
    status, lines = reconciled(folder, export, *options)
    assert status == 0, lines
    assert lines[0]["off"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("export", "told"),
    [("a,b\n1,2\n", "no day"), ("date,cost\nsoon,1\n", "no day"), ("date,cost\n2026-11-20,much\n", "no number"), ("", "no rows")],
)
def test_what_cannot_be_read_is_told(folder, export, told):
    (folder / "export").write_text(export)
    ran = lynkr("reconcile", "export", cwd=folder)
    assert (ran.returncode, told in ran.stderr) == (1, True)

"""What a record counts for, and the report that is made of the sums."""

import math

import msgspec
import pytest

from lynkr_core.cards import Price, PriceTier
from lynkr_core.stores import MemoryStore
from lynkr_core.stores.report import groups, moment, report
from lynkr_core.stores.totals import COLUMNS, MOST, NAMES, Totals, row_of, row_of_json

RECORD = {
    "id": "r1", "created": 86399.9999, "model": "m", "provider": "p", "key": "k", "class": "T1", "status": "ok", "grade": "local",
    "usage": {"input_tokens": 100, "output_tokens": 10, "cache_read": 40, "cache_write": 5, "reasoning": 3, "estimated": False},
    "cost": 0.25, "saved_tokens": 7, "saved_usd": 0.5, "duration": 1.5, "text": "?",
}  # fmt: skip


def counted(**changes):
    return dict(zip(NAMES, row_of({**RECORD, **changes}), strict=True))


def test_a_record_counts_for_what_it_says():
    found = counted()
    assert {name: found[name] for name in COLUMNS if found[name]} == {
        "model": "m",
        "provider": "p",
        "key": "k",
        "class": "T1",
        "status": "ok",
    }
    assert (found["requests"], found["errors"], found["local"], found["cheap"], found["unpriced"], found["priced"]) == (
        1,
        0,
        1,
        0,
        0,
        1,
    )
    assert (found["input_tokens"], found["output_tokens"], found["cache_read"], found["cache_write"]) == (100, 10, 40, 5)
    assert (found["nano_usd"], found["saved_nano_usd"], found["microseconds"]) == (250_000_000, 500_000_000, 1_500_000)


def test_a_cost_that_is_not_known_is_counted_apart():
    assert (counted(cost=None)["unpriced"], counted(cost=None)["nano_usd"], counted(cost=None)["priced"]) == (1, 0, 0)
    assert counted(cost=None, usage=None)["unpriced"] == 0
    assert counted(cost=0)["unpriced"] == 0


def test_attempts_that_came_to_nothing_are_paid_too_and_callers_pay_for_themselves():
    assert counted(spent=0.3)["nano_usd"] == 300_000_000
    failed = counted(spent=0.3, cost=None, usage=None, model=None, status="error")
    assert (failed["nano_usd"], failed["unpriced"], failed["priced"]) == (300_000_000, 0, 0)
    assert counted(spent=0.3, cost=None)["unpriced"] == 1
    own = counted(billed="caller")
    assert (own["nano_usd"], own["callers_nano_usd"], own["priced"]) == (0, 250_000_000, 0)
    assert counted(billed="caller", cost=None)["unpriced"] == 0


@pytest.mark.parametrize("status", ["ok", "error", "cut", "refused", "cancelled"])
def test_what_is_an_error(status):
    assert counted(status=status)["errors"] == (status in ("error", "cut"))


def test_nothing_that_is_written_makes_a_sum_overflow():
    assert counted(cost=1e300)["nano_usd"] == MOST
    assert counted(cost=math.inf)["nano_usd"] == 0
    assert counted(usage={"input_tokens": 2**62})["input_tokens"] == MOST
    for odd in (b"[]", b"{", b"\xff", b'{"model": 5}'):
        assert row_of_json(odd)[-15:] == (1, *[0] * 14)


@pytest.mark.parametrize(
    "changes",
    [{}, {"cost": None}, {"cost": 3, "spent": 4.5}, {"billed": "caller"}, {"usage": None}, {"status": "cut", "grade": "cheap"}, {"team": 5},
     {"usage": {"input_tokens": 2**70}}, {"usage": 7}, {"saved_tokens": -(2**60)}, {"saved_tokens": 1.5}, {"cost": "?"}, {"cost": 1e300},
     {"duration": -1e300}, {"saved_usd": [1]}, {"user": ""}],
)  # fmt: skip
def test_it_counts_the_same_however_it_is_read(changes):
    whole = {**dict.fromkeys(COLUMNS), "spent": 0, "billed": "operator", **RECORD, **changes}
    written = msgspec.json.encode(whole)
    assert row_of(whole) == row_of_json(written)
    assert {type(value) for value in row_of(whole)} <= {str, int, type(None)}


def test_what_cannot_be_written_counts_as_a_request():
    assert row_of({"id": object(), "model": 5})[-15:] == (1, *[0] * 14)


@pytest.mark.parametrize(
    ("text", "at"),
    [("7d", 1e9 - 604800), ("90m", 1e9 - 5400), ("1.5h", 1e9 - 5400), ("1970-01-02", 86400.0), ("1970-01-01T01:00:00+01:00", 0.0),
     ("1970-01-01T00:00:10", 10.0), ("2w", 1e9 - 1209600)],
)  # fmt: skip
def test_a_time_is_said_in_several_ways(text, at):
    assert moment(text, 1e9) == at


@pytest.mark.parametrize("text", ["", "7", "d", "yesterday", "2026-13-01", "-7d", "1e9d", "9" * 400, "2026-01-01T99:00:00"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is no time"):
        moment(text)


def test_groups_are_names_with_commas():
    assert groups("model, day,model") == ["model", "day"]
    assert groups("") == []
    with pytest.raises(ValueError, match="cannot tell usage by 'principal'"):
        groups("principal")


@pytest.mark.anyio
async def test_days_turn_at_midnight_in_utc_and_the_end_is_left_out():
    store = MemoryStore()
    store.append(RECORD)
    store.append({**RECORD, "id": "r2", "created": 86400.0, "cost": None})
    told = await report(store, ["day"])
    assert [(row["group"]["day"], row["usd"]) for row in told["rows"]] == [("1970-01-01", 0.25), ("1970-01-02", None)]
    assert (await report(store, until=86400.0))["total"]["requests"] == 1
    assert (await report(MemoryStore()))["total"]["requests"] == 0


@pytest.mark.anyio
async def test_a_baseline_prices_what_has_a_price_and_a_row_beyond_the_limit_counts_in_the_total():
    store = MemoryStore()
    for number, cost in enumerate((0.25, 0.5, None)):
        store.append({**RECORD, "id": f"r{number}", "model": f"m{number}", "cost": cost})
    price = Price(
        input=1000.0, output=2000.0, cache_read=100.0, tiers=(PriceTier(above=1, input=9.0, output=9.0),), per_request=1.0
    )
    told = await report(store, ["model"], baseline=("a/b", price), limit=1)
    there = (55 * 1000 + 40 * 100 + 5 * 1000 + 10 * 2000) / 1e6 + 1.0
    assert [row["group"]["model"] for row in told["rows"]] == ["m1"]
    assert told["rows"][0]["less_than_baseline_usd"] == pytest.approx(there - 0.5)
    assert (told["total"]["baseline_usd"], told["total"]["unpriced"]) == (pytest.approx(2 * there), 1)
    assert Totals().group == {}

"""Windows by an injected clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from lynkr_policy_budget.windows import RUN_SECONDS, Windows

BERLIN = ZoneInfo("Europe/Berlin")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("per", "name", "since", "until"),
    [
        ("minute", "2026-11-21T10:49Z", "2026-11-21T10:49:00", "2026-11-21T10:50:00"),
        ("hour", "2026-11-21T10:00Z", "2026-11-21T10:00:00", "2026-11-21T11:00:00"),
        ("day", "2026-11-21", "2026-11-21T00:00:00", "2026-11-22T00:00:00"),
        ("week", "2026-W47", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("month", "2026-11", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
    ],
)
def test_windows_turn_in_utc(per, name, since, until):
    windows = Windows(per, UTC)
    found = windows.at(at("2026-11-21T10:49:45"))
    assert found == (name, at(since), at(until))
    assert windows.at(at(until) - 0.001) == found
    after = windows.at(at(until))
    assert (after.since, after.name != name) == (at(until), True)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)])
def test_a_day_is_as_long_as_the_zone_has_it(day, hours):
    windows = Windows("day", BERLIN)
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=BERLIN).timestamp()
    found = windows.at(noon)
    assert (found.name, (found.until - found.since) / 3600) == (day, hours)
    assert windows.at(found.since) == found
    assert windows.at(found.since - 1).until == found.since


def test_the_hour_that_comes_twice_is_two_hours():
    windows = Windows("hour", BERLIN)
    first, second = windows.at(at("2026-10-25T00:30")), windows.at(at("2026-10-25T01:30"))
    assert first.until == second.since
    assert first.name != second.name


def test_half_hours_of_a_zone_count():
    found = Windows("hour", ZoneInfo("Asia/Kolkata")).at(at("2026-11-21T10:45"))
    assert (found.since, found.until) == (at("2026-11-21T10:30"), at("2026-11-21T11:30"))


def test_weeks_and_months_begin_where_the_zone_says():
    monday = Windows("week", BERLIN).at(at("2026-03-29T22:30"))  # Monday 00:30 in Berlin, after the clocks went forward
    assert (monday.name, monday.since) == ("2026-W14", at("2026-03-29T22:00"))
    assert Windows("month", BERLIN).at(at("2026-12-31T23:30")).name == "2027-01"


def test_days_of_another_zone_than_everybodys_are_other_days():
    """Two limits on one thing would count each other's hours where one day has begun and the other has not."""
    now = at("2026-11-22T03:00")
    ours, theirs = Windows("day", UTC).at(now), Windows("day", ZoneInfo("America/New_York"), "America/New_York").at(now)
    assert (ours.name, theirs.name) == ("2026-11-22", "2026-11-21@America~New_York")
    assert Windows("day", UTC, "Europe/Berlin").at(now).name.rsplit("/", 1) == ["2026-11-22@Europe~Berlin"]
    assert Windows("hour", BERLIN, "Europe/Berlin").at(now).name == Windows("hour", UTC).at(now).name


def test_days_of_another_zone_than_everybodys_have_other_names():
    new_york = ZoneInfo("America/New_York")
    assert Windows("day", new_york, "America/New_York").at(at("2026-11-22T03:00")).name == "2026-11-21@America~New_York"
    assert Windows("hour", new_york, "America/New_York").at(at("2026-11-22T03:00")).name == "2026-11-22T03:00Z"


def test_a_total_never_ends_and_each_run_ends_for_itself():
    assert Windows("total", UTC).at(0.0).until == float("inf")
    runs = Windows("run", UTC)
    assert [runs.at(now).until for now in (10.0, 20.0)] == [10.0 + RUN_SECONDS, 20.0 + RUN_SECONDS]

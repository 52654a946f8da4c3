"""What the rows say, of answers such as the live feed gives."""

from __future__ import annotations

from typing import Any

from lynkr_extension_top.board import KEPT, Board, name

ROW: dict[str, Any] = {
    "id": "req_1", "status": "ok", "provider": "cloud", "model": "large", "tier": "medium", "duration": 0.94, "cost": 0.0012,
    "input_tokens": 9000, "output_tokens": 120, "saved_tokens": 300, "key": "ci", "fallback": True, "reason": "tier medium", "error": None,
}  # fmt: skip
TOTAL: dict[str, Any] = {"requests": 10, "errors": 1, "fallbacks": 2, "usd": 0.5, "saved_usd": 0.25, "unpriced": 3}


def board(**told: Any) -> Board:
    made = Board()
    made.take({"anew": True, "finished": [ROW], "totals": [{"tier": "medium", **TOTAL}], **told})
    return made


def test_a_finished_request() -> None:
    assert board().ended() == [("ok *", "cloud/large", "medium", "0.9s", "$0.0012", "9,000", "120", "300", "ci", "tier medium")]


def test_the_newest_is_first_and_a_new_start_forgets() -> None:
    made = board()
    made.take({"anew": False, "finished": [{**ROW, "model": "newer"}], "missed": 4})
    assert [row[1] for row in made.ended()] == ["cloud/newer", "cloud/large"]
    assert "4 not shown" in made.headline()
    made.take({"anew": True, "finished": []})
    assert made.ended() == []
    made.take({"anew": False, "finished": [ROW] * 1000})
    assert len(made.ended()) == KEPT


def test_what_is_unknown_is_no_nought() -> None:
    made = Board()
    made.take({"finished": [{"status": "refused", "model_asked": "gpt", "cost": None, "error": "no budget"}]})
    assert made.ended() == [("refused", "gpt", "-", "?", "?", "?", "?", "?", "-", "no budget")]


def test_the_headline() -> None:
    said = board(sees="own", process={"workers": 4}, open={"total": 2, "rows": []}).headline()
    for part in (
        "2 under way",
        "10 requests",
        "1 failed",
        "$0.5000 spent",
        "$0.2500 saved",
        "3 without a price",
        "your own only",
        "one worker",
    ):
        assert part in said


def test_every_tier_is_there_and_its_share() -> None:
    made = board(tiers=[{"name": "simple"}, {"name": "medium"}], totals=[{"tier": "medium", **TOTAL}, {"tier": None, **TOTAL}])
    assert [row[:3] for row in made.tiers()] == [("simple", "0", "0%"), ("medium", "10", "50%"), ("-", "10", "50%")]


def test_breakers_plugins_and_budgets() -> None:
    made = board(
        left_alone={"cloud/large": {"state": "open", "seconds": 9.2, "reason": "server: 500"}},
        plugins=[{"id": "sink.journal", "off": True}, {"id": "policy.caps", "off": False}],
        budgets=[
            {"subject": "everyone", "per": "day", "unit": "usd", "used": 1.0, "limit": 5.0},
            {"subject": "team:kb", "per": "hour", "unit": "requests", "used": 9, "limit": 10},
            {"subject": "key:x", "per": "day", "unit": "usd", "used": 1, "limit": 0},
        ],
    )
    assert made.breakers() == ["cloud/large: open, 9.2s more, server: 500", "sink.journal: switched off after errors"]
    assert made.budgets() == ["team:kb: 90% of 10 requests a hour", "everyone: 20% of $5.00 a day", "key:x: 0% of $0.0000 a day"]


def test_nothing_moves_the_cursor() -> None:
    assert name("a\x1b[2Jb\nc\u202e") == "a?[2Jb?c?"
    assert len(name("x" * 1000)) == 60


def test_odd_answers_are_no_reason_to_fail() -> None:
    for told in (
        {},
        {"open": None, "totals": None, "left_alone": None, "budgets": None, "tiers": None, "plugins": None, "finished": None},
    ):
        made = Board()
        made.take(told)
        assert made.headline()
        shown = (made.under_way, made.ended, made.tiers, made.breakers, made.budgets)
        assert [rows() for rows in shown] == [[]] * 5

"""Whom a limit is about."""

import pytest

from lynkr_core.exchange import Principal
from lynkr_core.scopes import MAX_VALUE, Scope, label
from lynkr_core.testing import factories

SERVED = factories.candidates()
TIERS = factories.tiers(SERVED)
ADA = Principal(id="ada", key="k1", user="ada@x+y", team="research", agent="scout", principal_class="t2", tags=("eu", "beta"))


def subjects(text, principal=ADA, candidate=SERVED[2], **headers):
    exchange = factories.exchange({"model": "m", "messages": []}, headers={k.replace("_", "-"): v for k, v in headers.items()})
    exchange.principal = principal
    return list(Scope(text, TIERS).subjects(exchange, candidate))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("everyone", ["everyone"]),
        ("team:research", ["team:research"]),
        ("team:other", []),
        ("team:*", ["team:research"]),
        ("team:res*", ["team:res*"]),
        ("class:t2 + key:*", ["class:t2 + key:k1"]),
        ("user:*", ["user:ada@x%2By"]),
        ("tag:*", ["tag:eu", "tag:beta"]),
        ("tag:* + provider:cloud", ["tag:eu + provider:cloud", "tag:beta + provider:cloud"]),
        ("tag:eu + provider:other", []),
        ("model:cloud/*", ["model:cloud/*"]),
        ("model:*", ["model:cloud/large"]),
        ("model:large", ["model:large"]),
        ("model:l*", ["model:l*"]),
        ("tier:complex", ["tier:complex"]),
        ("session:*", []),
    ],
)
def test_scopes(text, found):
    assert subjects(text) == found


def test_who_has_no_name_is_in_no_scope_of_names():
    assert [subjects(text, Principal()) for text in ("key:*", "team:*", "team:a", "tag:x*", "everyone")] == [
        [],
        [],
        [],
        [],
        ["everyone"],
    ]


def test_sessions_belong_to_their_callers():
    assert subjects("session:*", x_lynkr_session="7") == ["session:ada/7"]
    assert subjects("session:*", Principal(), x_lynkr_session="7") == ["session:anonymous/7"]


def test_what_is_served_is_unknown_before_there_is_a_candidate():
    assert subjects("model:*", candidate=None) == subjects("tier:*", candidate=None) == []
    assert [Scope(text, TIERS).of_caller for text in ("team:* + session:*", "team:* + tier:simple")] == [True, False]


def test_names_are_told_apart_however_long_they_are():
    long = "x" * 10_000
    assert label("user", long) != label("user", long + "y")
    assert len(label("user", long)) < 2 * MAX_VALUE
    assert label("user", "a + team:b") == "user:a %2B team:b"
    assert label("team", "res*") != "team:res*"


@pytest.mark.parametrize("text", ["", "team", "team:", "planet:mars", "everyone + team:a"])
def test_what_is_no_scope(text):
    with pytest.raises(ValueError, match="is no scope"):
        Scope(text, TIERS)

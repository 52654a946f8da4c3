from __future__ import annotations

import random
import uuid
from collections import Counter
from typing import Any

import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError
from lynkr_core.exchange import Principal
from lynkr_core.kernel import Kernel
from lynkr_core.testing import factories
from lynkr_core.testing.client import Client
from lynkr_selector_ab import Split, plugin

LOCAL, SMALL, LARGE, DEEP = ALL = factories.candidates()
HALVES = [{"name": "a", "share": 50, "to": "cloud/small"}, {"name": "b", "share": 50, "to": "other"}]
PATTERNS = ["{}", "user-{}", "user_{:05d}", "u{}@example.com", "tenant-7/{}", "имя{}"]


def ids(pattern: str, count: int = 10_000) -> list[str]:
    return [pattern.format(number) for number in range(count)]


def select(
    user: str | None = "ann", variants: Any = HALVES, candidates: Any = ALL, name: str = "ab", body: Any = (), **table: Any
):
    made = factories.exchange({"model": "auto", "messages": [], **dict(body)}, served=candidates)
    made.principal = Principal(user=user)
    context = factories.context(name, "selector", tiers=factories.tiers(ALL))
    return factories.build(plugin, {"variant": variants, **table}, context).select_provider(made, candidates)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("shares", [(50, 50), (90, 10), (1, 1, 1), (99, 1), (0.5, 0.3, 0.2)])
@pytest.mark.parametrize("name", ["ab", "sonnet-test", "x"])
def test_ten_thousand_numbered_users_split_exactly(pattern, shares, name):
    counts = Counter(map(Split(name, shares).of, ids(pattern)))
    for index, share in enumerate(shares):
        assert counts[index] / 10_000 == pytest.approx(share / sum(shares), abs=0.005)


@pytest.mark.parametrize("seed", range(8))
def test_ten_thousand_users_of_any_name_split_as_by_chance(seed):
    chance = random.Random(seed)
    names = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(10_000)]
    counts = Counter(map(Split("ab", (50, 50)).of, names))
    assert counts[0] == pytest.approx(5000, abs=200)  # four standard deviations; a percent is two


def test_it_is_the_same_in_every_process_and_forever():
    assert [Split("ab", (1, 1)).of(f"user-{n}") for n in range(12)] == [Split("ab", (1, 1)).of(f"user-{n}") for n in range(12)]
    assert "".join(str(Split("ab", (1, 1)).of(id)) for id in ("ann", "bob", "user-1", "user-2", "42", "ю")) == "011111"


def test_experiments_have_nothing_to_do_with_each_other():
    first, second = Split("one", (1, 1)), Split("two", (1, 1))
    both = Counter((first.of(id), second.of(id)) for id in ids("user-{}"))
    assert all(count == pytest.approx(2500, abs=200) for count in both.values())


def test_a_larger_share_keeps_who_has_it():
    before, after = Split("ab", (10, 90)), Split("ab", (20, 80))
    assert all(after.of(id) == 0 for id in ids("user-{}") if before.of(id) == 0)


def test_the_variant_leads_and_is_told():
    found = select("ann")
    other = {"a": SMALL, "b": DEEP}[found.notes["variant"]]
    assert found.order[0] is other
    assert found.reason == f"ab: {found.notes['variant']}"
    assert set(found.order) == set(ALL)


def test_a_variant_without_models_lets_the_others_decide():
    found = select(variants=[{"name": "old", "share": 1}, {"name": "new", "share": 1e-9, "to": "other"}])
    assert (found.order, found.peers, found.notes) == (ALL, len(ALL), {"variant": "old", "propensity": "1.000"})


def test_each_variant_tells_how_likely_it_was():
    """Also the one that lets the others decide: policies are compared with it."""
    told = {select(f"u{n}", variants=[{"name": "old", "share": 9}, {"name": "new", "share": 1, "to": "other"}]).notes["variant"]:
            select(f"u{n}", variants=[{"name": "old", "share": 9}, {"name": "new", "share": 1, "to": "other"}]).notes["propensity"]
            for n in range(50)}  # fmt: skip
    assert told == {"old": "0.900", "new": "0.100"}


def test_a_variant_that_cannot_serve_is_not_told():
    only = [{"name": "a", "share": 1, "to": "other"}, {"name": "b", "share": 1, "to": "other/deep"}]
    assert select(variants=only, candidates=(LOCAL, SMALL)) is None
    assert select(candidates=(SMALL,)) is None


def test_who_somebody_is():
    body = {"user": "u-1"}
    named = select(None, body=body).notes
    assert all(select(None, body=body).notes == named for _ in range(5))
    assert {select(None).notes["variant"] for _ in range(50)} == {"a", "b"}  # nobody in particular: each request for itself
    assert {select("ann", by="request").notes["variant"] for _ in range(50)} == {"a", "b"}


def test_instances_are_experiments_of_their_own():
    assert list(select(name="Second").notes) == ["variant-second", "propensity"]
    assert {select(f"u{n}").notes["variant"] == select(f"u{n}", name="x").notes["variant-x"] for n in range(30)} == {True, False}


@pytest.mark.parametrize(
    ("table", "mistake"),
    [({}, "is required"), ({"variant": HALVES[:1]}, "length >= 2"), ({"variant": [HALVES[0], HALVES[0]]}, "named twice: a"),
     ({"variant": [{"name": "a b", "share": 1}, HALVES[1]]}, "matching regex"),
     ({"variant": [{"name": "старый", "share": 1}, HALVES[1]]}, "matching regex"),
     ({"variant": [{"name": "a", "share": 0}, HALVES[1]]}, "> 0")],
)  # fmt: skip
def test_mistakes_are_named(table, mistake):
    with pytest.raises(ConfigError, match=mistake):
        factories.build(plugin, table, factories.context())


TOML = """
[provider.one]
use = "echo"
[provider.two]
use = "echo"
[models]
both = ["one/echo", "two/echo"]
[store.sqlite]
path = "{path}"
[sink.journal]
[selector.ab]
variant = [{{ name = "a", share = 1, to = "one" }}, {{ name = "b", share = 1, to = "two" }}]
"""


@pytest.mark.anyio
async def test_the_variant_is_in_the_header_and_in_the_journal(tmp_path):
    kernel = Kernel.from_config(parse(TOML.format(path=tmp_path / "journal.db"), {}), {})
    async with Client(Application(kernel)) as client:
        for user in ("ann", "bob"):
            body = {"model": "both", "user": user, "messages": [{"role": "user", "content": "hi"}]}
            answer = await client.post("/v1/chat/completions", json=body)
            variant = answer.headers["x-lynkr-variant"]
            assert answer.headers["x-lynkr-provider"] == {"a": "one", "b": "two"}[variant]
            told = (await client.get(f"/v1/decisions/{answer.headers['x-lynkr-request-id']}")).json()
            assert told["propensity"] == 0.5
            assert told["notes"] == {"variant": variant, "propensity": "0.500"}

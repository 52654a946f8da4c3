"""The suite for caches passes for a good one and fails for those that hand out what they must not."""

import pytest

CACHE = """
from lynkr_core.errors import UpstreamError
from lynkr_core.exchange import Key, Reply
from lynkr_core.testing.contracts.cache import CacheContract

KEY = Key("good.key")

class Good:
    def __init__(self):
        self.kept = {}

    def pre_route(self, exchange):
        wished = exchange.header(b"x-lynkr-cache") + exchange.header(b"cache-control")
        if exchange.dry_run or "no-store" in wished:
            return None
        who = (exchange.principal.id, exchange.header(b"authorization"), exchange.header(b"x-api-key"))
        key = (who, exchange.dialect.name, exchange.header(b"x-lynkr-tier"), exchange.body)
        if key in self.kept:
            headers = ((b"content-type", exchange.dialect.content_type if exchange.envelope.stream else b"application/json"),)
            return Reply(body=self.kept[key], headers=headers, cache="hit")
        exchange.cache = "miss"
        pieces = []
        exchange.tap(pieces.append)
        exchange.set(KEY, (key, pieces))

    def post_response(self, exchange, outcome):
        found = exchange.get(KEY)
        if found and outcome.status == "ok" and self.whole(exchange, b"".join(found[1])):
            self.kept[found[0]] = b"".join(found[1])

    def whole(self, exchange, body):
        return b'"stop"' in body or b'"end_turn"' in body or b'"completed"' in body and b"You" not in body

class TestGood(CacheContract):
    plugin = plugin_of(Good)
"""
EXPECTED = {"test_an_answer_comes_in_the_manner_that_is_asked", "test_answers_that_are_not_good_are_not_kept"}
"""A cache of bytes can keep neither: it knows one manner, and no empty answer."""


def test_a_good_cache_passes(run_suite):
    assert run_suite(CACHE).failed == EXPECTED


@pytest.mark.parametrize(
    ("good", "bad", "test"),
    [
        ("who = (", "who = () and (", "test_other_callers_get_nothing"),
        ("exchange.body)\n", "exchange.request.messages)\n", "test_other_parameters_get_nothing"),
        ("exchange.set(KEY", "self.kept[key] = b'{}'; exchange.set(KEY", "test_an_answer_whose_caller_has_left_is_not_kept"),
    ],
)  # fmt: skip
def test_a_bad_cache_fails(run_suite, good, bad, test):
    assert good in CACHE
    failed = run_suite(CACHE.replace(good, bad)).failed
    assert test in failed, failed

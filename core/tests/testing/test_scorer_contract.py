"""The scorer suite passes for a good scorer and fails for each way of being a bad one."""

import pytest

GOOD = """
from lynkr_core.testing.contracts.scorer import ScorerContract

class Good:
    def score(self, exchange, candidates):
        return Score(value=min(len(exchange.body) / 100, 100), reason="by size")

class TestGood(ScorerContract):
    plugin = plugin_of(Good)
    dialects = ("anthropic.messages",)
"""
METHOD = 'return Score(value=min(len(exchange.body) / 100, 100), reason="by size")'


def test_a_good_scorer_passes(run_suite):
    assert set(run_suite(GOOD).results.values()) == {"passed"}


def test_a_number_an_async_scorer_and_fewer_arguments_pass_too(run_suite):
    source = GOOD.replace("def score(self, exchange, candidates)", "async def score(self, exchange)").replace(METHOD, "return 50")
    assert set(run_suite(source).results.values()) == {"passed"}


@pytest.mark.parametrize(
    ("body", "test"),
    [
        ("return 101", "test_every_score_is_a_number_from_0_to_100"),
        ("return -0.1", "test_every_score_is_a_number_from_0_to_100"),
        ("return float('nan')", "test_every_score_is_a_number_from_0_to_100"),
        ("return 'high'", "test_every_score_is_a_number_from_0_to_100"),
        ("return True", "test_every_score_is_a_number_from_0_to_100"),
        ("return Score(value=1, candidate='no/such')", "test_every_score_is_a_number_from_0_to_100"),
        ("return exchange.request.messages[0].text and 1", "test_every_score_is_a_number_from_0_to_100"),
        ("return random.random()", "test_the_same_request_has_the_same_score"),
        ("socket.socket().close(); return 1", "test_scoring_does_no_io"),
        ("exchange.tier = 'complex'; return 1", "test_the_exchange_stays_as_it_was"),
        ("exchange.losses.append('x'); return 1", "test_the_exchange_stays_as_it_was"),
        ("return 100 / len(candidates)", "test_no_candidates_are_no_reason_to_fail"),
    ],
)
def test_a_bad_scorer_fails(run_suite, body, test):
    assert test in run_suite(GOOD.replace(METHOD, body), test).failed


def test_io_in_a_thread_whose_error_is_swallowed_is_seen(run_suite):
    body = "import threading; t = threading.Thread(target=quietly); t.start(); t.join(); return 1"
    quietly = "def quietly():\n    try:\n        socket.socket().close()\n    except OSError:\n        pass\n"
    assert run_suite(quietly + GOOD.replace(METHOD, body)).failed == {"test_scoring_does_no_io"}


def test_a_scorer_without_its_hook_fails(run_suite):
    assert (
        "test_its_hooks_have_the_right_parameters"
        in run_suite(GOOD.replace("def score", "def scores"), "test_its_hooks_have_the_right_parameters").failed
    )


def test_a_hook_with_a_default_fails(run_suite):
    assert (
        "test_its_hooks_have_the_right_parameters"
        in run_suite(GOOD.replace("candidates)", "candidates=())"), "test_its_hooks_have_the_right_parameters").failed
    )

"""The suites for selectors, sinks and stores pass for a good plugin and fail for bad ones."""

import pytest

SELECTOR = """
from lynkr_core.testing.contracts.selector import SelectorContract

class Good:
    def __init__(self, config, context):
        self.tiers = context.tiers

    def select_provider(self, exchange, candidates, scores):
        if exchange.route != "auto":
            return None
        tier = self.tiers.of(exchange.score or 0)
        wanted = [candidate for candidate in self.tiers.candidates(tier) if candidate in candidates]
        left = [Removal(candidate.id, f"not of tier {tier}") for candidate in candidates if candidate not in wanted]
        return Selection(order=tuple(wanted), tier=tier, removed=tuple(left))

class TestGood(SelectorContract):
    plugin = plugin_of(Good)
    dialect = "anthropic.messages"
"""
BODY = "return Selection(order=tuple(wanted), tier=tier, removed=tuple(left))"


def test_a_good_selector_passes(run_suite):
    assert set(run_suite(SELECTOR).results.values()) == {"passed"}


@pytest.mark.parametrize(
    "body",
    [
        "return Selection(order=tuple(wanted), tier=tier)",
        "return Selection(order=(*candidates, *candidates[:1]))",
        "return Selection(order=tuple(wanted), removed=tuple(Removal(r.candidate, '') for r in left))",
        "return Selection(order=self.tiers.fallbacks('simple'))",
        "return Selection(order=tuple(candidates), removed=tuple(left))",
        "return list(candidates)",
        "return Selection(order=tuple(candidates), removed=(Removal('no/such', 'why'),))",
    ],
)
def test_a_bad_selection_fails(run_suite, body):
    failed = run_suite(SELECTOR.replace(BODY, body)).failed
    assert failed & {"test_a_selection_orders_what_it_was_given", "test_a_single_candidate_is_kept_or_removed_with_a_reason"}


def test_a_selector_that_fails_without_candidates_fails(run_suite):
    source = SELECTOR.replace(BODY, "return Selection(order=(candidates[0], *candidates[1:]))")
    assert run_suite(source).failed == {"test_no_candidates_are_no_reason_to_fail"}


def test_a_selector_by_chance_fails_unless_it_says_so(run_suite):
    source = SELECTOR.replace(BODY, "return Selection(order=tuple(random.sample(candidates, len(candidates))))")
    assert run_suite(source).failed == {"test_equal_input_gives_an_equal_selection"}
    recorder = run_suite(source + "    deterministic = False\n")
    assert (recorder.failed, recorder.results["test_equal_input_gives_an_equal_selection"]) == (set(), "skipped")


def test_a_selector_that_overrules_the_caller_fails(run_suite):
    source = SELECTOR.replace("return None", "return Selection(order=(), removed=(Removal(candidates[0].id, 'dear'),))")
    assert run_suite(source).failed == {"test_explicit_routes_are_left_alone_or_ordered"}


SINK = """
from lynkr_core.testing.contracts.sink import SinkContract

class Config(Struct, forbid_unknown_fields=True):
    path: str

class Good:
    def __init__(self, config):
        self.path = config.path

    async def post_response(self, exchange, outcome):
        with open(self.path, "a") as file:
            file.write(f"{exchange.id} {outcome.status}\\n")

class TestGood(SinkContract):
    plugin = plugin_of(Good, Config)
    dialect = "anthropic.messages"

    def make_table(self, directory):
        return {"path": str(directory / "log")}
"""
WRITE = 'file.write(f"{exchange.id} {outcome.status}\\n")'


def test_a_good_sink_passes(run_suite):
    assert set(run_suite(SINK).results.values()) == {"passed"}


@pytest.mark.parametrize(
    ("body", "test"),
    [
        ("file.write(str(exchange.headers))", "test_nothing_secret_comes_out"),
        ("file.write(exchange.body.decode())", "test_nothing_secret_comes_out"),
        ("print(exchange.headers)", "test_nothing_secret_comes_out"),
        ("__import__('logging').getLogger('x').debug('%s', exchange.body)", "test_nothing_secret_comes_out"),
        ("time.sleep(0.08)", "test_the_loop_is_not_held_up"),
        ("file.write(str(outcome.usage.input_tokens))", "test_every_outcome_is_taken"),
        ("file.write(outcome.candidate.id)", "test_every_outcome_is_taken"),
        ("file.write(exchange.envelope.model)", "test_an_exchange_refused_before_it_was_peeked_at_is_taken"),
    ],
)
def test_a_bad_sink_fails(run_suite, body, test):
    assert test in run_suite(SINK.replace(WRITE, body), test).failed


def test_a_sink_that_says_so_may_keep_text_but_no_key(run_suite):
    source = SINK.replace(WRITE, "file.write(exchange.body.decode())") + "    records_text = True\n"
    assert run_suite(source).failed == set()
    assert run_suite(source.replace("exchange.body.decode()", "str(exchange.headers)")).failed == {
        "test_nothing_secret_comes_out"
    }


STORE = """
from lynkr_core.stores import MemoryStore
from lynkr_core.testing.contracts.store import StoreContract

class Good(MemoryStore):
    def __init__(self):
        super().__init__(2000)

class TestGood(StoreContract):
    plugin = plugin_of(Good)
    durable = False
"""


def test_the_store_in_memory_passes(run_suite):
    assert set(run_suite(STORE).results.values()) <= {"passed", "skipped"}


@pytest.mark.parametrize(
    ("method", "test"),
    [
        ("async def find(self, id): return None", "test_an_appended_record_is_found_at_once"),
        ("async def find(self, id): return self._records[id]", "test_an_unknown_id_is_none"),
        (
            "async def query(self, *, since=0.0, limit=100): return list(self._records.values())[:limit]",
            "test_a_query_gives_the_newest_first",
        ),
        (
            "async def query(self, *, since=0.0, limit=100): return list(reversed(self._records.values()))",
            "test_a_query_gives_no_more_than_its_limit",
        ),
        (
            "def append(self, record): super().append({**record, 'text': record['text'].encode('ascii', 'ignore').decode()})",
            "test_an_appended_record_is_found_at_once",
        ),
        ("flush = None", "test_a_thousand_records_are_all_there_after_a_flush"),
        ("def append(self, record): time.sleep(0.002); super().append(record)", "test_appending_does_not_hold_the_loop_up"),
        ("async def get(self, key): return self._values[key][0]", "test_an_unknown_key_has_no_value"),
        ("async def set(self, key, value, ttl): await super().set(key, value, 9)", "test_a_value_is_gone_when_its_time_is_over"),
        ("async def delete(self, key): self._values.pop(key)", "test_a_value_is_replaced_and_deleted"),
        ("get = None", "test_a_value_is_read_as_it_was_set"),
        ("async def scan(self, prefix, limit=1000): return {}", "test_values_are_listed_by_the_beginning_of_their_keys"),
    ],
)
def test_a_bad_store_fails(run_suite, method, test):
    assert test in run_suite(STORE.replace("(2000)\n", f"(2000)\n\n    {method}\n"), test).failed


def test_a_store_that_forgets_must_say_so(run_suite):
    failed = {"test_a_new_instance_finds_what_was_written", "test_another_instance_reads_what_was_set"}
    assert run_suite(STORE.replace("False", "True")).failed == failed


LEDGER = """
from lynkr_core.stores import Full, MemoryStore
from lynkr_core.testing.contracts.ledger import LedgerContract

class Good(MemoryStore):
    pass

class TestGood(LedgerContract):
    plugin = plugin_of(Good)
    shared = False
    examples = 4
"""


def test_the_ledger_in_memory_passes(run_suite):
    assert set(run_suite(LEDGER).results.values()) <= {"passed", "skipped"}


@pytest.mark.parametrize(
    ("method", "test"),
    [
        ("async def hold(self, id, holds, lease): return None", "test_a_limit_may_be_reached_and_not_passed"),
        (
            "async def hold(self, id, holds, lease):\n"
            "        for n, hold in enumerate(holds):\n"
            "            if full := self.counters.hold(f'{id}{n}', [hold], lease): return full",
            "test_all_or_none_is_held",
        ),
        (
            "async def book(self, id, amounts):\n"
            "        if (held := self.counters._holding.get(id)) is None: return False\n"
            "        self.counters._holding[id + '?'] = held\n"
            "        return self.counters.book(id + '?', amounts)",
            "test_it_is_booked_once",
        ),
        ("async def hold(self, id, holds, lease): return self.counters.hold(id, holds, 1e9)",
         "test_a_lease_that_is_over_gives_back_and_is_booked_all_the_same"),
        ("async def extend(self, id, lease): return True", "test_a_lease_can_be_made_longer"),
        ("async def give(self, buckets): pass", "test_what_was_not_needed_is_put_back_and_what_was_is_taken"),
        ("async def take(self, buckets): return self.counters.take(buckets[:1])", "test_all_buckets_give_or_none"),
        ("take = None", "test_a_bucket_fills_again"),
    ],
)  # fmt: skip
def test_a_bad_ledger_fails(run_suite, method, test):
    assert test in run_suite(LEDGER.replace("    pass\n", f"    {method}\n"), test).failed


POLICY = """
from lynkr_core.testing.contracts.policy import PolicyContract
from lynkr_core.errors import Unavailable
from lynkr_core.exchange import Key, Reject, Reservation

INSIDE = Key("inside")

class Good:
    def __init__(self):
        self.active = 0

    def pre_route(self, exchange):
        if exchange.dry_run:
            return None
        if self.active >= 9:
            return Reject(Unavailable("busy"))
        self.active += 1
        exchange.set(INSIDE, True)

    def reserve(self, exchange, candidate):
        return Reservation(data=candidate)

    def settle(self, reservation, outcome):
        assert reservation.data is outcome.candidate

    def post_response(self, exchange):
        self.active -= bool(exchange.get(INSIDE))

    def status(self):
        return {"active": self.active}

class TestGood(PolicyContract):
    plugin = plugin_of(Good)
"""


def test_a_good_policy_passes(run_suite):
    assert set(run_suite(POLICY).results.values()) == {"passed"}


@pytest.mark.parametrize(
    ("good", "bad", "test"),
    [
        ("self.active -= bool(exchange.get(INSIDE))", "pass", "test_what_is_reserved_is_given_back"),
        ("if exchange.dry_run:", "if False:", "test_a_dry_run_takes_nothing"),
        ("return Reservation(data=candidate)", "return candidate", "test_its_answers_are_those_of_its_hooks"),
        (
            "assert reservation.data is outcome.candidate",
            'assert outcome.status == "ok"',
            "test_failures_of_every_status_are_taken",
        ),
        ('{"active": self.active}', '{"active": self}', "test_its_status_may_be_read_by_anybody"),
    ],
)
def test_a_bad_policy_fails(run_suite, good, bad, test):
    assert test in run_suite(POLICY.replace(good, bad), test).failed

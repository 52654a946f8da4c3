"""What all suites have in common: api, settings, and standard tests that cannot be taken away in silence."""

import pytest

META = "test_no_standard_test_was_removed_or_overridden"
SUITE = """
from lynkr_core.testing.contracts.base import Contract

class Config(Struct, forbid_unknown_fields=True):
    size: int = 3

class Thing:
    def __init__(self, config):
        self.size = config.size

class TestThing(Contract):
    kind = "extension"
    plugin = plugin_of(Thing, Config)
    table: ClassVar = {"size": 4}
"""


def test_a_plain_plugin_passes(run_suite):
    assert set(run_suite(SUITE).results.values()) == {"passed"}


@pytest.mark.parametrize(
    ("good", "bad", "test"),
    [
        ("Thing, Config)", "Thing, Config, api=2)", "test_it_was_written_for_this_api"),
        ("forbid_unknown_fields=True", "kw_only=True", "test_its_settings_are_a_struct_without_surprises"),
        ('{"size": 4}', '{"size": "4"}', "test_its_settings_are_a_struct_without_surprises"),
        ("plugin_of(Thing, Config)", "plugin_of(lambda: math, Config)", "test_two_instances_share_nothing"),
    ],
)
def test_a_plugin_that_is_not_one_fails(run_suite, good, bad, test):
    assert test in run_suite(SUITE.replace(good, bad), test).failed


@pytest.mark.parametrize(
    "line",
    [
        "    test_it_was_written_for_this_api = None\n",
        "    def test_it_was_written_for_this_api(self): pass\n",
        "    @pytest.mark.skip\n    def test_it_was_written_for_this_api(self): pass\n",
        '    @pytest.mark.xfail(reason="", strict=True)\n    def test_it_was_written_for_this_api(self): assert 0\n',
        '    @pytest.mark.xfail(reason="old", strict=False)\n    def test_it_was_written_for_this_api(self): assert 0\n',
    ],
)
def test_a_standard_test_cannot_be_taken_away_in_silence(run_suite, line):
    recorder = run_suite(SUITE + line)
    assert recorder.failed == {META}
    assert "test_it_was_written_for_this_api" in recorder.messages[META]


def test_an_exception_with_a_reason_is_accepted(run_suite):
    line = '    @pytest.mark.xfail(reason="says 2", strict=True)\n    def test_it_was_written_for_this_api(self): assert 0\n'
    recorder = run_suite(SUITE + line)
    assert (recorder.failed, recorder.results["test_it_was_written_for_this_api"]) == (set(), "xfailed")


def test_a_base_class_in_between_does_not_hide_it(run_suite):
    source = SUITE.replace("TestThing(Contract)", "Between(Contract)") + "    def test_it_was_written_for_this_api(self): pass\n"
    assert run_suite(source + "\nclass TestThing(Between):\n    pass\n").failed == {META}


def test_the_guard_itself_cannot_be_overridden(run_suite):
    with pytest.raises(AssertionError, match="no test ran"):
        run_suite(f"{SUITE}    def {META}(self): pass\n")


def test_a_test_of_ones_own_may_be_added(run_suite):
    assert run_suite(SUITE + "    def test_mine(self): pass\n").results["test_mine"] == "passed"

"""Runs a suite the way a plugin's author does: a test file of its own, pytest on it."""

import itertools
import textwrap
from contextlib import contextmanager

import pytest
from hypothesis import Phase, settings

numbers = itertools.count()
HEAD = """
from typing import ClassVar
import math, random, socket, time
import pytest
from msgspec import Struct
from lynkr_core.exchange import Removal, Score, Selection
from lynkr_core.plugins import NoConfig, Plugin

def plugin_of(create, config=NoConfig, api=1):
    return Plugin(api=api, config=config, create=create)
"""


settings.register_profile("unshrunk", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])


@contextmanager
def unshrunk():
    """Whoever breaks a suite on purpose needs no small example."""
    before = settings.get_current_profile_name()
    settings.load_profile("unshrunk")
    try:
        yield
    finally:
        settings.load_profile(before)


class Recorder:
    """What became of each test: passed, failed, skipped or xfailed, by its name without parameters."""

    def __init__(self):
        self.results, self.messages = {}, {}

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.rpartition("::")[2].partition("[")[0]
        outcome = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
        if report.when == "call" or report.outcome != "passed":
            if self.results.get(name) != "failed":
                self.results[name] = outcome
            self.messages[name] = str(report.longrepr)

    @property
    def failed(self):
        return {name for name, result in self.results.items() if result == "failed"}


@pytest.fixture
def run_suite(tmp_path, monkeypatch):
    """`run_suite(source, only)` writes the source to a file of its own, runs it, or that test of it, and gives a `Recorder`."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "")

    def run(source, only=""):
        file = tmp_path / f"test_{next(numbers)}.py"  # a new name each time: pytest keeps imported modules
        file.write_text(HEAD + textwrap.dedent(source))
        recorder = Recorder()
        options = ["-q", "--no-header", "-p", "no:cacheprovider", "--capture=no", "-W", "error", "--import-mode=importlib"]
        options += [f"--rootdir={tmp_path}", "-c", "/dev/null", f"--basetemp={tmp_path / 'base'}", "-k", only]
        with unshrunk():
            pytest.main([*options, str(file)], [recorder])
        assert recorder.results, "no test ran"
        return recorder

    return run

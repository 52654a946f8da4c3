"""What `lynkr serve` imports before it listens: its start is as short as that list, and says more than a stopwatch."""

import inspect
import subprocess
import sys
import typing

import pytest

from lynkr_core.cli.options import OPTIONS, plain
from lynkr_core.cli.serving import serve, up

UNNEEDED = {
    *("cyclopts", "rich", "attrs", "starlette", "uvicorn", "click", "anyio", "httpx2", "watchfiles"),
    *("pytest", "hypothesis", "pydantic", "yaml"),
}
CONFIG = """
[server]
list_models = false
port = 0
[provider.up]
use = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
[tiers]
simple = ["up/m"]
[scorer.heuristic]
[selector.tiers]
"""
SERVE = """
import os, sys
from lynkr_core import cli
from lynkr_core.cli import serving

def listens(*_):
    print(*sys.modules, flush=True)
    os._exit(0)

serving.greet = listens
cli.main()
"""


@pytest.mark.parametrize("command", ["serve", "up"])
def test_what_is_not_needed_to_listen_is_not_imported(tmp_path, command):
    (tmp_path / "lynkr.toml").write_text(CONFIG)
    line = [sys.executable, "-c", SERVE, command, "--config", "lynkr.toml", "--host=127.0.0.1"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    names = set(done.stdout.split())
    packages = {name.partition(".")[0] for name in names}
    assert {"lynkr_core.kernel", "httptools"} <= names
    assert packages & UNNEEDED == set()
    ours = {name for name in packages if name.startswith("lynkr_")}
    assert ours == {"lynkr_core", "lynkr_provider_openai_compatible", "lynkr_scorer_heuristic", "lynkr_selector_tiers"}
    apart = ("lynkr_core.testing", "lynkr_core.oauth", "lynkr_core.cli.canary", "lynkr_core.cli.setup", "lynkr_core.cli.workers")
    assert [name for name in names if name.startswith(apart)] == []


@pytest.mark.parametrize("command", [serve, up])
def test_plain_options_are_those_of_the_commands(command):
    hints = typing.get_type_hints(command)
    known = {name: next(kind for kind in (typing.get_args(hints[name]) or (hints[name],))) for name in OPTIONS}
    assert known == OPTIONS
    assert set(OPTIONS) <= set(inspect.signature(command).parameters)


def test_options_are_read_in_both_spellings():
    file = OPTIONS["config"]("a.toml")
    assert plain([]) == {}
    assert plain(["--config", "a.toml", "--port=0", "--host", "::1"]) == {"config": file, "port": 0, "host": "::1"}


@pytest.mark.parametrize(
    "words",
    [["--help"], ["-h"], ["--prot", "1"], ["--port", "x"], ["--port", "-1"], ["--port"], ["--port", "1", "--port", "2"], ["serve"],
     ["--host", "--port", "1"], ["--host="], ["--canary", "b.toml"], ["--port", "²"], ["--workers", "0x2"], ["--", "--port", "1"]],
)  # fmt: skip
def test_whatever_else_there_is_is_left_to_the_command_line(words):
    assert plain(words) is None

"""What is logged as JSON: every line of standard error, each with the request that it is about."""

import json
import logging
import sys
import time

from lynkr_core.cli.logs import JsonLines
from lynkr_core.remarks import CURRENT
from lynkr_core.testing.process import ask, gateway
from lynkr_core.testing.waiting import PATIENCE

FAILING = """
from lynkr_core import Plugin
from lynkr_core.plugins import NoConfig

class Failing:
    def score(self, exchange):
        raise ValueError("it fails")

plugin = Plugin(api=1, config=NoConfig, create=Failing)
"""
CONFIG = '[server]\nlog = "json"\nlist_models = false\n[provider.echo]\n[scorer.failing]\n'
QUESTION = {"model": "auto", "messages": [{"role": "user", "content": "planted-prompt"}]}
SECRET = "sk-planted-02ab"


def installed(folder):
    """A folder for PYTHONPATH that has the plugin."""
    site = folder / "site/lynkr_scorer_failing-0.1.0.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: lynkr-scorer-failing\nVersion: 0.1.0\n")
    (site / "entry_points.txt").write_text("[lynkr.scorer]\nfailing = lynkr_scorer_failing:plugin\n")
    (folder / "site/lynkr_scorer_failing.py").write_text(FAILING)
    return {"PYTHONPATH": str(folder / "site")}


def logged(served):
    """The lines that are no greeting."""
    lines = served.said.splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


def test_a_line_of_a_request_has_its_id(tmp_path):
    (tmp_path / "lynkr.toml").write_text(CONFIG)
    with gateway(cwd=tmp_path, env=installed(tmp_path)) as served:
        answer = ask(f"{served.url}/v1/chat/completions", QUESTION, authorization=f"Bearer {SECRET}")
        id = answer.headers["x-lynkr-request-id"]
        (tmp_path / "lynkr.toml").write_text("[nonsense]\n")
        end = time.monotonic() + PATIENCE
        while len(logged(served)) < 2:
            assert time.monotonic() < end, served.said
            time.sleep(0.02)
    failed, refused = logged(served)[:2]
    assert (failed["request"], failed["level"], failed["logger"]) == (id, "ERROR", "lynkr.hooks")
    assert failed["message"] == "plugin scorer.failing failed in score: ValueError: it fails"
    assert failed["time"].endswith("Z")
    assert "request" not in refused
    assert "unknown section" in refused["message"]
    assert [line for line in served.said.splitlines() if not line.startswith(("{", "lynkr serves", "  "))] == []
    assert SECRET not in served.said
    assert "planted-prompt" not in served.said


def test_whatever_is_in_a_line_it_stays_one():
    try:
        raise ValueError("two\nlines \ud800")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "", 0, 'say "%s"\n', ("x\ny",), sys.exc_info())
    token = CURRENT.set("req_1")
    line = JsonLines().format(record)
    CURRENT.reset(token)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["message"], told["request"]) == ('say "x\ny"\n', "req_1")
    assert "ValueError: two" in told["trace"]

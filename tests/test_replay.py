"""What another configuration would have done, told from the journal of a gateway that has served."""

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest

from lynkr_core.cli.replaying import replay as command
from lynkr_core.cli.replaying import replayed
from lynkr_core.errors import ConfigError, LynkrError
from lynkr_core.testing.process import ask, gateway, lynkr

TEXTS = "[sink.journal]\ntexts = true\n"
SCORED = '[scorer.heuristic]\n[selector.tiers]\n[tiers]\nsimple = ["echo/small"]\ncomplex = ["echo/large"]\n'
BASE = """
[server]
list_models = false
[provider.echo]
models = ["small", "large"]
[models]
mine = ["echo/large"]
[prices]
"echo/small" = { input = 1, output = 2 }
"echo/large" = { input = 100, output = 200 }
[store.sqlite]
path = "journal.db"
"""
EASY = "What is the capital of France?"
HARD = (
    "Prove that every finite group of order p^2 is abelian, then design a distributed consensus algorithm with a formal proof of "
    "safety and liveness under partial synchrony, and analyse its complexity step by step."
)
ASKED = [("auto", EASY)] * 3 + [("auto", HARD)] * 2 + [("mine", EASY), ("echo/small", "x" * 2000), ("nobody/has", EASY)]


def recorded(found, sink):
    """A folder with the journal of a gateway that has ended."""
    (found / "lynkr.toml").write_text(BASE + SCORED + sink)
    with gateway(cwd=found) as served:
        for model, text in ASKED:
            question = {"model": model, "messages": [{"role": "user", "content": text}]}
            ask(f"{served.url}/v1/chat/completions", question, x_lynkr_task="t")
        assert served.stop() == 0
    return found


@pytest.fixture(scope="module")
def with_texts(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("texts"), TEXTS)


@pytest.fixture(scope="module")
def without_texts(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("none"), "[sink.journal]\n")


@pytest.fixture
def folder(with_texts, monkeypatch):
    monkeypatch.chdir(with_texts)
    return with_texts


def apart(function, *args):
    """In a thread, which may have a loop of its own: this one may belong to tests of the same session."""
    with ThreadPoolExecutor(1) as one:
        return one.submit(function, *args).result()


def replay(config, limit=1000, since=0.0):
    """In this process, where the plugins are imported once."""
    Path("other.toml").write_text(config)
    return apart(anyio.run, replayed, Path("other.toml"), (since, math.inf), Path("lynkr.toml"), limit)


def total(rows, before, after):
    return sum(row["requests"] for row in rows if (row["before"], row["after"]) == (before, after))


def test_the_same_configuration_changes_nothing(folder):
    told = replay(BASE + SCORED)
    assert (told["requests"], told["skipped"], told["moved"], told["refused"]["requests"]) == (8, 0, 0, 0)
    assert told["usd"]["before"] == told["usd"]["after"] > 0
    assert told["usd"]["requests"] == 7
    assert told["seconds"]["before"] == told["seconds"]["after"] > 0
    assert all(row["before"] == row["after"] for row in [*told["tiers"], *told["models"]])
    assert total(told["models"], "echo/small", "echo/small") == 4
    assert told["newly_served"] == 0


def test_texts_that_were_kept_are_scored_anew(folder):
    assert replay(BASE + SCORED)["rescored"] == 8


def test_without_texts_the_scores_of_then_decide(without_texts, monkeypatch):
    monkeypatch.chdir(without_texts)
    told = replay(BASE + SCORED)
    assert (told["rescored"], told["moved"], told["decided"]) == (0, 0, 8)
    assert replay(BASE + SCORED + "bounds = [0, 0, 0]\n")["moved"] == 3


def test_everything_to_the_cheap_model(folder):
    told = replay(BASE + '[scorer.heuristic]\n[selector.tiers]\n[tiers]\nsimple = ["echo/small"]\n')
    assert told["moved"] == 2
    assert total(told["models"], "echo/large", "echo/small") == 2
    assert 0 < told["usd"]["after"] < told["usd"]["before"]
    assert told["usd"]["saved"] == pytest.approx(told["usd"]["before"] - told["usd"]["after"])


def test_other_bounds_shift_tiers(folder):
    told = replay(BASE + SCORED + "bounds = [0, 0, 0]\n")
    assert sum(row["requests"] for row in told["tiers"] if row["after"] == "reasoning") == 5
    assert told["moved"] == 3


def test_who_would_be_refused(folder):
    told = replay(BASE.replace("mine", "other").replace("[store", '[provider.second]\nuse = "echo"\n[store') + SCORED)
    assert told["refused"]["requests"] == 2
    assert sorted(why.partition(" is not served here")[0] for why in told["refused"]["why"]) == [
        "the model 'mine'", "the model 'nobody/has'",
    ]  # fmt: skip
    assert told["refused"]["who"] == {"anonymous": 2}


ACCESS = '[policy.access]\ndefault = "few"\n[policy.access.classes.few]\nmodels = ["echo/small"]\n'


def test_who_is_refused_by_a_policy_or_gets_another_model_from_it(folder):
    told = replay(BASE + SCORED + ACCESS + "refuse = true\n")
    assert told["refused"]["requests"] == 2
    assert told["refused"]["why"] == {"echo/large is not for the class few": 1, "echo/nobody/has is not for the class few": 1}
    told = replay(BASE + SCORED + ACCESS + 'instead = "echo/small"\n')
    assert told["refused"]["requests"] == 0
    assert total(told["models"], "echo/large", "echo/small") == 3


def test_a_price_that_nobody_knows_is_not_guessed(folder):
    told = replay(BASE + SCORED.replace("echo/small", "echo/unpriced"))
    assert (told["usd"]["requests"], told["moved"]) == (4, 3)


def test_only_the_newest_are_asked_for(folder):
    assert replay(BASE + SCORED, limit=3)["requests"] == 3
    assert replay(BASE + SCORED, since=time.time())["requests"] == 0


def test_it_is_told_to_people_and_to_programs_and_nothing_is_changed(folder):
    (folder / "other.toml").write_text(BASE.replace("journal.db", "another.db") + "[sink.journal]\n" + SCORED)
    done = lynkr("replay", "--config", "other.toml", cwd=folder)
    assert done.stdout.splitlines()[0].startswith("8 requests since ")
    assert "  moved     0 to another model" in done.stdout
    done = lynkr("replay", "--config", "other.toml", "--since", "1h", "--json", cwd=folder)
    assert json.loads(done.stdout)["requests"] == 8


@pytest.mark.parametrize(
    ("words", "error", "why"),
    [
        ({"config": "none.toml"}, ConfigError, "none.toml: cannot be read"),
        ({"config": "bad.toml"}, ConfigError, "unknown section"),
        ({"config": "lynkr.toml", "since": "then"}, LynkrError, "is no time"),
        ({"config": "lynkr.toml", "journal": Path("empty.toml")}, LynkrError, "has no store that keeps records"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(tmp_path, monkeypatch, words, error, why):
    monkeypatch.chdir(tmp_path)
    Path("lynkr.toml").write_text(BASE)
    Path("bad.toml").write_text(BASE + "[nonsense]\n")
    Path("empty.toml").write_text("[provider.echo]\n")
    with pytest.raises(error, match=why):
        apart(lambda: command(**{**words, "config": Path(words["config"])}))

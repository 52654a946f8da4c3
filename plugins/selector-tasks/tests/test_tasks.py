from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lynkr_core.errors import ConfigError
from lynkr_core.exchange import Score
from lynkr_core.testing import factories
from lynkr_selector_tasks import ask_of, plugin
from lynkr_selector_tasks.ask import KEPT

LOCAL, SMALL, LARGE, DEEP = ALL = factories.candidates()


def exchange(text: Any, headers: Any = None, dialect: str = "openai.chat", more: Any = ()):
    body = {"model": "auto", "messages": [{"role": "user", "content": text}, *more]}
    return factories.exchange(body, headers=headers, served=ALL, dialect=dialect)


def select(text: Any, table: Any, headers: Any = None, route: Any = "auto"):
    made = exchange(text, headers)
    made.route = route
    context = factories.context("tasks", "selector", tiers=factories.tiers(ALL))
    return factories.build(plugin, table, context).select_provider(made, ALL)


def test_a_task_goes_to_its_model_and_then_to_its_fallbacks():
    found = select("Fix the bug in utils.py", {"code": ["cloud/large", "local"]})
    assert (found.order, found.reason, found.notes) == ((LARGE, LOCAL, DEEP, SMALL), "task code", {"task": "code"})
    assert found.peers == 1


def test_a_tier_is_a_target_whose_models_are_peers():
    found = select("Translate this to German: hi", {"translation": "complex"})
    assert (found.order, found.tier, found.peers) == ((LARGE, DEEP, SMALL, LOCAL), "complex", 1)


def test_the_header_wins_over_the_words():
    table = {"code": "other", "translation": "local"}
    assert select("Fix the bug in utils.py", table, {"x-lynkr-task": " Translation "}).order[0] is LOCAL
    assert select("Fix the bug in utils.py", table, {"x-lynkr-task": "no such task"}).order[0] is DEEP


@pytest.mark.parametrize(
    ("text", "table"), [("hi", {"code": "other"}), ("Fix the bug", {"content": "other"}), ("Fix the bug", {})]
)
def test_it_says_nothing_of_tasks_without_a_model(text, table):
    assert select(text, table) is None


def test_models_asked_for_by_name_are_left_alone():
    assert select("Fix the bug", {"code": "other"}, route="exact") is None


def test_what_it_sends_to_is_told_to_the_kernel():
    made = factories.build(plugin, {"code": ["a/b", "local"], "queries": "local"}, factories.context())
    assert made.targets == ("a/b", "local")


def test_mistakes_in_the_table_are_named():
    with pytest.raises(ConfigError, match=r'\$\.coding: unknown key; did you mean "code"'):
        factories.build(plugin, {"coding": "local"}, factories.context())


def test_the_ask_is_the_newest_thing_that_a_human_said():
    blocks = [{"type": "text", "text": "<system-reminder>code code</system-reminder>"}, {"type": "text", "text": "hello"}]
    assert ask_of(exchange(blocks)) == "hello"
    results = [
        {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "code"},
    ]
    assert ask_of(exchange("run it", more=results)) == "run it"


def test_a_scorers_ask_is_taken_whole():
    made = exchange("as it came")
    made.scores = (Score(value=1), Score(value=1, ask="clean " * 2000))
    assert ask_of(made) == "clean " * 2000


def test_long_and_bad_requests_are_read_as_far_as_they_go():
    assert len(ask_of(exchange("word " * 100_000))) == 2 * KEPT + 1
    assert ask_of(factories.exchange(msgspec.json.encode({"model": "auto", "messages": [7]}))) == ""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from lynkr_core.dialects import growth
from lynkr_core.exchange import Exchange
from lynkr_core.testing import factories
from lynkr_scorer_heuristic import Config, Heuristic, Weights, around, plugin, question, signals
from lynkr_scorer_heuristic.reading import read

NAMED = {
    "token_count", "prompt_complexity", "technical_depth", "domain", "tool_count", "tool_complexity", "tool_chain", "multi_step",
    "code_generation", "analysis_depth", "conversation_depth", "prior_tool_use", "ambiguity", "risk", "agentic_pattern",
}  # fmt: skip
DESIGN = "Design a scalable platform with sharding, failover and audit."


def test_the_fifteen_named_signals_exist():
    assert {*signals.TEXT, *(name for name in NAMED if hasattr(around, name))} >= NAMED


@pytest.mark.parametrize("ask", ["tea or coffee, and why?", DESIGN, "Сравни два плана и обоснуй выбор"])
def test_the_fifteen_named_signals_are_told_with_value_and_contribution(score, ask):
    found = score(ask)
    assert set(found.signals) >= NAMED <= set(found.points)
    assert all(not found.points[name] for name in NAMED if not found.signals[name])


@pytest.mark.parametrize("text", ["", "word " * 3_000, "证明" * 400, "a.py b.py c.ts, x = 1; 3x^2\n- a\n- b", "Prove: deadlock?"])
def test_every_signal_is_from_0_to_1(text):
    assert all(0.0 <= value <= 1.0 for value in (measure(read(text)) for measure in question.EVERY.values()))


def distinct(count: int) -> str:
    return " ".join(f"word{number}" for number in range(count))


def test_what_is_said_again_and_again_is_not_long():
    assert signals.token_count(read("the same words " * 300)) < signals.token_count(read(distinct(50)))
    assert signals.bulk(read(distinct(100))) == 0.0 < signals.bulk(read(distinct(500))) < signals.bulk(read(distinct(2_000)))


def test_length_grows_and_saturates():
    lengths = [signals.token_count(read(distinct(count))) for count in (5, 50, 400, 1_500)]
    assert lengths == sorted(lengths)
    assert lengths[2:] == [1.0, 1.0]
    assert [signals.brevity(read("word " * count)) for count in (2, 8)] == [0.75, 0.0]


def test_pasted_text_counts_less_than_prose():
    words = "some words of ours " * 100
    assert signals.token_count(read(f"fix\n```\n{words}\n```")) < signals.token_count(read(words)) / 2


@pytest.mark.parametrize(
    "text", ["```\nx\n```", "call load_user() twice", "see `foo`", 'Traceback: File "a.py", line 3', "a.b -> c::d", "if (x) {\n"]
)
def test_code(text):
    assert signals.code(read(text)) == 1.0


@pytest.mark.parametrize("text", ["no code here", "2 (two) apples; maybe 3", "Dear Ms. Smith: thank you"])
def test_no_code(text):
    assert signals.code(read(text)) == 0.0


@pytest.mark.parametrize(
    ("text", "value"),
    [("write a python script", 1.0), ("add a check to main.py", 1.0), ("write a poem", 0.0), ("run main.py", 0.0)],
)
def test_code_generation(text, value):
    assert signals.code_generation(read(text)) == value


def test_distinct_files_beyond_the_first_count():
    assert signals.agentic_pattern(read("read a.py and a.py again")) == 0.0
    assert signals.agentic_pattern(read("move src/a.py to lib/b.ts")) == 0.25
    assert signals.agentic_pattern(read("e.g. this vs. that")) == 0.0


def test_words_count_once_and_only_whole():
    assert read("prove prove prove").count("formal") == 1
    assert read("the improvement of waterproofing").count("formal") == 0
    assert read("a step-by-step, trade-off free plan").hits == {"steps": 1, "design": 1, "question": 1}


def test_trigger_words_need_substance():
    short, long = (
        read("deadlock race consensus"),
        read("please look for the deadlock, the race and the consensus in our scheduler of jobs"),
    )
    assert signals.formal(short) < signals.formal(long) / 2
    assert signals.technical_depth(read("system")) < signals.technical_depth(read(DESIGN))


def test_constraints_and_numbers():
    reading = read("must take at most 3 steps and never more than 20 seconds")
    assert signals.constraints(reading) > 0.7
    assert 0.3 < signals.quantity(reading) < 0.4


def test_lists_count_in_full_in_a_task_only():
    assert signals.prompt_complexity(read("design a, b, c; d")) == 0.6
    assert signals.prompt_complexity(read("apples, pears, plums; figs")) == pytest.approx(0.24)


def test_steps_domain_ambiguity_and_risk():
    assert signals.multi_step(read("first this, then that, finally those")) == 1.0
    assert signals.domain(read("is this clause of the contract legal?")) == 1.0
    assert signals.domain(read("a nice day")) == 0.0
    assert signals.ambiguity(read("fix that thing")) > 0.5 > signals.ambiguity(read("fix the date parser"))
    assert signals.risk(read("do a security audit of it all")) == 1.0
    assert signals.analysis_depth(read("explain and compare")) == 1.0
    assert 0.3 < signals.word_length(read("some words")) < 0.5
    assert (signals.lookup(read("who wrote it")), signals.one_step(read("rename the file"))) == (1.0, 1.0)
    assert (signals.make(read("write it down")), signals.make(read("read it"))) == (1.0, 0.0)


def test_what_is_around_the_ask_is_told_and_has_no_weight(score):
    ask = {"role": "user", "content": DESIGN}
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in "abcde"]
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "t"}]}]
    found = score({"model": "auto", "tools": tools, "messages": [*history, ask]})
    assert found.value == score([ask]).value
    assert {"tool_count", "tool_complexity", "conversation_depth", "prior_tool_use"} <= set(found.signals)
    assert found.signals["tool_count"] == 0.25
    assert not any(found.points[name] for name in around.ABSENT)
    assert around.tool_chain(0.5, 0.5) == 0.25


def test_points_say_what_each_part_added(score):
    found = score(DESIGN)
    assert any(found.points[name] > 0 for name in NAMED)
    assert (
        score("Compare sharding and replication for a scalable platform and name the trade-offs.").points["technical_depth"] > 0
    )
    assert any(name.startswith('"') for name in found.points)
    assert found.reason
    assert found.ask == DESIGN


def test_every_signal_has_a_setting_and_a_weight():
    assert list(signals.TEXT) == list(structs.asdict(Weights()))
    assert list(question.EVERY) == list(Heuristic(Config()).model.signals)


def test_weights_and_weight_are_set_in_the_table(score):
    config = msgspec.convert({"weight": 0.5, "weights": {"technical_depth": -50.0}}, plugin.config)
    found = score(DESIGN, config=config)
    assert found.weight == 0.5
    assert found.value < score(DESIGN).value


@pytest.mark.parametrize(
    ("table", "path"),
    [({"weigth": 1}, "weigth"), ({"weights": {"desing": 1}}, r"desing.*\$\.weights"), ({"weight": 0}, r"\$\.weight")],
)
def test_mistakes_in_the_table_are_named(table, path):
    with pytest.raises(msgspec.ValidationError, match=path):
        msgspec.convert(table, plugin.config)


def test_embeddings_get_no_score(exchange_with):
    exchange: Exchange = exchange_with({"input": "prove"}, operation="embeddings")
    assert Heuristic(Config()).score(exchange) is None


@pytest.mark.parametrize("text", ["3x and 4Y, 10 ms, a 2b)", "solve 7K\n8z9 0a", "no digit"])
def test_a_plain_text_is_searched_for_the_formulas_that_it_can_have(text):
    quick = signals.formula_for(text)
    assert (
        quick
        is not signals.formula_for(f"{text} x = y")
        is signals.formula_for(f"{text} √")
        is signals.formula_for(f"{text} x^2")
    )
    assert quick.findall(text) == signals.formula_for("x = y").findall(text)


TOOLS = [{"type": "function", "function": {"name": f"f{n}", "parameters": {"type": "object"}}} for n in range(3)]


def test_where_a_conversation_goes_on_tools_and_turns_are_those_of_the_whole(monkeypatch):
    monkeypatch.setattr(growth, "_beginnings", growth.Beginnings())
    monkeypatch.setattr(growth.Beginnings, "again", lambda self, samples: True)
    messages = [{"role": "system", "content": "z" * 9_000}]
    for turns in range(1, 9):
        messages.append({"role": "user", "content": "go on"})
        sent = factories.exchange({"model": "auto", "tools": TOOLS, "messages": messages}, dialect="openai.chat")
        assert (sent.envelope.grown.before is not None) == (turns > 1)
        told = around.measured(sent.envelope, 1.0)
        assert told["conversation_depth"] == around.conversation_depth(turns + 1)
        fresh = around.measured(structs.replace(sent.envelope, grown=None), 1.0)
        assert {name: told[name] for name in fresh if name.startswith("tool")} == {
            n: v for n, v in fresh.items() if n.startswith("tool")
        }
        assert told["tool_count"] == around.tool_count(3)

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from lynkr_core.exchange import Exchange
from lynkr_scorer_heuristic import Config, Heuristic, Weights, plugin, signals
from lynkr_scorer_heuristic.reading import read


def test_length_grows_and_saturates():
    lengths = [signals.length(read("word " * count)) for count in (5, 50, 400, 1_500)]
    assert lengths == sorted(lengths)
    assert lengths[2:] == [1.0, 1.0]


def test_pasted_text_counts_less_than_prose():
    words = "some words of ours " * 100
    assert signals.length(read(f"fix\n```\n{words}\n```")) < signals.length(read(words)) / 2


@pytest.mark.parametrize(
    "text", ["```\nx\n```", "call load_user() twice", "see `foo`", 'Traceback: File "a.py", line 3', "a.b -> c::d", "if (x) {\n"]
)
def test_code(text):
    assert signals.code(read(text)) == 1.0


@pytest.mark.parametrize("text", ["no code here", "2 (two) apples; maybe 3", "Dear Ms. Smith: thank you"])
def test_no_code(text):
    assert signals.code(read(text)) == 0.0


def test_distinct_files_beyond_the_first_count():
    assert signals.files(read("read a.py and a.py again")) == 0.0
    assert signals.files(read("move src/a.py to lib/b.ts")) == 0.25
    assert signals.files(read("e.g. this vs. that")) == 0.0


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


def test_constraints_and_numbers():
    assert signals.constraints(read("must take at most 3 steps and never more than 20 seconds")) > 0.7


def test_the_reason_names_what_weighs_most(score):
    found = score("Design a scalable platform with sharding, failover and audit.")
    assert found.reason.startswith("design")
    assert set(found.signals) >= {"design", "length", "parts"}
    assert found.ask == "Design a scalable platform with sharding, failover and audit."


def test_every_signal_has_a_weight():
    assert {*signals.ALWAYS, *signals.HEARD, "lookup", "one_step", "base"} == set(structs.asdict(Weights()))


def test_weights_and_weight_are_set_in_the_table(score):
    config = msgspec.convert({"weight": 0.5, "weights": {"design": 0.0}}, plugin.config)
    found = score("Design a scalable platform with sharding, failover and audit.", config=config)
    assert found.weight == 0.5
    assert "design" not in {name for name, value in found.signals.items() if value}


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

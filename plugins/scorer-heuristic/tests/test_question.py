"""What is measured of a question's form."""

from __future__ import annotations

from lynkr_scorer_heuristic import Config, Heuristic
from lynkr_scorer_heuristic.model import load
from lynkr_scorer_heuristic.question import FORM
from lynkr_scorer_heuristic.reading import read
from lynkr_scorer_heuristic.scale import lift_for

EXAM = (
    "A train covers 120 km in 1.5 hours. What is its mean speed?\nA. 60 km/h\nB. 80 km/h\nC. 100 km/h\nD. none of these\nAnswer:"
)


def form(text: str) -> dict[str, float]:
    reading = read(text)
    return {name: round(measure(reading), 2) for name, measure in FORM.items()}


def test_answers_to_choose_from_are_found():
    assert form(EXAM)["choice"] == form(EXAM.lower().replace(".", ")"))["choice"] == 1.0
    assert form(EXAM)["choice_numbers"] == 0.75
    assert 0 < form(EXAM)["choice_length"] < form(EXAM.replace("none", "none at all, or rather" * 3))["choice_length"]


def test_what_only_looks_like_answers_is_none():
    for text in (
        "a.append(1)\nb.append(2)\nc.append(3)",
        "Set this:\na: 1\nb: 2\nc: 3",
        "Two things:\nA. tests",
        EXAM.replace("\n", " "),
    ):
        assert form(text)["choice"] == form(text)["choice_length"] == form(text)["choice_numbers"] == 0.0


def test_words_and_signs_are_counted_in_five_languages():
    for text in (
        "Unless it is greater than each of them, never stop.", "Wenn mehr als alle, nie.", "Если больше, чем каждый, никогда.",
        "Si es más que todos, nunca.",
    ):  # fmt: skip
        found = form(text)
        assert min(found["conditions"], found["comparisons"], found["quantifiers"], found["negations"]) > 0, (text, found)
    assert form("2 + 2 = 4")["symbols"] > form("two and two is four")["symbols"] == 0.0
    assert form("One. Two? Three!")["sentences"] > form("One. Two")["sentences"]
    assert form("one two three four")["question_length"] > form("one two")["question_length"]


def test_what_weak_models_fail_counts_for_more_where_answers_are_given():
    model = load({})
    usual, within, highest, chosen = model.lift
    assert chosen > usual
    assert lift_for(model.lift, True) == (chosen, within, chosen)
    assert lift_for(model.lift, False) == (usual, within, highest)


def test_a_questions_form_is_told_with_its_points():
    found = Heuristic(Config()).of_text(EXAM)
    assert found.signals["choice"] == 1.0
    assert {"choice", "choice_numbers", "question_length"} <= set(found.points)
    assert not any(weight[0] or weight[1].real for name, weight in load({}).signals.items() if name in FORM)

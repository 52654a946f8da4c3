"""The quick ways of reading find what the plain patterns find."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lynkr_scorer_heuristic.reading import count_chinese, read, tokens
from lynkr_scorer_heuristic.signals import code
from lynkr_scorer_heuristic.words import ENDS, HAN, TOKEN

COMMAS = frozenset(",;，、；")
PLAIN_CODE = re.compile(r"[a-z0-9]_[a-z0-9]|\w\(\)|\w\);|[=!<>]=|=>|->|::|\w ?= ?[\w\"'\[{(]|[;{][ \t]*\n|</\w|`[^`\n]+`")
MIXED = st.text(alphabet="aZ9_%.!?\n\t ,;:'\"<>=(){}[]`-éßİΣσСк²٣→€…。！？，、你カ한\x1c\x85\u2028\U0001f600", max_size=40)


@given(MIXED | st.text())
@example("→←↑↓↔↕⇒⇐⇑ more signs than are blanked one by one. OK?")
def test_words_and_ends_are_those_of_the_pattern(text):
    def normal(found: list[str]) -> list[str]:
        return ["." if token in ENDS - COMMAS else "," if token in COMMAS else token for token in found]

    assert normal(tokens(text)) == normal(TOKEN.findall(text.lower()))


@given(MIXED)
def test_code_is_what_the_whole_pattern_finds(text):
    reading = read(text)
    if not reading.pasted:
        assert code(reading) == (PLAIN_CODE.search(reading.text) is not None)


@given(st.text(alphabet="aé→你カ한ア龥\u3040\u3400\u9fff\ud7af\uac00🙂", max_size=10))
def test_characters_of_the_east_are_counted(text):
    assert count_chinese(text, {}) == 0.6 * sum(map(len, HAN.findall(text)))


def test_the_same_words_are_explained_alike_in_every_process():
    script = (
        "from lynkr_scorer_heuristic.reading import read;"
        "print(list(read('Design and build a secure API, compare two algorithms, then prove why the design must be correct').hits))"
    )
    environment = dict(os.environ)
    told = set()
    for seed in "123":
        environment["PYTHONHASHSEED"] = seed
        told.add(
            subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True).stdout
        )
    assert len(told) == 1


PASTED = "The council met on Tuesday and proved the theorem of the distributed system. " * 12


@pytest.mark.parametrize(
    "ask", ["{task}\n\n{text}", "{text}\n\n{task}", "Hello there,\n\n{task}\n\n{text}\n\nThank you very much!"]
)
def test_what_was_pasted_is_not_the_task(ask):
    task = "Which day is mentioned in this text?"
    assert read(ask.format(task=task, text=PASTED)).phrase == read(task).phrase


@pytest.mark.parametrize(
    "ask",
    [
        "Kasse: 1.214,80. Ausflug: Speyer oder Bamberg, 11 zu 6 für Bamberg.\n\n{task}",
        "D1 Datong\nD2 the hanging temple and the wooden pagoda\nD3 the five mountains and back\n{task}",
        'Hi there!\n{task} "The lamp came late, but the box was dry and the shade is lovely."',
    ],
)
def test_what_was_pasted_or_quoted_is_not_the_task_however_short(ask):
    task = "Where do they go?"
    assert read(ask.format(task=task)).phrase == read(task).phrase


@pytest.mark.parametrize(
    "ask",
    [
        "Which one shines?\nA. the moon and all the planets\nB. the stars\nC. a mirror at night",
        '"Who scored the most goals in the league of this season, and how many?"',
        "Task:\nGenerate a title for the whole of the chat below",
    ],
)
def test_choices_and_what_stands_alone_are_the_task(ask):
    assert len(read(ask).words) == len(re.findall(r"\w+", ask))


def test_pleasantries_change_no_measure():
    task = "Explain how the garbage collector of Java works"
    polite = read(f"Hello! I hope you are well. {task}\nThanks a lot in advance!")
    assert (polite.text, polite.words, polite.pasted) == (task, read(task).words, 0)


def test_a_letter_is_its_own_task():
    letter = f"Hello,\n\n{PASTED}\n\nThank you"
    assert "theorem" in read(letter).words

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from lynkr_core.exchange import Principal
from lynkr_core.testing import factories
from lynkr_core.testing.waiting import SOON, quickest
from lynkr_selector_rules import Condition, Undecided, When
from lynkr_selector_rules.language import language_of

PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def exchange(text: Any = "hi", headers: Any = None, before: Any = (), **more: Any):
    body = {"model": "auto", "messages": [*before, {"role": "user", "content": text}], **more}
    return factories.exchange(body, headers=headers)


def holds(made: Any = "hi", **when: Any) -> bool:
    made = exchange(made) if isinstance(made, str) else made
    return Condition(msgspec.convert(when, When)).holds(made)


ARTICLE = ["code", "function", "debug", "algorithm", "sql"]


@pytest.mark.parametrize("text", ["Debug this", "a FUNCTION, please", "what is SQL?", "用SQL查询", "(code)", "new\nalgorithm\n"])
def test_words_are_found_wherever_they_stand(text):
    assert holds(text, prompt_contains=ARTICLE)


@pytest.mark.parametrize(
    "text", ["decode", "codec", "functional", "mysql", "debugger", "postcode 12345", "", "algorithmic", "my_code"]
)
def test_parts_of_words_are_no_words(text):
    assert not holds(text, prompt_contains=ARTICLE)


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("привет", "Привет!", True),
        ("привет", "ПРИВЕТ, мир", True),
        ("привет", "приветствие", False),
        ("договор*", "по договорам", True),
        ("договор*", "уговор", False),
        ("代码", "写代码吧", True),
        ("straße", "Die STRASSE", True),
        ("cafe\u0301", "un café noir", True),
        ("йод", "и\u0306од", True),
        ("नमस्ते", "नमस्ते दुनिया", True),
        ("नम", "नमस्ते", False),
        ("pull request", "a pull\n  request", True),
        ("pull request", "pull requests", False),
        ("c++", "in C++?", True),
        (".env", "the .env file", True),
        ("a.c", "abc", False),
    ],
)
def test_bounds_of_words_in_every_script(word, text, found):
    assert holds(text, prompt_contains=[word]) is found


def test_only_the_last_ask_is_looked_at_unless_anywhere_is_said():
    earlier = [
        {"role": "system", "content": "you write code"},
        {"role": "user", "content": "sql"},
        {"role": "assistant", "content": "-"},
    ]
    made = exchange("hello", before=earlier)
    assert not holds(made, prompt_contains=ARTICLE)
    assert holds(made, prompt_contains=ARTICLE, anywhere=True)
    called = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "привет"}}
    made = exchange("hello", before=[{"role": "assistant", "tool_calls": [called]}])
    assert holds(made, prompt_contains=["привет"], anywhere=True)


def test_anywhere_reads_escaped_and_broken_bodies():
    made = exchange("x")
    made.body = b'{"input": "\\u043f\\u0440\\u0438\\u0432\\u0435\\u0442"}'
    assert holds(made, prompt_contains=["привет"], anywhere=True)
    made.body = "--boundary\r\nпривет\r\n".encode()
    assert holds(made, prompt_contains=["привет"], anywhere=True)


def test_patterns():
    assert holds("order AB-1234", prompt_matches=[r"\b[A-Z]{2}-\d{4}\b"])
    assert not holds("order 12", prompt_matches=[r"\b[A-Z]{2}-\d{4}\b", "^x"])
    with pytest.raises(msgspec.ValidationError, match="no regular expression"):
        holds("x", prompt_matches=["("])


@pytest.mark.parametrize("pattern", [r"(a|aa)+$", r"(x+x+)+y"])
def test_a_catastrophic_pattern_is_given_up(pattern, caplog):
    began = time.perf_counter()
    with pytest.raises(Undecided):
        holds("aa" * 3000 + "x" * 3000 + " b c d e f g h" * 300 + "?", prompt_matches=[pattern])
    assert time.perf_counter() - began < SOON
    assert "took more than" in caplog.text


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Почему небо голубое?", "ru"),
        ("Чому небо блакитне і як його намалювати?", "uk"), ("为什么天是蓝的", "zh"), ("なぜ空は青いの", "ja"),
        ("왜 하늘은 파란가요", "ko"), ("لماذا السماء زرقاء", "ar"), ("What is the capital of France?", "en"),
        ("Wie spät ist es und was machst du?", "de"), ("¿Cómo se dice eso en el idioma?", "es"), ("Quel est le nom de la rue ?", "fr"),
        ("Qual é a capital do Brasil e por quê?", "pt"), ("Come si chiama la città che è in Italia?", "it"),
        ("1234 !!", None), ("", None), ("qwxz vbnm", None), ("напиши функцию sort_by_key на Python", "ru"),
    ],
)  # fmt: skip
def test_languages(text, language):
    assert language_of(text) == language


RUSSIAN = "Как приготовить настоящий борщ дома, если свёклы нет?"
ENGLISH = "What is the weather like in the city, and how can I get there with the train? "


@pytest.mark.parametrize(
    "texts",
    [(RUSSIAN,), (ENGLISH, RUSSIAN), (RUSSIAN, ENGLISH * 50), (ENGLISH * 50 + RUSSIAN * 20, ENGLISH), (ENGLISH, "да", ENGLISH)],
)
def test_anywhere_a_language_is_heard_in_any_part(texts):
    """What is asked last in another language does not hide it."""
    *before, last = [{"role": "user", "content": text} for text in texts]
    made = exchange(last["content"], before=before)
    assert holds(made, language=["ru"], anywhere=True)
    assert not holds(made, language=["de", "uk"], anywhere=True)
    assert holds(made, language=["ru"]) == (texts == (ENGLISH, RUSSIAN) or texts == (RUSSIAN,))


def test_anywhere_a_pattern_sees_everything():
    card = {"role": "user", "content": "My card is 4111-1111-1111-1111."}
    made = exchange("go on", before=[card, {"role": "assistant", "content": "word " * 100_000}])
    assert holds(made, prompt_matches=[r"\b\d{4}(?:-\d{4}){3}\b"], anywhere=True)


def test_a_language_that_nobody_knows_is_a_mistake():
    for code in ("xx", "RU", "russian"):
        with pytest.raises(msgspec.ValidationError, match=f"no language that is known: {code}; known: ar bn"):
            holds("x", language=["en", code])


def test_principals_and_headers():
    made = exchange(headers={"x-lynkr-tags": "a, b", "x-team": "core-7", "x-lynkr-agent": "coder"})
    assert holds(made, tags=["b", "c"])
    assert not holds(made, tags=["c"])
    assert holds(made, agent=["coder"])
    assert holds(made, headers={"X-Team": "core-*"})
    assert not holds(made, headers={"x-team": "core"})
    assert not holds(made, headers={"x-missing": "*"})
    made.principal = Principal(id="key:1", key="ci", user="ann", team="red", agent="writer", principal_class="T3", tags=("z",))
    assert holds(made, tags=["z"], user=["an*"], team=["red"], key=["key:*"], agent=["writer"], **{"class": ["T*"]})
    assert holds(made, key=["ci"])
    assert not holds(made, key=["cd"])
    assert not holds(made, **{"class": ["T2"]})
    assert not holds(made, agent=["coder"])


def test_tasks_are_said_or_classified():
    assert holds("Translate this to German", task=["translation"])
    assert holds(exchange("hi", {"x-lynkr-task": "Billing"}), task=["billing"])
    assert holds(exchange("hi", {"x-lynkr-task": "Billing"}), task=["BILLING "])
    assert not holds(exchange("Translate this", {"x-lynkr-task": "billing"}), task=["translation"])


def test_sizes_tools_and_images():
    long = exchange("The quick brown fox. " * 100)
    assert holds(long, min_tokens=400)
    assert not holds(long, min_tokens=800)
    assert holds(long, max_tokens=800)
    assert not holds(long, max_tokens=400)
    assert holds(exchange(tools=[TOOL]), tools=True)
    assert holds(exchange(tools=[]), tools=False)
    assert holds(exchange([{"type": "text", "text": "?"}, PIXEL]), images=True)
    assert not holds(exchange("image_url"), images=True)
    assert holds(exchange(), images=False, tools=False)


def test_all_conditions_must_hold():
    assert holds("debug it", prompt_contains=["debug"], language=["en"], tools=False)
    assert not holds("debug it", prompt_contains=["debug"], language=["ru"])


def test_an_empty_word_is_a_mistake():
    with pytest.raises(msgspec.ValidationError, match="empty word"):
        msgspec.convert({"prompt_contains": ["a", " *"]}, When)


def test_a_condition_met_before_costs_little():
    condition = Condition(When(prompt_contains=ARTICLE, prompt_matches=[r"\d{4}"]))
    made = exchange("debug this in 2026")
    assert condition.holds(made)
    assert quickest(lambda: [condition.holds(made) for _ in range(100)], 20) / 100 < 60e-6

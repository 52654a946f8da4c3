from __future__ import annotations

import msgspec
import pytest

from lynkr_core.dialect import read_fields
from lynkr_scorer_heuristic import Config, gates
from lynkr_scorer_heuristic.reading import read


@pytest.mark.parametrize(
    "text",
    [
        "hi", "Hello there!", "thanks, that worked!", "ok", "yes please", "continue", "good morning", "how are you? hi!", "привет, как дела?",
        "спасибо большое", "Guten Morgen!", "danke, das hat funktioniert", "hola, ¿qué tal?", "muchas gracias", "你好！", "谢谢你",
        "好的，继续吧", "👍",
    ],
)  # fmt: skip
def test_small_talk(text, score):
    found = gates.small_talk(read(text))
    assert found is not None
    assert score(text).gates == ("small_talk",)


@pytest.mark.parametrize(
    "text",
    ["what is that", "yes, and add a test for the parser", "how are you built?", "привет, напиши тест", "你好，请写一个函数"],
)
def test_no_small_talk(text):
    assert gates.small_talk(read(text)) is None


@pytest.mark.parametrize("text", ["a" * 1_000_000, "ab" * 3000, "9f86d081884c7d65" * 4])
def test_one_endless_word_says_nothing(text, score):
    assert score(text).value < 25


def test_what_is_pasted_in_one_word_is_done_with_what_is_asked(score):
    assert score("explain this JWT to me: " + "eyJhbGciOiJIUzI1NiJ9" * 20).gates == ()


def test_an_answer_of_few_tokens_is_a_probe(score):
    assert gates.probe(16) is not None
    assert gates.probe(17) is None
    assert gates.probe(None) is None
    assert score("Prove that P is not NP, think hard", max_tokens=1).value < 25


@pytest.mark.parametrize(
    "body",
    [
        {"system": "You are a title generator. You output only a title.", "messages": []},
        {"system": [{"type": "text", "text": "Write a concise title"}], "tools": []},
        {"messages": [{"role": "system", "content": "You are a title generator."}, {"role": "user", "content": "prove"}]},
        {"instructions": "Say if this begins a new conversation topic.", "input": "prove"},
    ],
)
def test_a_side_request_by_its_system_prompt(body):
    found = gates.side_system(read_fields(msgspec.json.encode(body)))
    assert found is not None
    assert found.value < 25


@pytest.mark.parametrize(
    "body",
    [
        {"system": "You are a title generator.", "tools": [{"name": "x"}]},
        {"system": "You are a title generator." + "x" * 6_000},
        {"messages": [{"role": "user", "content": "what is a title generator"}, {"role": "user", "content": "x"}]},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "what is a title generator"}]},
        {"messages": None},
        {},
    ],
)
def test_no_side_request(body):
    assert gates.side_system(read_fields(msgspec.json.encode(body))) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("quota", "side request: quota"),
        ("Please write a 5-10 word title for the following conversation:\nprove the theorem", "side request: title"),
        ("### Task:\nGenerate a concise, 3-5 word title for the chat.", "side request: title"),
        ("Write a one-line commit message for this diff:\n```diff\n-a\n+b\n```", "side request: commit message"),
        ("[SUGGESTION MODE: guess what comes next]", "side request: suggestion"),
        ("Command: ls\nExtract any file paths that this command reads.", "side request: paths"),
        ("Write a detailed summary of the conversation so far.", "side request: summary"),
    ],
)
def test_a_side_request_by_its_wording(text, reason, score):
    assert score(text).reason == reason


def test_a_title_wish_quoted_late_is_no_side_request():
    assert gates.side_text(read("Fix the form. " * 60 + "Write a title for this page.")) is None


@pytest.mark.parametrize(
    "text",
    [
        "Prove that 2 + 2 = 4 in Peano arithmetic",
        "Derive the lens equation.",
        "Выведи формулу Стирлинга",
        "выведи строго общее уравнение касательной",
        "Finde die Grenze und beweise sie",
        "推导正态方程",
    ],
)
def test_proofs_are_deep_thought(text):
    found = gates.deep_thought(read(text), 60.0)
    assert found is not None
    assert found.value > 75
    assert gates.deep_thought(read(text), 40.0) is None


def test_a_wish_to_think_lifts_what_is_hard_only():
    reading = read("ultrathink: why do two of our replicas disagree after a failover?")
    assert [gates.deep_thought(reading, value) for value in (20.0, 40.0)] == [None, None]
    hard = gates.deep_thought(reading, 60.0)
    assert hard is not None
    assert hard.value == 80.0


@pytest.mark.parametrize(
    "text",
    [
        "Who was first to prove that pi is irrational?",
        "Derive a class from Base",
        "Выведи содержимое файла, алгоритм не нужен",  # print it
        "Reime über Algorithmen, Beweise und verteilte Systeme",
        "请帮我写一份工作证明",
        "Prove you're no robot: spell algorithm backwards",
        "Prove to me that you can read the theorem",
        "Докажи, что ты человек, теорема не нужна",
        "Докажи, что у тебя есть вкус: шутка про теорему",
        "Prove to me that lemma rhymes with dilemma",
        "Find the race and prove it with a failing test",
        "Demuestra que sabes contar un chiste de algoritmos",
        "Beweise, dass du Humor hast: ein Witz über einen Satz",
        "证明一下你会讲笑话",
        "证明给我看茄子也能好吃，来个不费油的算法",
        "Prove to my 12 year old that the algorithm works",
        "Beweise kurz für die 6. Klasse, dass der Satz stimmt",
        "Докажи для 7 класса теорему о равнобедренном треугольнике",
    ],
)
def test_no_deep_thought(text):
    assert gates.deep_thought(read(text), 60.0) is None


@pytest.mark.parametrize(
    "text",
    [
        "Production is down since 9:00, find out why",
        "Review this diff for vulnerabilities",
        "Нужен аудит безопасности API",
        "请对登录流程做安全审计",
    ],
)
def test_incidents_and_security_reviews(text, score):
    assert score(text).gates == ("incident",)
    assert score(text).value > 50


def test_a_question_about_incidents_is_none():
    assert gates.incident(read("What is a data breach?"), 60.0) is None
    assert gates.incident(read("Translate the heading 'Production is down since 9:00' into German"), 10.0) is None


def test_tool_results_inherit(score):
    assert gates.tool_results(1, None).value == 40.0
    found = gates.tool_results(2, 80.0)
    assert (round(found.value, 1), "inherits" in found.reason) == (77.6, True)


def test_gates_can_be_switched_off(score):
    off = Config(gates=False)
    assert score("thanks", config=off).gates == ()
    assert "deep_thought" not in score("Prove that every tree is bipartite.", config=off).gates
    results = [{"role": "tool", "tool_call_id": "c", "content": "x"}]
    assert score(results, config=off).reason == "no human text"

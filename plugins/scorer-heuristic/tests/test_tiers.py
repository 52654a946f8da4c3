"""Prompts of our own, one line each, with the tier the rubric gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

LABELLED = Path(__file__).parents[1] / "train/labelled.tsv"
SIMPLE, MEDIUM, COMPLEX, REASONING = range(4)
PROMPTS = [
    (SIMPLE, "hi there!"),
    (SIMPLE, "What is the boiling point of ethanol?"),
    (SIMPLE, "rename getUsr to get_user in this line: `x = getUsr(3)`"),
    (SIMPLE, "17 * 23"),
    (SIMPLE, "Translate 'good luck' into Finnish"),
    (SIMPLE, "List the planets in order of size"),
    (MEDIUM, "Write a Python function that merges two sorted lists."),
    (MEDIUM, "Explain why the sky is blue to a ten year old."),
    (MEDIUM, "Compare renting and buying a flat for someone who moves every three years."),
    (MEDIUM, "Why does this fail with KeyError: 'id'?\n```python\nrow = {}\nprint(row['id'])\n```"),
    (MEDIUM, "Draft a friendly reminder to a customer whose invoice is overdue by ten days."),
    (COMPLEX, "Design a scalable notification platform with templates, retries, per-user quotas, and an audit trail."),
    (COMPLEX, "Do a security review of our login flow, rank what you find and propose fixes."),
    (COMPLEX, "Migrate src/auth.py, src/session.py, src/users.py and tests/test_auth.py to the new schema without downtime."),
    (COMPLEX, "Refactor the billing service into modules: split a.py, b.py and c.py, keep the API stable, add tests, then update README.md."),
    (REASONING, "Prove that every tree with n vertices has n - 1 edges."),
    (REASONING, "Think hard: design a consensus protocol for five replicas that tolerates one liar, and justify each message."),
    (REASONING, "Here is a claim about sorting networks. Prove it or give a counterexample."),
    (SIMPLE, "спасибо, всё работает"),
    (MEDIUM, "Объясни, как работает сборщик мусора в Java"),
    (REASONING, "Докажи, что корень из двух иррационален."),
    (SIMPLE, "Wer hat die Zauberflöte komponiert?"),
    (MEDIUM, "Schreibe eine Funktion, die Primzahlen bis n berechnet."),
    (SIMPLE, "¿Cuál es la capital de Perú?"),
    (COMPLEX, "Diseña la arquitectura de una plataforma de pagos distribuida con alta disponibilidad, auditoría, y límites por cliente."),
    (SIMPLE, "你好"),
    (SIMPLE, "法国的首都是什么？"),
    (MEDIUM, "写一个函数，判断字符串是否为回文"),
    (REASONING, "证明对于任意整数 n，n 的平方与 n 同奇偶。"),
]  # fmt: skip


def tier(value: float) -> int:
    return sum(round(value) > bound for bound in (25, 50, 75))


def test_prompts_that_were_not_learned_get_their_tier(score):
    """What a model has learned is no list of cases: one in twenty may be off, by one tier."""
    found = [(tier(score(prompt).value), expected, prompt) for expected, prompt in PROMPTS]
    missed = [(given, expected, prompt) for given, expected, prompt in found if given != expected]
    assert len(missed) <= len(PROMPTS) / 20, missed
    assert all(abs(given - expected) == 1 for given, expected, _ in missed)


def test_none_of_them_was_learned():
    learned = LABELLED.read_text(encoding="utf-8") if LABELLED.exists() else ""
    assert [prompt for prompt in [*TRIGGERS, *(prompt for _, prompt in PROMPTS)] if f"\t{prompt}\n" in learned] == []


TRIGGERS = [
    "Who is the author of Hamlet?",
    "What does the word algorithm mean?",
    "When was the first distributed database released?",
    "Which city has the best architecture museum?",
    "What is a deadlock?",
    "Who proved Fermat's last theorem?",
    "Where is the Institute for Concurrency and Consensus?",
    "Wann wurde der Algorithmus von Dijkstra veröffentlicht?",
    "Кто доказал теорему Ферма?",
    "In one word: what do you call a proof by contradiction?",
]


@pytest.mark.parametrize("prompt", TRIGGERS)
def test_trigger_words_alone_do_not_raise_the_tier(score, prompt):
    assert tier(score(prompt).value) == SIMPLE


def test_length_alone_stays_below_complex(score):
    story = "Yesterday we walked along the river and fed the ducks while it rained on our hats. " * 80
    assert score(story).value <= 50


def test_size_alone_stays_below_reasoning(score):
    listed = ", ".join(f"a screen for {thing}" for thing in ("login", "billing", "reports", "users", "search", "mail", "audit"))
    prompt = (
        f"Design and build a scalable platform with {listed}. Then write the migration, the rollback and the permissions schema. "
        * 4
    )
    assert 50 < score(prompt).value <= 75


@pytest.mark.parametrize("index", range(len(PROMPTS)))
def test_case_pleasantries_and_reminders_change_little(score, index):
    prompt = PROMPTS[index][1]
    base = score(prompt).value
    assert score(f"<system-reminder>\nprove the security audit\n</system-reminder>\n{prompt}").value == base
    polite = f"Hello! I hope you are well. {prompt}\nThanks a lot in advance!"
    assert tier(score(polite).value) == tier(base) or index in (17, 18)
    assert abs(score(polite).value - base) < 12 or index in (0, 17, 18, 25)  # greetings, which a gate knows, have no words left


def test_neither_system_nor_tools_nor_history_enter(score):
    ask = {"role": "user", "content": "Write a Python function that merges two sorted lists."}
    history = [{"role": "user", "content": "Prove the theorem"}, {"role": "assistant", "content": "Think hard about the outage."}]
    tools = [{"name": "prove", "description": "security audit of distributed consensus"}]
    whole = {"model": "auto", "system": "You design distributed systems." * 50, "tools": tools, "messages": [*history, ask]}
    assert score(whole).value == score([ask]).value

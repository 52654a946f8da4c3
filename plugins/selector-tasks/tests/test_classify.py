"""Prompts written for this test; the second list was written after the words were chosen, and no word was changed for it."""

from __future__ import annotations

from functools import partial

import pytest

from lynkr_core.testing.waiting import quickest
from lynkr_selector_tasks.classify import TASKS, classify

KNOWN = {
    "translation": [
        "Translate this letter into French: Dear Sir, ...",
        "Переведи на английский: как дела?",
        "Übersetze den Satz ins Spanische",
        "Traduce este párrafo al inglés",
        "把这句话翻译成英文",
    ],
    "code": [
        "Fix the bug in utils.py",
        "Write a function that reverses a linked list",
        "Почему эта функция на питоне падает?",
        "Schreib ein Skript, das Logdateien zählt",
        "Escribe una función en Python que ordene una lista",
        "用Python写一个函数",
        "```\nfor i in range(3): print(i)\n```\nwhy does it print twice",
        "SELECT * FROM users WHERE id = 1 is slow",
    ],
    "skills": [
        "Run the tests and tell me what failed",
        "/commit",
        "Send an invitation to Anna for Monday",
        "Забронируй столик на двоих на завтра",
        "Buche einen Flug nach Wien",
        "Reserva una mesa para dos",
        "请预订明天的机票",
    ],
    "strategy": [
        "Draw up a roadmap for entering the Brazilian market",
        "What should our pricing strategy be?",
        "Составь стратегию развития компании",
        "Entwirf eine Strategie für die nächsten drei Jahre",
        "Diseña una estrategia de marketing",
        "制定一个市场进入战略",
    ],
    "analysis": [
        "Compare these two quarterly reports",
        "Analyse the trend in the sales figures",
        "Проанализируй отзывы клиентов",
        "Vergleiche die beiden Angebote",
        "Analiza los resultados de la encuesta",
        "分析一下这份销售数据",
    ],
    "content": [
        "Write a blog post about hiking",
        "Rewrite this email so that it sounds friendlier",
        "Напиши письмо бабушке",
        "Schreibe ein Gedicht über den Herbst",
        "Escribe un cuento corto sobre el mar",
        "写一篇关于春天的文章",
    ],
    "queries": [
        "What is the capital of Mongolia?",
        "Who wrote Hamlet?",
        "Сколько планет в Солнечной системе?",
        "Wann wurde Goethe geboren?",
        "¿Quién pintó el Guernica?",
        "法国的首都是什么？",
    ],
}
UNSEEN = {
    "translation": [
        "How do I translate 'good morning' to Korean?",
        "Мне нужен перевод этого договора на немецкий",
        "Bitte übersetzen: the cat sat on the mat",
    ],
    "code": [
        "My React component re-renders forever, here is App.tsx",
        "Refactor this class to use dependency injection",
        "Исправь баг в функции сортировки",
        "Warum wirft dieses Programm eine Fehlermeldung?",
        "optimize this query: SELECT name FROM t",
    ],
    "skills": [
        "Please open the settings and restart the service",
        "Schedule a call with the team tomorrow at 9",
        "Установи пакет и перезапусти сервер",
        "Download the latest invoice",
    ],
    "strategy": [
        "Help me prioritize our product roadmap for Q3",
        "How should we plan our expansion to Asia?",
        "Estrategia de crecimiento para una startup",
    ],
    "analysis": [
        "Evaluate the pros and cons of remote work",
        "Summarize this article in three bullet points",
        "Оцени риски этого проекта",
        "Bewerte diese drei Bewerber",
    ],
    "content": [
        "Draft a newsletter announcing our summer sale",
        "Compose a haiku about rain",
        "Сочини сказку про лису",
        "Redacta un discurso de boda",
    ],
    "queries": [
        "When did the Berlin Wall fall?",
        "Is a tomato a fruit?",
        "Где находится озеро Байкал?",
        "¿Cuánto mide el Everest?",
    ],
}


def right(prompts: dict[str, list[str]]) -> float:
    pairs = [(task, text) for task, texts in prompts.items() for text in texts]
    return sum(classify(text) == task for task, text in pairs) / len(pairs)


def test_known_prompts_are_told_apart():
    wrong = {text: classify(text) for task, texts in KNOWN.items() for text in texts if classify(text) != task}
    assert wrong == {}


def test_most_prompts_that_it_was_not_made_for():
    assert right(UNSEEN) >= 0.85


@pytest.mark.parametrize("text", ["", "hi", "ok", "thanks!", "\x00\ufffd 🤷", "12345", "asdf qwer"])
def test_what_says_nothing_is_no_task(text):
    assert classify(text) is None


def test_long_texts_are_read_at_both_ends_and_quickly():
    filler = "lorem ipsum dolor " * 60_000
    for text in (filler + "\nTranslate this into Polish, please", "Translate this into Polish:\n" + filler):
        assert classify(text) == "translation"
        assert quickest(partial(classify, text)) < 0.05


def test_every_answer_is_one_of_the_tasks():
    assert {classify(text) for texts in (*KNOWN.values(), *UNSEEN.values()) for text in texts} <= {*TASKS, None}

"""What kind of task a text asks for, by its words, in English, Russian, German, Spanish and Chinese. No model, microseconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

TASKS: tuple[str, ...] = ("translation", "code", "skills", "strategy", "analysis", "content", "queries")
"""The kinds; of two that are equally likely the first one is meant."""
HEAD, TAIL = 800, 200
"""Characters read: what is wanted is said at the beginning or at the end."""
MOST, ENOUGH = 4.0, 0.8
"""More than so many words say no more, and less than so many votes say nothing."""
EARLY = 60
"""A word among so many first characters counts twice."""

WORDS: Mapping[str, str] = {
    "translation": """
        translate translat* переведи* перевод* перевести übersetz* traduc* tradúce* traduz* traduis*
        """,
    "code": """
        code coding function functions bug bugs debug* refactor* implement* compile* stacktrace traceback exception
        regex sql api endpoint script python javascript typescript rust golang java bash docker* kubernetes git repo repository
        unittest npm pip algorithm algorithms class method variable database schema backend frontend css html json yaml segfault pytest
        код* кода функци* баг* отлад* скрипт* рефактор* алгоритм* класс питон* метод компил*
        funktion* programm* skript* methode klasse fehlermeldung algorithmus
        función funciones código depura* programa algoritmo clase método
        """,
    "skills": """
        run execute launch open click book schedule send remind browse download upload deploy install uninstall restart rename
        запусти* выполни открой* отправ* заброниру* запланиру* скача* напомни* установи* перезапусти* разверни загрузи
        führe ausführen starte öffne sende schick* buche lade installier* erinner* vereinbare
        ejecuta* abre envía* enví* reserva* agenda descarga* instala* recuérda* despliega*
        """,
    "strategy": """
        strateg* roadmap* prioriti* positioning okr okrs planning plan plans go-to-market monetiz* expansion
        стратег* приоритет* позиционир* планир* план плана развити* дорожн*
        strategie* fahrplan geschäftsplan planung positionierung priorisier* wachstums*
        estrateg* negocio planificación priorid* posicionamiento
        """,
    "analysis": """
        analy* compar* evaluat* assess* trend trends correlat* interpret* insight* statistic* summari* anomal* pros contrast
        проанализ* анализ* сравн* оцен* тренд* интерпрет* статист* выдели резюмир*
        analys* vergleich* bewert* auswert* interpretier* fasse zusammen*
        analiz* anális* evalúa* evalua* interpreta* resume resumen tendencia*
        """,
    "content": """
        blog* article essay poem haiku story letter email e-mail newsletter speech slogan headline tweet caption lyrics advert*
        rewrite rephrase proofread draft compose write
        напиши* письмо статью стать* пост рассказ стих* текст эссе речь слоган объявлени* перепиши отредактируй сочини
        schreib* brief artikel gedicht geschichte blogbeitrag rede aufsatz werbetext verfasse formulier*
        escrib* redacta carta artículo poema cuento correo ensayo discurso eslogan
        """,
    "queries": """
        who whom whose what when where which how why is are does did can explain define
        кто что где когда сколько какой какая какое какие почему зачем как чей объясни
        wer was wann wo wie wieviel welche welcher welches warum erkläre
        quién qué cuándo dónde cuánto cuánta cuál cómo explica
        """,
}
CHINESE: Mapping[str, str] = {
    "translation": "翻译 译成 译为",
    "code": "代码 函数 调试 算法 编程 脚本 报错 数据库 接口",
    "skills": "运行 执行 打开 发送 预订 安排 下载 提醒 安装 部署",
    "strategy": "战略 策略 规划 路线图 商业计划 优先级",
    "analysis": "分析 比较 评估 对比 趋势 总结",
    "content": "写一篇 写一首 写一封 写一段 写一个故事 文章 邮件 诗 故事 文案 润色 演讲",
    "queries": "什么 谁 哪 几 多少 吗 怎么 为什么 如何",
}
WEIGHTS: Mapping[str, float] = {
    "translation": 4.0, "code": 1.6, "skills": 1.0, "strategy": 1.5, "analysis": 1.5, "content": 1.0, "queries": 0.8
}  # fmt: skip
CODE = re.compile(
    r"```|\b[\w/-]+\.(?:py|js|tsx?|go|rs|java|cpp|hpp|rb|php|sql|sh|css|toml|ya?ml)\b|\w\(\)|=>|C\+\+|C#"
    r"|^\s*(?:def|class|import|SELECT|public|const|let) ",
    re.MULTILINE,
)
COMMAND = re.compile(r"\A/[a-z][\w:-]*")
OPENING = re.compile(
    r"\W*(?:(?:please|can|could|would|you|пожалуйста|bitte|kannst|du|por|favor|puedes|请|帮我)\W*){0,4}(\w+)", re.IGNORECASE
)
TOKEN = re.compile(r"\w+(?:-\w+)*")


def listened(sign: str) -> dict[str, str]:
    """Whole words of the vocabulary, or with `*` beginnings of words, each with its task."""
    words = [(word, task) for task, listed in WORDS.items() for word in listed.split() if word.endswith("*") == bool(sign)]
    return {word.removesuffix("*"): task for word, task in words}


WHOLE, BEGINNINGS = listened(""), listened("*")
LENGTHS = tuple(sorted({len(word) for word in BEGINNINGS}))
TERMS = {term: task for task, terms in CHINESE.items() for term in terms.split()}
TERM = re.compile("|".join(sorted(TERMS, key=len, reverse=True)))


def classify(text: str) -> str | None:
    """One of `TASKS`; None when nothing speaks for any."""
    return _classified(text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}")


@lru_cache(1024)
def _classified(text: str) -> str | None:
    votes = {task: min(count, MOST) * WEIGHTS[task] for task, count in counts(text).items()}
    votes["code"] += 4.0 if CODE.search(text) else 0.0
    votes["queries"] += 1.0 if text.rstrip().endswith(("?", "？")) else 0.0
    if COMMAND.match(text):
        votes["skills"] += 6.0
    elif opens_with_an_errand(text):
        votes["skills"] += 3.0
    else:
        votes["skills"] = 0.0  # such verbs say little anywhere but at the beginning
    best = max(TASKS, key=lambda task: votes[task])
    return best if votes[best] >= ENOUGH else None


def counts(text: str) -> dict[str, float]:
    """For each task how many different words of its are heard; early ones count twice."""
    heard: dict[str, tuple[str | None, float]] = {}
    for match in TOKEN.finditer(text):
        word = match[0].casefold()
        if word not in heard:
            heard[word] = (task_of_word(word), 2.0 if match.start() < EARLY else 1.0)
    for match in () if text.isascii() else TERM.finditer(text):
        heard.setdefault(match[0], (TERMS[match[0]], 2.0 if match.start() < EARLY else 1.0))
    found: dict[str, float] = dict.fromkeys(TASKS, 0.0)
    for task, weight in heard.values():
        if task:
            found[task] += weight
    return found


def task_of_word(word: str) -> str | None:
    if task := WHOLE.get(word):
        return task
    size = len(word)
    for length in LENGTHS:
        if length > size:
            break
        if task := BEGINNINGS.get(word[:length]):
            return task
    return None


def opens_with_an_errand(text: str) -> bool:
    opening = OPENING.match(text)
    if opening is None:
        return False
    term = TERM.match(opening[1])
    return (TERMS[term[0]] if term else task_of_word(opening[1].casefold())) == "skills"

"""Rules that know better than a sum of signals. Each says what it found, or None.

The last two only raise what the signals say; the others decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from msgspec import Raw

from lynkr_scorer_heuristic.reading import QUOTES, Reading
from lynkr_scorer_heuristic.signals import BRIEF
from lynkr_scorer_heuristic.words import GREETING, PROOF, SIDE, SMALL_TALK

MAX_SYSTEM = 6_000
"""Bytes of a system prompt that a side request may have; an agent's own is far longer."""
MAX_PROBE = 16
"""Answer tokens with which nothing but a probe, a label or a prefix can be meant."""
MAX_SMALL_TALK = 10
LONGEST_WORD = 60
"""Characters; what is longer is a key, a hash or junk."""
MEDIUM, COMPLEX = 26.0, 51.0
UNKNOWN = 40.0
"""The score of a request in which no human says anything: the cheaper half of medium."""
DECAY = 0.97
"""What is left, after each turn of tool results, of the distance between the ask's score and the unknown."""
RAISING = frozenset(("formal", "deep", "incident"))
"""Signals without which neither `deep_thought` nor `incident` has anything to say."""


class Verdict(NamedTuple):
    """`gate` names the rule; `reason` is for people."""

    gate: str
    value: float
    reason: str


SYSTEMS: tuple[tuple[bytes, str, float], ...] = (
    (b"title generator", "title", 4.0), (b"title for th", "title", 4.0), (b"concise title", "title", 4.0),
    (b"short title", "title", 4.0), (b"new conversation topic", "topic", 4.0), (b"file paths that", "paths", 6.0),
    (b"command prefix", "prefix", 6.0), (b"under 50 characters", "title", 4.0), (b"suggestion mode", "suggestion", 10.0),
    (b"summarizing conversations", "summary", 30.0), (b"summarize the conversation", "summary", 30.0),
    (b"summarise the conversation", "summary", 30.0),
)  # fmt: skip
"""What stands in the system prompts of coding tools' own requests: text in lower case, kind, score."""

_titles = r"(?:title|titel|überschrift|título|название|заголовок)"
_chats = r"(?:chat|gespräch|unterhaltung|charla|conversación|чата|диалога|разговора|беседы)"
_this = r"(?:for this|für diese[ns]?|para est[ea]|для это(?:го|й))"
_sides = (
    (re.compile(r"\A\W*(?:please )?(?:write|generate|create|give|suggest)\b[^.\n]{0,40}\btitle for (?:this|the|our)\b", re.I), "title", 4.0),
    (re.compile(rf"\A\W*(?:short |kurzer |короткий )?{_titles} {_this} {_chats}", re.I), "title", 4.0),
    (re.compile(rf"\A\W*\w+\b[^.\n]{{0,40}}\b{_titles}\b[^.\n]{{0,40}}\b{_chats}\b", re.I), "title", 4.0),
    (re.compile(r"\A[^。\n]{0,20}(?:对话|聊天|会话)[^。\n]{0,20}标题|\A[^。\n]{0,20}标题[^。\n]{0,20}(?:对话|聊天|会话)"), "title", 4.0),
    (re.compile(r"\A\W*(?:task:\s*)?generate a (?:concise|short|brief)[^.\n]{0,40}\btitle\b", re.I), "title", 4.0),
    (re.compile(r"\A\W*(?:write|generate)\b[^.\n]{0,30}\bcommit (?:subject|message|title)\b", re.I), "commit message", 10.0),
    (re.compile(r"\A\W*suggestion mode\b", re.I), "suggestion", 10.0),
    (re.compile(r"\A\W*(?:task:\s*)?(?:suggest|generate) \d[-\d]* (?:broad |relevant )?(?:tags|follow[- ]up)", re.I), "suggestion", 10.0),
    (re.compile(r"\bextract (?:any|all|the) file ?paths\b", re.I), "paths", 6.0),
    (re.compile(r"\A\W*(?:your task is to )?(?:create|write|give)\b[^.\n]{0,40}\bsummary of the conversation\b", re.I), "summary", 30.0),
    (re.compile(r"\A\W*summari[sz]e (?:the|this|our)\b[^.\n]{0,20}\bconversation\b", re.I), "summary", 30.0),
)  # fmt: skip
_blanks = re.compile(r"[ \t]+")
SIDE_AT, SIDE_WORDS = 400, 80
"""A side request says what it is in its first characters and words; what follows is quoted."""

_proof = re.compile(
    r"(?:\A|[.!?;:,\n]\s{0,3}|\b(?:and|or|then|to|please|и|und|y)\s{1,3})"
    r"(?:prove(?!,? (?:(?:to )?me\b|it\b|(?:that )?you))|disprove|derive(?! an? (?:new )?(?:class|type|struct))"
    r"|докажи(?:те)?(?!,? что (?:ты|вы|у тебя|у вас)\b)|demuestra(?!,? que (?:sabes|puedes|eres|tienes)\b)|deriva)\b"
    r"|\bprove (?:that(?! you)|or|why|correctness|optimality)\b"
    r"|(?:\A|[.!?;:\n]\s{0,3}|\b(?:und|bitte|dann)\s{1,3})beweisen?\b(?! mir|,? dass du\b)"  # after a comma it is mostly the noun
    r"|\bвыведи(?:те)?\s(?:\w+\s){0,2}(?:формул|уравнени|закон|неравенств|распределени|соотношени|оценк|тождеств|выражени)",  # else: print
    re.I,
)
_proof_chinese = re.compile(
    r"(?:\A|[，。；,.\s])(?:请|试|并|并且)?证明(?!书|材料|文件|信|(?:一下|给)?[你我他她])|(?:归纳法|反证法|并)证明|推导"
)


def tool_results(steps: int, inherited: float | None) -> Verdict:
    """The agent's own next step: as hard as the task it belongs to, which is the less telling the longer ago it was asked."""
    if inherited is None:
        return Verdict("tool_results", UNKNOWN, "only tool results, and what they are for is unknown")
    value = UNKNOWN + (inherited - UNKNOWN) * DECAY ** min(steps, 100)
    return Verdict("tool_results", value, f"only tool results: inherits the ask's {inherited:.0f}")


def probe(max_tokens: int | None) -> Verdict | None:
    """An answer of so few tokens is a label, a prefix or a test of the connection."""
    if max_tokens is None or max_tokens > MAX_PROBE:
        return None
    return Verdict("probe", 3.0, f"side request: at most {max_tokens} tokens wanted")


def side_system(fields: Mapping[str, Raw]) -> Verdict | None:
    """The system prompt of a tool's own small request, which brings no tools and is short."""
    raw = fields.get("system") or fields.get("instructions") or fields.get("messages") or fields.get("input")
    if raw is None or has_tools(fields):
        return None
    is_own = "system" in fields or "instructions" in fields
    system = beginning(raw, MAX_SYSTEM + 1) if is_own else leading_system(beginning(raw, MAX_SYSTEM + 200))
    if not system or len(system) > MAX_SYSTEM:
        return None
    return of_system(system)


def beginning(raw: Raw, most: int) -> bytes:
    """A copy of a whole conversation would cost more than all of this; of a short one it costs less than a view."""
    return bytes(raw) if len(raw) <= most else bytes(memoryview(raw)[:most])


@lru_cache(maxsize=64)
def of_system(system: bytes) -> Verdict | None:
    """Remembered, because an application sends the same system prompt again and again."""
    system = system.lower()
    for mark, kind, value in SYSTEMS:
        if mark in system:
            return Verdict("side_request", value, f"side request: {kind}")
    return None


def has_tools(fields: Mapping[str, Raw]) -> bool:
    tools = fields.get("tools")
    return tools is not None and len(tools) > len(b"null")


def leading_system(head: bytes) -> bytes:
    """The first message's bytes, when it is a system or developer message: up to the next role. `head`: where the messages begin."""
    first = head.find(b'"role"')
    role = head[first + 6 : first + 22].lstrip(b": \t\r\n")
    if first < 0 or not role.startswith((b'"system"', b'"developer"')):
        return b""
    end = head.find(b'"role"', first + 6)
    return head if end < 0 else head[:end]


def side_text(reading: Reading) -> Verdict | None:
    """A tool's own small request by its wording, whatever is quoted after it."""
    if reading.text == "quota":
        return Verdict("side_request", 3.0, "side request: quota")
    if SIDE.isdisjoint(reading.words[:SIDE_WORDS]):
        return None
    head = _blanks.sub(" ", reading.text[:SIDE_AT])
    for pattern, kind, value in _sides:
        if pattern.search(head):
            return Verdict("side_request", value, f"side request: {kind}")
    return None


def small_talk(reading: Reading) -> Verdict | None:
    """A greeting, thanks, yes, no, go on."""
    words = reading.words
    if not words:
        return Verdict("small_talk", 3.0, "no words") if len(reading.text) < 20 else None
    if min(map(len, words)) > LONGEST_WORD and reading.phrase.isascii():
        return Verdict("small_talk", 3.0, "no words")
    if not reading.text.isascii() and _small_chinese.fullmatch(reading.text):
        return Verdict("small_talk", 3.0, "small talk")
    if len(words) > MAX_SMALL_TALK or not SMALL_TALK.issuperset(words) or GREETING.isdisjoint(words):
        return None
    return Verdict("small_talk", 3.0, "small talk")


_small_chinese = re.compile(
    r"(?:你好|您好|嗨|大家好|早上好|晚上好|谢谢|多谢|感谢|非常|你|您|好的|好|可以|行|继续|是的|对|不用|不|了|吗|啊|吧|呀|太棒|请|[\s，。！？!?,.~～])+"
)


def deep_thought(reading: Reading, value: float) -> Verdict | None:
    """An explicit wish for a proof or for long thought, of something hard. `value`: what the signals say; of what is easy by them both are
    words. By prompts whose authors the model had not seen: 19 of 20 with a wish to think were not hard, and of 45 with the imperative of
    proof that the signals called simple or medium, 19 were. What a child is to be shown is no proof that needs long thought.
    """
    if reading.shape == "lookup" or value < COMPLEX:
        return None
    if reading.count("formal") and not reading.count("lay") and asks_for_proof(reading):
        return Verdict("deep_thought", 78.0, "a proof or derivation is asked for")
    if reading.count("deep"):
        return Verdict("deep_thought", 80.0, "deep thought is asked for")
    return None


def asks_for_proof(reading: Reading) -> bool:
    if not PROOF.isdisjoint(reading.words):
        return _proof.search(reading.text) is not None
    return not reading.text.isascii() and _proof_chinese.search(reading.text) is not None


def incident(reading: Reading, value: float) -> Verdict | None:
    """Something is broken for everybody, or security is to be reviewed: the stakes are high. `value`: what the signals say; where that is
    simple, the words must be the whole ask and no heading, quotation or ticket that is worked on.
    """
    if reading.shape or not reading.count("incident"):
        return None
    if value < MEDIUM and (reading.units > BRIEF or not QUOTES.isdisjoint(reading.text)):
        return None
    return Verdict("incident", 62.0, "incident or security review")

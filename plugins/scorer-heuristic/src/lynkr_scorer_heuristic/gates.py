"""Rules that know better than a sum of signals. Each says what it found, or None.

A `Verdict` with `floor` only raises what the signals say; one without it decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Raw

from lynkr_scorer_heuristic.ask import Ask
from lynkr_scorer_heuristic.reading import Reading
from lynkr_scorer_heuristic.words import GREETING, SMALL_TALK

MAX_SYSTEM = 6_000
"""Bytes of a system prompt that a side request may have; an agent's own is far longer."""
MAX_PROBE = 16
"""Answer tokens with which nothing but a probe, a label or a prefix can be meant."""
MAX_SMALL_TALK = 10
MEDIUM = 26.0


class Verdict(NamedTuple):
    """`gate` names the rule; `reason` is for people."""

    gate: str
    value: float
    reason: str
    floor: bool = False


SYSTEMS: tuple[tuple[bytes, str, float], ...] = (
    (b"title generator", "title", 4.0),
    (b"title for th", "title", 4.0),
    (b"concise title", "title", 4.0),
    (b"short title", "title", 4.0),
    (b"new conversation topic", "topic", 4.0),
    (b"file paths that", "paths", 6.0),
    (b"command prefix", "prefix", 6.0),
    (b"under 50 characters", "title", 4.0),
    (b"suggestion mode", "suggestion", 10.0),
    (b"summarizing conversations", "summary", 30.0),
    (b"summarize the conversation", "summary", 30.0),
    (b"summarise the conversation", "summary", 30.0),
)
"""What stands in the system prompts of coding tools' own requests: text in lower case, kind, score."""

_sides = (
    (re.compile(r"\A\W*(?:please )?(?:write|generate|create|give|suggest)\b[^.\n]{0,40}\btitle for (?:this|the|our)\b", re.I), "title", 4.0),
    (re.compile(r"\A\W*(?:task:\s*)?generate a (?:concise|short|brief)[^.\n]{0,40}\btitle\b", re.I), "title", 4.0),
    (re.compile(r"\A\W*(?:write|generate)\b[^.\n]{0,30}\bcommit (?:subject|message|title)\b", re.I), "commit message", 10.0),
    (re.compile(r"\A\W*suggestion mode\b", re.I), "suggestion", 10.0),
    (re.compile(r"\A\W*(?:task:\s*)?(?:suggest|generate) \d[-\d]* (?:broad |relevant )?(?:tags|follow[- ]up)", re.I), "suggestion", 10.0),
    (re.compile(r"\bextract (?:any|all|the) file ?paths\b", re.I), "paths", 6.0),
    (re.compile(r"\A\W*(?:your task is to )?(?:create|write|provide|give)\b[^.\n]{0,40}\bsummary of (?:the|this|our) conversation\b", re.I), "summary", 30.0),
    (re.compile(r"\A\W*summari[sz]e (?:the|this|our)\b[^.\n]{0,20}\bconversation\b", re.I), "summary", 30.0),
)  # fmt: skip
SIDE_AT = 400
"""A side request says what it is in its first characters; what follows is quoted."""

_deep = re.compile(
    r" (?:think (?:very |really |extra )?(?:hard|harder|deeply|carefully and deeply)|(?:ultra|mega)think|подумай(?:те)? (?:как следует|хорошенько|глубоко)"
    r"|denke? (?:gründlich|scharf|intensiv) nach|piensa (?:bien|a fondo|profundamente)) "
)
_deep_chinese = re.compile(r"深入思考|仔细思考|好好想想")
_proof = re.compile(
    r"\A (?:prove|disprove|докажи(?:те)?|beweisen?|beweise|demuestra|demuéstralo|demostrar) "
    r"| (?:(?:and|or|then|to) prove|prove (?:that|or|it|why|correctness|optimality)|beweise dass|demuestra que|и докажи(?:те)?) "
)
_proof_chinese = re.compile(r"(?:\A|[，。；,.\s])(?:请|试|并|并且)?证明(?!书|材料|文件|信)")
_incident = re.compile(
    r" (?:(?:production|prod|the site|our site) (?:is|went|goes) down|(?:production|major|critical) (?:outage|incident)|post ?mortem|data breach"
    r"|security (?:review|audit|assessment|analysis|incident)|threat model(?:l?ing)?|penetration test|root cause analysis"
    r"|(?:review|audit|check|scan|analy[sz]e) [^.]{0,80}(?:vulnerabilities|security (?:issues|holes|flaws|problems))"
    r"|аудит безопасности|модель угроз|утечк[аиу] данных|прод(?:акшн)? упал|sicherheits(?:prüfung|audit|analyse|überprüfung|vorfall)|bedrohungsmodell"
    r"|auditoría de seguridad|revisión de seguridad|modelo de amenazas|brecha de datos) "
)
_incident_chinese = re.compile(r"安全(?:审计|审查|评审|评估)|威胁(?:模型|建模)|线上(?:事故|故障)|故障复盘|数据泄露|渗透测试")


def tool_results(ask: Ask) -> Verdict | None:
    """The agent's own next step: as hard as the task it belongs to, which this turn does not tell."""
    return Verdict("tool_results", 40.0, "only tool results: inherits") if ask.tool_results else None


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
    system = bytes(raw)
    if "system" not in fields and "instructions" not in fields:
        system = leading_system(system)
    if not system or len(system) > MAX_SYSTEM:
        return None
    system = system.lower()
    for mark, kind, value in SYSTEMS:
        if mark in system:
            return Verdict("side_request", value, f"side request: {kind}")
    return None


def has_tools(fields: Mapping[str, Raw]) -> bool:
    tools = fields.get("tools")
    return tools is not None and len(bytes(tools)) > len(b"null")


def leading_system(items: bytes) -> bytes:
    """The first message's bytes, when it is a system or developer message: up to the next role."""
    head = items[: MAX_SYSTEM + 200]
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
    head = reading.text[:SIDE_AT]
    for pattern, kind, value in _sides:
        if pattern.search(head):
            return Verdict("side_request", value, f"side request: {kind}")
    return None


def small_talk(reading: Reading) -> Verdict | None:
    """A greeting, thanks, yes, no, go on."""
    words = reading.words
    if not words:
        return Verdict("small_talk", 3.0, "no words") if len(reading.text) < 20 else None
    if _small_chinese.fullmatch(reading.text):
        return Verdict("small_talk", 3.0, "small talk")
    if len(words) > MAX_SMALL_TALK or not SMALL_TALK.issuperset(words) or GREETING.isdisjoint(words):
        return None
    return Verdict("small_talk", 3.0, "small talk")


_small_chinese = re.compile(r"(?:你好|您好|嗨|大家好|早上好|晚上好|谢谢|多谢|感谢|非常|你|您|好的|好|可以|行|继续|是的|对|不用|不|了|吗|啊|吧|呀|太棒|请|[\s，。！？!?,.~～])+")


def deep_thought(reading: Reading, value: float) -> Verdict | None:
    """An explicit wish for a proof or for long thought. Thought alone lifts an easy task by one tier at most."""
    if reading.shape == "lookup":
        return None
    phrase, chinese = reading.phrase, not reading.text.isascii()
    if _proof.search(phrase) or (chinese and _proof_chinese.search(reading.text)):
        return Verdict("deep_thought", 78.0, "a proof is asked for", floor=True)
    if _deep.search(phrase) or (chinese and _deep_chinese.search(reading.text)):
        return Verdict("deep_thought", 80.0 if value >= MEDIUM else 40.0, "deep thought is asked for", floor=True)
    return None


def incident(reading: Reading) -> Verdict | None:
    """Something is broken for everybody, or security is to be reviewed: the stakes are high."""
    if reading.shape:
        return None
    if _incident.search(reading.phrase) or (not reading.text.isascii() and _incident_chinese.search(reading.text)):
        return Verdict("incident", 62.0, "incident or security review", floor=True)
    return None

"""In which writing a text is, and whether an answer is in another one than its ask for no reason."""

from __future__ import annotations

import re

ASKED, ANSWERED = 12, 40
"""Letters without which a text is in no script in particular."""
MOST = 0.75
"""Share of the letters that are in the one script."""
HEAVY = 2
"""A character of a writing without an alphabet counts as so many letters."""

SCRIPTS = {
    "Latin": re.compile(r"[A-Za-zÀ-ɏ]"),
    "Cyrillic": re.compile(r"[Ѐ-ԯ]"),
    "Greek": re.compile(r"[Ͱ-Ͽἀ-῿]"),
    "Hebrew": re.compile(r"[֐-׿]"),
    "Arabic": re.compile(r"[؀-ۿݐ-ݿ]"),
    "Devanagari": re.compile(r"[ऀ-ॿ]"),
    "Thai": re.compile(r"[฀-๿]"),
    "East Asian": re.compile(r"[぀-ヿ㐀-䶿一-鿿가-힯]"),
}
_code = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
_other_wanted = re.compile(
    r"translat|in english|in (?:chinese|russian|japanese|korean|arabic|hebrew|greek|hindi|thai|ukrainian|spanish|german|french)"
    r"|\b(?:english|russian|chinese|japanese|korean|arabic|hebrew|greek|hindi|thai|ukrainian)\b"
    r"|перев[её]д|перевод|английск|китайск|японск|по-(?:английски|русски|китайски|немецки|испански)|на (?:английском|русском)"
    r"|翻译|翻譯|英文|英语|英語|俄语|日语|日文|韩语|中文|中国語|ロシア語|翻訳|영어|번역",
    re.IGNORECASE,
)


def script_of(text: str, least: int) -> str:
    """The script of nearly all letters; empty when there are few, or many scripts. Code and addresses are in none."""
    prose = _code.sub(" ", text)
    counts = {name: len(letters.findall(prose)) * (HEAVY if name == "East Asian" else 1) for name, letters in SCRIPTS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] >= max(least, MOST * sum(counts.values())) else ""


def wrong_script(ask: str, answer: str) -> str:
    """`answers in Latin script, asked in Cyrillic`; empty where both fit, one is in no script, or the ask speaks of a language."""
    asked = script_of(ask, ASKED)
    if not asked or _other_wanted.search(ask):
        return ""
    answered = script_of(answer, ANSWERED)
    return f"answers in {answered} script, asked in {asked}" if answered and answered != asked else ""

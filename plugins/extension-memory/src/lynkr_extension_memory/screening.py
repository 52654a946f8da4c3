"""What is never kept: what looks like a key, a password or a card, and what speaks to the model instead of about the user."""

from __future__ import annotations

import re
from collections import Counter
from math import log2

_named = re.compile(
    r"\b(?:sk|pk|rk|lk|gh[pousr]|glpat|xox[abposr]|hf|npm|pypi|AIza|AKIA|ASIA|ya29|eyJ|dop_v1|shpat|SG)[-_.]?[A-Za-z0-9_\-.]{12,}"
    r"|-----BEGIN|\b[a-z][a-z0-9+.-]*://[^\s/@]+:[^\s/@]+@"
)
_told = re.compile(
    r"\b(?:pass(?:word|wd|phrase|code)?s?|pwd|pin(?: ?code)?|secrets?|tokens?|credentials?|(?:api|private|access)[ _-]?keys?"
    r"|cvv|cvc|ssn|social security|contraseñas?|clave|passwort|kennwort|geheimnis)\b"
    r"|(?:парол|секретн\w+ ключ|密码|密碼|パスワード|비밀번호)",
    re.IGNORECASE,
)
_long = re.compile(r"[A-Za-z0-9_+/=-]{16,}")
_digits = re.compile(r"(?:\d[ -]?){13,19}")
_account = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_orders = re.compile(
    r"\b(?:ignore|disregard|override|bypass|forget)\b.{0,40}\b(?:instruction|prompt|rule|above|previous|prior|guard|polic)"
    r"|\b(?:system|developer) (?:prompt|message)|\byou are (?:now|no longer)\b|\bjailbreak|\bexfiltrat|\bdo anything now\b"
    r"|<\s*/?\s*\w|\[/?inst\]|\]\(https?:|!\[|\bcurl\b|\bwget\b|\brm -rf\b|\b(?:send|post|upload|forward)\b.{0,60}\b(?:https?:|www\.)",
    re.IGNORECASE,
)
ENTROPY = 3.5
"""Bits for each character from which a long run of letters and digits is taken for a key."""


def is_secret(text: str) -> bool:
    """By a simple filter: it knows shapes, not meanings."""
    if _named.search(text) or _told.search(text) or _account.search(text):
        return True
    return any(map(_is_random, _long.findall(text))) or any(map(_is_card, _digits.findall(text)))


def is_order(text: str) -> bool:
    """What tries to steer the model, as text from a tool or a page does, is no memory."""
    return bool(_orders.search(text))


def _is_random(word: str) -> bool:
    """Of letters and digits, mixed, and none repeated much."""
    if word.isalpha() or word.isdigit():
        return False
    size = len(word)
    bits = -sum(count / size * log2(count / size) for count in Counter(word).values())
    return bits >= ENTROPY and sum(map(str.isdigit, word)) >= 3


def _is_card(found: str) -> bool:
    """By the checksum that card numbers have."""
    digits = [int(sign) for sign in found if sign.isdigit()][::-1]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0

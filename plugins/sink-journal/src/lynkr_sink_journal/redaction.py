"""Takes what looks like a key, a token or an e-mail address out of texts. Every pattern reads a bounded stretch at each place."""

from __future__ import annotations

import re

LONGEST_TEXT = 4_000
"""Characters of a text that are looked at, and kept."""
PATTERNS = (
    ("key", r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,4000}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"),
    ("token", r"\beyJ[\w-]{8,2000}\.[\w-]{4,2000}(?:\.[\w-]{0,2000})?"),
    ("key", r"\b(?:sk|pk|rk|lk|gsk|hf|ghp|gho|ghs|ghu|github_pat|glpat|xai|xox[abprs]|npm|pypi|dop_v1)[-_][\w-]{12,300}"),
    ("key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{20,80}"),
    ("token", r"(?i:\b(?:bearer|basic)\s{1,4})[\w.~+/=-]{8,2000}"),
    (
        "secret",
        r"(?i:\b(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?token)[\"']?\s{0,4}[:=]\s{0,4}[\"']?)[^\s\"',;]{4,300}",
    ),
    ("e-mail", r"\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"),
)
RULES = tuple([(f"[{name}]", re.compile(pattern)) for name, pattern in PATTERNS])


def redacted(text: str) -> str:
    """The beginning of the text with `[key]`, `[token]`, `[secret]` and `[e-mail]` in the places of such."""
    text = text[:LONGEST_TEXT]
    for instead, pattern in RULES:
        text = pattern.sub(instead, text)
    return text

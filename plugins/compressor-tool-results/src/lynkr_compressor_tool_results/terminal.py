"""What a terminal would show of a text: without colours, overwritten progress and long trailing blanks."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_OVERWRITTEN = re.compile(r"[^\r\n]*\r(?=[^\r\n])")
_BLANKS = re.compile(r"[ \t]{4,}(?=\r?\n|\Z)")
_ANY_BLANKS = re.compile(r"[ \t]+(?=\r?\n|\Z)")


def shown(text: str) -> str:
    """The text without what no terminal shows. Indentation and every visible character stay. The same again for what it gives."""
    while True:
        before = text
        if "\x1b" in text:
            text = _ESCAPES.sub("", text)
        if "\r" in text:
            text = _OVERWRITTEN.sub("", text)
        if "   \n" in text or "   \r" in text or "\t\n" in text or text[-1:] in (" ", "\t"):
            text = _BLANKS.sub("", text)
        if text == before:
            return text


def plain(text: str) -> str:
    """For comparing: as `shown`, and with no trailing blanks at all."""
    return shown(_ANY_BLANKS.sub("", shown(text)))

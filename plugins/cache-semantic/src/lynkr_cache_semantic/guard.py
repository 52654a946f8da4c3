"""What must agree to the word before two texts may share an answer, however near their vectors are.

A text becomes a signature: all its words in their order, but for articles and what is only polite. A handful of words count as one another.
Numbers, quotes, names, paths, signs, negation, modal verbs, direction and language are all words in an order, so two texts of one signature
can differ in manner only. Languages other than English have no words that may differ.
"""

from __future__ import annotations

import re
import unicodedata

from lynkr_cache_semantic.words import (
    CONTRACTIONS,
    DROPPED,
    HOMOGRAPHS,
    KINDS,
    NUMBERS,
    ON_WORDS,
    PHRASES,
    PLURALS,
    POLITE,
    SAME,
    SHORT_FORMS,
)  # fmt: skip

Signature = list[str]
CODE = re.compile(r"```|[{};]|=>|->|\\|\n\s*\n|(?:\n.*){4}")
"""Signs of code, logs or long prose, of which nothing may be left out."""
_QUOTED = r"""`[^`]*`|"[^"]*"|“[^”]*”|«[^»]*»|‘[^’]*’|(?<!\w)'[^']+'(?!\w)"""
QUOTED = re.compile(_QUOTED)
TOKEN = re.compile(
    rf"""(?P<quoted>{_QUOTED})"""
    r"""|(?P<literal>(?:https?://|www\.)\S+|[\w.+-]+@[\w.-]+|[@#]\w[\w-]*|--?[A-Za-z][\w-]*|~?/[\w./-]+"""
    r"""|\w+(?:[./:_\\]\w+)+|\w*[a-z][A-Z]\w*|[A-Za-z]+[+#]+|\w+\(\)"""
    r"""|[^\W\d_]+\d\w*|\d+[^\W\d_]\w*)"""
    r"""|(?P<number>[-−]?\d[\d,.]*\d|[-−]?\d)"""
    r"""|(?P<word>[^\W\d_]+(?:-[^\W\d_]+)*)|(?P<mixed>\w+)|(?P<stop>[,.?!:()\n])|(?P<sign>[^\w\s])"""
)
AHEAD = re.compile(
    r"^((?:in|on|at|for|as|before|after|when|with) [^,?!.;]{1,60}), (?=\w)(.*?)([?.!\s]*)$", re.IGNORECASE | re.DOTALL
)
"""What a sentence begins with and could as well end with: `In Python, how …`."""
OPENING = re.compile(r"[.?!:\n]\s*$|^\s*$")


def signature(text: str) -> Signature | None:
    """As JSON values; None for a text in which everything counts, such as code or words to translate, and for one that only says hello."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").strip()
    if not plain or CODE.search(plain) or (ON_WORDS.search(plain) and not QUOTED.search(plain)):
        return None
    plain = CONTRACTIONS.sub(lambda found: SHORT_FORMS[found.group(0).lower()], plain)
    for pattern, together in PHRASES:
        plain = pattern.sub(together, plain)
    kind, rest = framed(plain)
    words = tokens(rest)
    return [kind, *words] if words else None


def framed(text: str) -> tuple[str, str]:
    """What kind of question it is, and the text without the words that say so."""
    for pattern in POLITE:
        text = pattern.sub(" ", text, count=1)
    text = AHEAD.sub(r"\2, \1", text)
    for kind, pattern in KINDS:
        rest, count = pattern.subn(" ", text, count=1)
        if count:
            return kind, rest
    return "", text


def tokens(text: str) -> list[str]:
    """Words as they count. Sentences are kept apart, commas do not count."""
    found: list[str] = []
    for match in TOKEN.finditer(text):
        piece, group = match.group(0), match.lastgroup
        if group == "word":
            found += worded(piece, bool(OPENING.search(text[: match.start()])))
        elif group == "stop":
            found += ["."] if piece in ".?!" and found and text[match.end() :].strip(" .?!\n") else []
        elif group == "number":
            found.append(numbered(piece))
        else:
            found.append(f"={piece}")
    return found


def numbered(piece: str) -> str:
    """`1,000` and `1000` are one number, `1.5` and `1,5` are not the same."""
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", piece).replace("−", "-")
    return f"#{plain}"


def worded(word: str, opens: bool) -> list[str]:
    """A word as it counts. Capitals count where they make another word of it: US, Polish."""
    low = word.lower()
    if (word.isupper() and len(word) > 1) or (not opens and word[0].isupper() and low in HOMOGRAPHS):
        return [f"={word}"]
    if low in NUMBERS:
        return [f"#{NUMBERS[low]}"]
    if low in DROPPED:
        return []
    return [SAME.get(low) or SAME.get(singular(low)) or singular(low)]


def singular(word: str) -> str:
    """Without a plural's end; crude, but alike for alike words."""
    if word in PLURALS:
        return PLURALS[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word

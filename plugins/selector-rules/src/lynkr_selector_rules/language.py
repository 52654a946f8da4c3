"""Which language a text is in, by its letters and, among languages of one alphabet, by its most frequent words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

READ = 1000
"""Characters looked at."""
SCRIPTS: tuple[tuple[str, str], ...] = (
    ("ja", "\u3040-\u30ff"), ("ko", "\u1100-\u11ff\uac00-\ud7af"), ("zh", "\u3400-\u9fff"), ("ru", "\u0400-\u052f"),
    ("el", "\u0370-\u03ff"), ("he", "\u0590-\u05ff"), ("ar", "\u0600-\u06ff"), ("hi", "\u0900-\u097f"), ("bn", "\u0980-\u09ff"),
    ("ta", "\u0b80-\u0bff"), ("th", "\u0e00-\u0e7f"), ("ka", "\u10a0-\u10ff"), ("hy", "\u0530-\u058f"),
)  # fmt: skip
"""Letters by the language that most texts in them are in. A text with kana is Japanese however many Chinese signs it has."""
MARKS: Mapping[str, tuple[str, str]] = {"ru": ("uk", "іїєґІЇЄҐ"), "ar": ("fa", "پچژگ")}
"""Letters that only another language of the same script has."""
WORDS: Mapping[str, str] = {
    "en": "the of and to in is that it for you with on this are what how please can from have not write my do me a",
    "de": "der die das und ist nicht ein eine ich zu mit den von wie für auf bitte was kannst mir im des dem sich schreib",
    "fr": "le la les et est un une des que pour dans je pas vous sur avec ce qui du en au comment écris mon",
    "es": "el la los las y es un una que de para en por con no cómo qué se del mi escribe por favor",
    "pt": "o a os as e é um uma que de para em por com não como do da você meu escreva",
    "it": "il la lo gli e è un una che di per in con non come del della mi sono scrivi",
    "nl": "de het een en is van dat niet ik te met voor op zijn hoe wat kun je mijn schrijf",
    "pl": "i w na z do się nie jest że to jak dla po co czy napisz proszę mi",
    "tr": "ve bir bu için ile ne nasıl de da mi var çok olarak yaz bana",
    "sv": "och att det en ett är som på för med inte jag hur vad kan skriv min till",
    "cs": "a je se na v že to s z do jak ne pro co prosím napiš mi",
}
LATIN = "A-Za-z\u00c0-\u024f"
LEAST_SHARE = 0.3
LANGUAGES = frozenset([*[name for name, _ in SCRIPTS], *[name for name, _ in MARKS.values()], *WORDS])
SHORT = 40
"""Characters of a text in plain letters below which it may be a name or a number as well as words."""

_letters = {name: re.compile(f"[{letters}]") for name, letters in (*SCRIPTS, ("latin", LATIN))}
_word = re.compile(f"[{LATIN}]+")
_known = {word: [name for name, of in WORDS.items() if word in of.split()] for words in WORDS.values() for word in words.split()}


@lru_cache(1024)
def language_of(text: str) -> str | None:
    """A code of ISO 639-1; None when there are too few letters to tell."""
    text = text[:READ]
    counts = counted(text) if not text.isascii() else {}
    latin = counts.pop("latin", 0)
    if counts:
        if (kana := counts.get("ja")) and kana + counts.get("zh", 0) > latin * LEAST_SHARE:
            return "ja"
        best = max(counts, key=lambda name: counts[name])
        if counts[best] > (latin + counts[best]) * LEAST_SHARE:
            other, marks = MARKS.get(best, ("", ""))
            return other if any(mark in text for mark in marks) else best
    return latin_language(text)


def counted(text: str) -> dict[str, int]:
    """Letters by their script."""
    counts: dict[str, int] = {}
    for letter, times in Counter(text).items():
        if script := script_of(letter):
            counts[script] = counts.get(script, 0) + times
    return counts


@lru_cache(16_384)
def script_of(letter: str) -> str | None:
    return next((name for name, letters in _letters.items() if letters.match(letter)), None)


def languages_of(texts: Iterable[str]) -> set[str]:
    """Of every text that is long enough, or has other letters, piece by piece: some 100 ms for each megabyte."""
    found: set[str] = set()
    for text in texts:
        for place in range(0, len(text), READ):
            piece = text[place : place + READ]
            if (len(piece) >= SHORT or not piece.isascii()) and (language := language_of(piece)):
                found.add(language)
    return found


def latin_language(text: str) -> str | None:
    words = _word.findall(text.lower())
    votes = dict.fromkeys(WORDS, 0)
    for word in words:
        for name in _known.get(word, ()):
            votes[name] += 1
    best = max(votes, key=lambda name: votes[name])
    return best if votes[best] >= max(1, len(words) // 12) and words else None

"""A clean ask, read once: its words without pleasantries, what of the vocabulary occurs, how much was pasted."""

from __future__ import annotations

import re
from collections.abc import Collection

from msgspec import Struct

from lynkr_scorer_heuristic.clean import shortened
from lynkr_scorer_heuristic.words import (
    CHINESE_SIGNAL,
    CHINESE_TERM,
    ENDS,
    HAN,
    LEAD,
    LISTENED,
    LOOK_UP,
    LOOK_UP_PHRASES,
    ONE_STEP,
    ONE_STEP_PHRASES,
    OTHER_TASK,
    POLITE,
    TOKEN,
    WHO,
)  # fmt: skip

LOG_FROM = 1_000
"""Characters from which lines that look pasted are left out of the prose."""
TASK_FROM, MAX_TASK, MIN_TASK = 40, 400, 4
"""Characters from which it is asked which paragraphs are the task, and what such a paragraph has at most and at least."""
LONGEST_PLEASANTRY, MAX_PLEASANTRIES = 100, 20
"""Characters of a polite sentence, and how many are looked for at either end."""
MIN_INTRODUCTION = 9
"""Characters from which a paragraph that ends in a colon is no mere label."""
QUOTED = 1.5
"""What stands beside the task is so many times longer where it was pasted."""
MAX_LOOK_UP = 16.0
MAX_ONE_STEP = 30.0
MAX_SUM = 6.0
CHINESE_WORD = 0.6
"""Words per Han, Kana or Hangul character."""

MAX_STRANGE = 8
"""Different characters that belong to no word and are blanked one by one; for more a pattern is quicker."""

QUOTES = frozenset('"“„«「')
_quoted = re.compile(r'"[^"\n]{40,}"|“[^“”]{15,}”|„[^„“”]{40,}[“”]|«[^«»]{40,}»|「[^「」]{15,}」')
"""Where Chinese is quoted, fewer characters are long."""
CHOICE = re.compile(r"\n[ \t]{0,8}\(?[A-Ja-j][).][ \t]")
"""What an answer to choose from begins with."""
_first_sentence = re.compile(rf"[^.!?。！？\n]{{1,{LONGEST_PLEASANTRY}}}[.!?。！？\n]+\s*")
_last_sentence = re.compile(r"(?<=[.!?。！？\n])\s*[^.!?。！？\n]+[.!?。！？\s]*\Z")
_questioning, _introducing = frozenset("?？"), frozenset(":：")
_listened = frozenset(LISTENED)
_passed_over = POLITE | ENDS
_ascii = bytes(range(128))
_commas = frozenset(",;，、；")
_spoken = re.sub(rb"[^\w%.,\x80-\xff]", b" ", bytes(range(256)).lower().translate(bytes.maketrans(b"!?\n;", b"...,")))
"""Each byte as a word has it; a full stop for what ends a sentence, a comma for a clause, a blank for what stands between words."""
_west = bytes([code for code in range(256) if not 0xE3 <= code <= 0xED])
"""All but the first bytes of Han, Kana and Hangul in UTF-8."""
_pasted_line = re.compile(r"(?m)^(?:\[?\d{4}-\d\d-\d\d|\[?\d\d:\d\d:\d\d|[>|+@-]|[ \t]+at |\t| {4}).*\n?")


class Reading(Struct, frozen=True, gc=False):
    """`text` is what was read, shortened; `phrase` its words between single blanks; `units` its length in words of any script.

    `listed` counts commas and semicolons outside of pleasantries; `hits` counts distinct words and phrases by signal. `pasted` is in
    characters. `shape` is what the whole looks like.
    """

    text: str
    words: tuple[str, ...]
    phrase: str
    units: float
    pasted: int
    listed: int
    hits: dict[str, int]
    shape: str

    def count(self, signal: str) -> int:
        return self.hits.get(signal, 0)


def read(text: str) -> Reading:
    """Bounded: of a long text the beginning and the end are looked at, and `units` grows with what stands between."""
    prose, fenced = text, 0
    if "```" in text:
        parts = text.split("```")
        prose, fenced = "\n".join(parts[::2]), sum(map(len, parts[1::2]))
    prose = without_pleasantries(prose)
    asked = task_of(prose) if len(prose) > TASK_FROM else prose
    if len(asked) > TASK_FROM:
        asked = unquoted(asked)
    kept = shortened(asked)
    spoken = _pasted_line.sub("", kept) if len(kept) > LOG_FROM else kept
    words, listed = task_words(tokens(spoken))
    phrase = f" {' '.join(words)} "
    hits = heard(words, phrase)
    units = float(len(words))
    if not spoken.isascii():
        units += count_chinese(spoken, hits)
    if kept is not asked and 2 * len(set(words)) >= len(words):
        units *= len(asked) / len(kept)
    shape = shape_of(words, phrase, units, hits)
    looked_at, pasted = kept if kept.strip() else shortened(text), fenced + len(kept) - len(spoken) + len(prose) - len(asked)
    return Reading(looked_at, tuple(words), phrase, units, pasted, listed, hits, shape)


def task_of(prose: str) -> str:
    """The paragraphs at either end that say what to do with a longer text between, after or before them; else the whole.

    Of lines without blank ones between, only the first or last, and only if it asks. Answers to choose from are part of their task.
    """
    blank = "\n\n" if "\n\n" in prose else "\n"
    if blank not in prose or len(CHOICE.findall(prose)) > 1:
        return prose
    parts = [part for part in prose.split(blank) if len(part) >= MIN_TASK]
    first, last = 0, len(parts)
    while first < min(last, MAX_PLEASANTRIES) and skipped_whole(parts[first]):
        first += 1
    while last > max(first, len(parts) - MAX_PLEASANTRIES) and skipped_whole(parts[last - 1]):
        last -= 1
    parts = parts[first:last]
    if len(parts) < 2:
        return prose
    whole, ends = sum(map(len, parts)), [part for part in (parts[-1], parts[0]) if len(part) <= MAX_TASK]
    if len(blank) > 1 and len(ends) > 1 and whole - len(parts[0]) - len(parts[-1]) > QUOTED * (len(parts[0]) + len(parts[-1])):
        return f"{parts[0]}\n\n{parts[-1]}"
    ends.sort(key=asks, reverse=True)
    for end in ends:
        if whole - len(end) > QUOTED * len(end) and (len(blank) > 1 or asks(end)):
            return end
    return prose


def asks(part: str) -> bool:
    """Whether a paragraph ends as a question, or as what introduces a text."""
    end = part.rstrip()[-1:]
    return end in _questioning or (end in _introducing and len(part) > MIN_INTRODUCTION)


def unquoted(prose: str) -> str:
    """Without long quotations, if more than pleasantries is said beside them."""
    if QUOTES.isdisjoint(prose):
        return prose
    without = _quoted.sub(" ", prose)
    return prose if _passed_over.issuperset(tokens(without)) else without


def without_pleasantries(prose: str) -> str:
    """Without the polite sentences at either end, unless there is nothing else."""
    first, last = 0, len(prose)
    for _ in range(MAX_PLEASANTRIES):
        if not (found := _first_sentence.match(prose, first, last)) or not is_polite(found[0]):
            break
        first = found.end()
    for _ in range(MAX_PLEASANTRIES):
        if not (found := _last_sentence.search(prose, max(first, last - LONGEST_PLEASANTRY), last)) or not is_polite(found[0]):
            break
        last = found.start()
    return prose[first:last].strip() if 0 < last - first < len(prose) else prose


def is_polite(sentence: str) -> bool:
    spoken = tokens(sentence)
    return not ENDS.issuperset(spoken) and _passed_over.issuperset(spoken)


def skipped_whole(part: str) -> bool:
    """Whether a paragraph is polite and nothing else."""
    return len(part) < MAX_TASK / 4 and _passed_over.issuperset(tokens(part))


def tokens(text: str) -> list[str]:
    """The text's words in lower case, and the ends of its sentences. As `TOKEN` finds them, but all ends in ASCII are full stops."""
    if text.isascii():
        return text.encode().translate(_spoken).replace(b".", b" . ").replace(b",", b" , ").decode().split()
    text = text.lower()
    data = text.encode("utf-8", "surrogatepass")
    foreign = data.translate(None, _ascii).decode("utf-8", "surrogatepass")
    data = data.translate(_spoken).replace(b".", b" . ").replace(b",", b" , ")
    if not foreign.isalnum():
        strange = [char for char in set(foreign) if not char.isalnum()]
        if len(strange) > MAX_STRANGE:
            return TOKEN.findall(text)
        for char in strange:
            data = data.replace(char.encode("utf-8", "surrogatepass"), between(char))
    return data.decode("utf-8", "surrogatepass").split()


def between(char: str) -> bytes:
    """What stands for a character that belongs to no word."""
    return b" , " if char in _commas else b" . " if char in ENDS else b" "


def task_words(tokens: list[str]) -> tuple[list[str], int]:
    """The words without polite clauses at either end and without the words that only lead up to the task, and the commas among them."""
    first, last = 0, len(tokens)
    if last and tokens[0] in _passed_over:
        first = skipped(tokens, POLITE)
    if last > first + 1 and (tokens[-1] in POLITE or (tokens[-1] in ENDS and tokens[-2] in _passed_over)):
        last -= skipped(tokens[:first:-1], POLITE)
    task = tokens[first:last]
    words = [token for token in task if token not in ENDS]
    lead = 0
    while lead < len(words) - 1 and words[lead] in LEAD:
        lead += 1
    return words[lead:] or [token for token in tokens if token not in ENDS], sum([token in _commas for token in task])


def skipped(tokens: list[str], polite: Collection[str]) -> int:
    """How many tokens from the start make up sentences of polite words only."""
    count = 0
    for index, token in enumerate(tokens):
        if token in ENDS:
            count = index + 1
        elif token not in polite:
            return count
    return len(tokens)


def heard(words: list[str], phrase: str) -> dict[str, int]:
    hits: dict[str, int] = {}
    for word in sorted(
        _listened.intersection(words)
    ):  # a set's order differs from process to process, and an explanation must not
        signal, phrases = LISTENED[word]
        if signal:
            hits[signal] = hits.get(signal, 0) + 1
        for sought, spoken_for in phrases:
            if sought in phrase:
                hits[spoken_for] = hits.get(spoken_for, 0) + 1
    return hits


def count_chinese(text: str, hits: dict[str, int]) -> float:
    """Adds what Chinese terms say to `hits`; how many words the characters stand for."""
    if not text.encode("utf-8", "surrogatepass").translate(None, _west):
        return 0.0
    runs = HAN.findall(text)
    if not runs:
        return 0.0
    for term in sorted(set(CHINESE_TERM.findall(text))):
        signal = CHINESE_SIGNAL[term]
        hits[signal] = hits.get(signal, 0) + 1
    return CHINESE_WORD * sum(map(len, runs))


def shape_of(words: list[str], phrase: str, units: float, hits: dict[str, int]) -> str:
    """`lookup`: one fact is asked for. `one_step`: one small thing is to be done. Empty for everything else."""
    if not words or units > MAX_ONE_STEP or (words[0] not in WHO and not OTHER_TASK.isdisjoint(words)):
        return ""
    first = words[0]
    if units <= MAX_LOOK_UP and (
        first in LOOK_UP or "lookup" in hits or (first in _look_up_first and phrase.startswith(_look_up))
    ):
        return "lookup"
    if units <= MAX_SUM and any(word[0].isdigit() for word in words):
        return "lookup"
    if first in ONE_STEP or "one_step" in hits or (first in _one_step_first and phrase.startswith(_one_step)):
        return "one_step"
    return ""


_look_up_first = frozenset([start.split()[0] for start in LOOK_UP_PHRASES])
_one_step_first = frozenset([start.split()[0] for start in ONE_STEP_PHRASES])
_look_up = tuple(f" {start} " for start in LOOK_UP_PHRASES)
_one_step = tuple(f" {start} " for start in ONE_STEP_PHRASES)

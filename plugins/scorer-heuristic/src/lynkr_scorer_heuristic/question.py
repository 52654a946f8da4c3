"""What is measured of a question's form. Only "a weak model fails this" may use it: by the rubric, form raises no tier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log1p

from lynkr_scorer_heuristic.reading import CHOICE, Reading
from lynkr_scorer_heuristic.signals import LOOKED_AT, TEXT, share
from lynkr_scorer_heuristic.words import words

MIN_CHOICES = 2
"""Fewer lines that begin with a letter are no answers to choose from."""
_symbols = b"=+*/^<>%$"
_digits = b"0123456789"
CONDITIONS = words(
    """
    if unless when suppose given assume assuming assumes wenn falls sofern angenommen если пусть когда si cuando suponga dado
    """
)
COMPARISONS = words(
    """
    more less fewer than most least greater smaller larger before after twice half times mehr weniger als meisten doppelt halb mal vor nach
    больше меньше чем раз вдвое половина до после más menos que mayor menor doble mitad veces antes después
    """
)
QUANTIFIERS = words(
    """
    each every all any some none both only neither either jede jeder jedes alle einige keiner beide nur каждый все любой оба только никто
    cada todos todas alguno ninguno ambos solo
    """
)
NEGATIONS = words(
    """
    not no never except without false cannot nicht kein keine nie ohne außer falsch не нет никогда кроме без ложно
    nunca excepto sin falso
    """
)


def choices(text: str) -> list[str]:
    """The question, and the answers to choose from that stand below it, each on a line that begins with a letter."""
    text = text[:LOOKED_AT]
    parts = CHOICE.split(text) if "\n" in text else []
    return parts if len(parts) > MIN_CHOICES else [text]


def choice(reading: Reading) -> float:
    """There are answers to choose from."""
    return 1.0 if len(choices(reading.text)) > 1 else 0.0


def choice_length(reading: Reading) -> float:
    """The mean length of the answers to choose from, on a log scale, full at 150 characters."""
    given = choices(reading.text)[1:]
    return share(log1p(sum(map(len, given)) / len(given)), 5.0) if given else 0.0


def choice_numbers(reading: Reading) -> float:
    """The share of the answers to choose from that have digits."""
    given = choices(reading.text)[1:]
    return sum([removed(each, _digits) > 0 for each in given]) / len(given) if given else 0.0


def question_length(reading: Reading) -> float:
    """Words before the answers to choose from, on a log scale, full at 400."""
    return share(log1p(choices(reading.text)[0].count(" ")), 6.0)


def sentences(reading: Reading) -> float:
    """Full stops, question and exclamation marks, on a log scale."""
    text = reading.text
    return share(log1p(text.count(".") + text.count("?") + text.count("!") + text.count("。") + text.count("？")), 4.0)


def symbols(reading: Reading) -> float:
    """Signs of arithmetic, on a log scale."""
    return share(log1p(removed(reading.text, _symbols)), 4.0)


def conditions(reading: Reading) -> float:
    """If, unless, suppose, on a log scale."""
    return counted(reading, CONDITIONS)


def comparisons(reading: Reading) -> float:
    """More, less, twice, before, on a log scale."""
    return counted(reading, COMPARISONS)


def quantifiers(reading: Reading) -> float:
    """Each, all, none, only, on a log scale."""
    return counted(reading, QUANTIFIERS)


def negations(reading: Reading) -> float:
    """Not, never, except, on a log scale."""
    return counted(reading, NEGATIONS)


def counted(reading: Reading, sought: frozenset[str]) -> float:
    if sought.isdisjoint(reading.words):
        return 0.0
    return share(log1p(sum([word in sought for word in reading.words])), 3.0)


def removed(text: str, signs: bytes) -> int:
    """How many of the signs there are."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data) - len(data.translate(None, signs))


FORM: Mapping[str, Callable[[Reading], float]] = {
    each.__name__: each
    for each in (
        choice, choice_length, choice_numbers, question_length, sentences, symbols, conditions, comparisons, quantifiers, negations,
    )
}  # fmt: skip
"""In the order of the learned weights, after those of `TEXT`."""
EVERY: Mapping[str, Callable[[Reading], float]] = {**TEXT, **FORM}


def measured(reading: Reading) -> list[float]:
    """Every signal's value, in order."""
    return [measure(reading) for measure in EVERY.values()]

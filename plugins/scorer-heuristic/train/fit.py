"""From texts to four columns of weights. Deterministic: fixed seeds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from data import Row
from sklearn.linear_model import LogisticRegression, Ridge

from lynkr_scorer_heuristic.grams import cut, pairs_of, words_of
from lynkr_scorer_heuristic.model import CHOICE
from lynkr_scorer_heuristic.question import EVERY, FORM, measured
from lynkr_scorer_heuristic.reading import read
from lynkr_scorer_heuristic.signals import TEXT

MIN_SOURCES, MAX_GRAMS, MAX_PAIRS = 3, 20_000, 6_000
GRAM, PAIR, SIGNAL = 0.577, 1.0, 3.0
"""How strongly n-grams, pairs of words and signals are scaled before they are fitted: what is scaled less is shrunk more."""
LOGISTIC = 3.0
"""How freely the heads of the rubric may fit."""
FAIL_RIDGE = 100.0
FREE = 10.0
"""How large the mark of its source is beside a row of outcomes: large enough to be hardly shrunk."""
OWN, WEAK, ANCHOR, TEMPLATED = 3.0, 0.3, 0.03, 0.25
"""How much a row of each kind counts."""
ANCHORS = {"facts": 0, "arithmetic": 1, "code": 1, "exams": 1, "logic": 2}
"""The rubric's tier of kinds of exam questions; they count little."""
OUTCOMES = {"bulk", *FORM}
"""The signals that only "a weak model fails this" may use: by the rubric neither length nor form raises a tier."""
RAISING = frozenset(TEXT) & {
    "prompt_complexity", "technical_depth", "domain", "multi_step", "code_generation", "analysis_depth", "risk", "agentic_pattern",
    "formal", "constraints",
}  # fmt: skip
"""Signals of difficulty. Where one would lower the odds, because n-grams say the same better, the head does without it."""
SEED = 5
Sum = tuple[np.ndarray, float]
"""Weights and a constant."""


@dataclass
class Texts:
    """What is measured of every row, once: counts of n-grams and pairs over the root of the number of words, and signals.

    `scale`: of each column, by how rare it is.
    """

    rows: list[Row]
    names: list[str]
    grams: sp.csr_matrix
    signals: np.ndarray
    scale: np.ndarray

    def choice(self, at: np.ndarray) -> np.ndarray:
        """Which rows have answers to choose from."""
        return self.signals[at, list(EVERY).index(CHOICE)] > 0

    def columns(self, chosen: np.ndarray) -> list[str]:
        return [self.names[index] for index in chosen]


@dataclass
class Fitted:
    """Weights by n-gram column and signal for three log odds (at least medium, complex, reasoning) and `fails`, with their constants."""

    chosen: np.ndarray
    weights: np.ndarray
    base: np.ndarray

    def heads(self, texts: Texts, at: np.ndarray) -> np.ndarray:
        return features(texts, at, self.chosen) @ self.weights + self.base


def measure(rows: list[Row]) -> Texts:
    counts, signals, lengths = [], [], []
    known: dict[str, list[str]] = {}
    for row in rows:
        reading = read(row.text)
        words = words_of(reading)
        counts.append(Counter(gram for word in sorted(words) for gram in known.setdefault(word, cut(word))))
        counts[-1].update(pairs_of(reading.words))
        signals.append(measured(reading))
        lengths.append(max(1, len(words)))
    seen = Counter(gram for count in counts for gram in count)
    names = sorted(gram for gram, times in seen.items() if times >= MIN_SOURCES)
    index = {gram: at for at, gram in enumerate(names)}
    cells = [(r, index[g], n / lengths[r] ** 0.5) for r, count in enumerate(counts) for g, n in count.items() if g in index]
    where_row, where_column, values = zip(*cells, strict=True)
    matrix = sp.csr_matrix((np.array(values, np.float32), (where_row, where_column)), (len(rows), len(names)))
    return Texts(rows, names, matrix, np.array(signals), scales(names, [seen[name] for name in names], len(rows)))


def scales(names: list[str], times: list[int], rows: int) -> np.ndarray:
    """The root of how rare a column is, about 1 on the whole, times what its kind counts."""
    rare = np.log(np.maximum((rows + 1) / (np.array(times) + 1), 2))
    return np.sqrt(rare / rare.mean()) * [PAIR if is_pair(name) else GRAM for name in names]


def is_pair(name: str) -> bool:
    return " " in name[1:-1]


def choose(texts: Texts, at: np.ndarray) -> np.ndarray:
    """The n-grams and pairs seen in most sources, and in three at least."""
    by_source: dict[str, list[int]] = defaultdict(list)
    for index in at:
        by_source[texts.rows[index].source].append(index)
    sources = np.zeros(len(texts.names))
    for indexes in by_source.values():
        sources += np.asarray((texts.grams[indexes] > 0).sum(axis=0)).ravel() > 0
    often = np.asarray((texts.grams[at] > 0).sum(axis=0)).ravel()
    order = np.lexsort((-often, -sources))
    order = order[sources[order] >= MIN_SOURCES]
    paired = np.array([is_pair(texts.names[index]) for index in order])
    return np.sort(np.concatenate([order[~paired][:MAX_GRAMS], order[paired][:MAX_PAIRS]]))


def features(texts: Texts, at: np.ndarray, chosen: np.ndarray, hidden: Collection[str] = ()) -> sp.csr_matrix:
    """`hidden`: signals that are kept from what is fitted."""
    scaled = texts.signals[at] * SIGNAL * [name not in hidden for name in EVERY]
    return sp.hstack([texts.grams[at][:, chosen] @ sp.diags(texts.scale[chosen]), sp.csr_matrix(scaled)]).tocsr()


def fit(texts: Texts, at: np.ndarray, chosen: np.ndarray | None = None) -> Fitted:
    chosen = choose(texts, at) if chosen is None else chosen
    return joined(chosen, [*rubric(texts, at, chosen), outcomes(texts, at, chosen)])


def joined(chosen: np.ndarray, sums: list[Sum]) -> Fitted:
    return Fitted(chosen, np.column_stack([weights for weights, _ in sums]), np.array([base for _, base in sums]))


def rubric(texts: Texts, at: np.ndarray, chosen: np.ndarray) -> list[Sum]:
    """At least medium, complex, reasoning."""
    labelled = np.array([i for i in at if texts.rows[i].kind != "pair" or (i % 7 == 0 and texts.rows[i].family in ANCHORS)])
    tiers, weight = np.array([tier_of(texts.rows[i]) for i in labelled]), trust(texts.rows, labelled)
    return [
        head(texts, labelled, chosen, partial(logistic, target=tiers >= least, trust=weight), OUTCOMES) for least in (1, 2, 3)
    ]


def outcomes(texts: Texts, at: np.ndarray, chosen: np.ndarray) -> Sum:
    """A weak model fails this."""
    asked = np.array([i for i in at if texts.rows[i].kind == "pair" and not np.isnan(texts.rows[i].fails)])
    target, trusted = failures(texts.rows, asked)
    return head(texts, asked, chosen, partial(ridge, target=target, trust=trusted, sources=sources(texts.rows, asked)), set())


def head(texts: Texts, at: np.ndarray, chosen: np.ndarray, learn: Callable[[sp.csr_matrix], Any], hidden: set[str]) -> Sum:
    """A sum in which no signal of difficulty has a negative weight; those left out have 0."""
    while True:
        model = learn(features(texts, at, chosen, hidden))
        weights = np.ravel(model.coef_)[: len(chosen) + len(EVERY)]
        lowering = {name for name, weight in zip(EVERY, weights[len(chosen) :], strict=True) if weight < 0 and name in RAISING}
        if not lowering:
            return weights, float(np.ravel(model.intercept_)[0])
        hidden = hidden | lowering


def ridge(measured: sp.csr_matrix, target: np.ndarray, trust: np.ndarray, sources: np.ndarray) -> Ridge:
    """Each source has a constant of its own, which is thrown away: what is common to all its rows explains nothing within it."""
    marks = sp.csr_matrix((np.full(len(sources), FREE), (np.arange(len(sources)), sources)))
    model = Ridge(alpha=FAIL_RIDGE, solver="lsqr", max_iter=60, tol=1e-3)
    model.fit(sp.hstack([measured, marks]).tocsr(), target, sample_weight=trust)
    known = measured @ model.coef_[: measured.shape[1]]
    model.intercept_ = -float(np.average(known, weights=trust))
    return model


def logistic(measured: sp.csr_matrix, target: np.ndarray, trust: np.ndarray) -> LogisticRegression:
    """Its sums are log odds."""
    model = LogisticRegression(C=LOGISTIC, solver="liblinear", random_state=SEED, max_iter=200)
    return model.fit(measured, target, sample_weight=trust)


def trust(rows: list[Row], at: np.ndarray) -> np.ndarray:
    by_kind = {"own": OWN, "weak": WEAK, "pair": ANCHOR}
    return np.array([by_kind[rows[i].kind] * (TEMPLATED if rows[i].templated else 1) for i in at])


def tier_of(row: Row) -> int:
    return ANCHORS[row.family] if row.kind == "pair" else row.tier


def sources(rows: list[Row], at: np.ndarray) -> np.ndarray:
    """The number of each row's source."""
    return np.unique([rows[i].source for i in at], return_inverse=True)[1]


def failures(rows: list[Row], at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Within each source, so that what tells sources apart is not taken for difficulty; large sources do not drown small ones."""
    sources = np.array([rows[i].source for i in at])
    target, weight = np.array([rows[i].fails for i in at]), np.ones(len(at))
    for source in np.unique(sources):
        here = sources == source
        target[here] -= target[here].mean()
        weight[here] = max(here.sum(), 50) ** -0.5
    return target, weight / weight.mean()


def held_out(texts: Texts, at: np.ndarray, chosen: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Own rows among `at`, and their heads by models that have seen no prompt of their author."""
    chosen = choose(texts, at) if chosen is None else chosen
    own = np.array([i for i in at if texts.rows[i].kind == "own"])
    author = np.array([texts.rows[i].batch for i in own])
    heads, fails = np.zeros((len(own), 4)), outcomes(texts, at, chosen)
    for name in np.unique(author):
        test = own[author == name]
        heads[author == name] = joined(chosen, [*rubric(texts, np.setdiff1d(at, test), chosen), fails]).heads(texts, test)
    return own, heads

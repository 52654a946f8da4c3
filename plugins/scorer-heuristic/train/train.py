"""Learns the weights anew and writes them into the package: `uv run --group train python plugins/scorer-heuristic/train/train.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
from curves import LIFT, bounds
from data import USUAL, read
from fit import SIGNAL, Fitted, Texts, fit, held_out, measure
from threadpoolctl import threadpool_limits

from lynkr_scorer_heuristic.model import Stored
from lynkr_scorer_heuristic.question import EVERY

TARGET = Path(__file__).parents[1] / "src/lynkr_scorer_heuristic/weights.msgpack"


def stored(texts: Texts, fitted: Fitted, found: tuple[float, float, float]) -> Stored:
    """Scales multiplied out."""
    grams = fitted.weights[: len(fitted.chosen)] * texts.scale[fitted.chosen, None]
    signals = fitted.weights[len(fitted.chosen) :] * SIGNAL
    return Stored(
        grams="\n".join(texts.columns(fitted.chosen)),
        weights=grams.round(4).astype("<f4").tobytes(),
        signals={name: four(row) for name, row in zip(EVERY, signals, strict=True)},
        base=four(fitted.base),
        bounds=found,
        lift=LIFT,
    )


def four(row: np.ndarray) -> tuple[float, float, float, float]:
    medium, complex_, reasoning, fails = (round(float(value), 4) for value in row)
    return medium, complex_, reasoning, fails


def bounds_of(texts: Texts, own: np.ndarray, heads: np.ndarray) -> tuple[float, float, float]:
    """By the prompts of authors who wrote what is usually asked."""
    rows = [texts.rows[i] for i in own]
    usual = np.array([row.batch in USUAL for row in rows])
    return bounds(heads[usual], np.array([row.tier for row in rows])[usual])


def main() -> None:
    texts = measure(read(Path(sys.argv[1])))
    every = np.arange(len(texts.rows))
    fitted = fit(texts, every)
    own, heads = held_out(texts, every, fitted.chosen)
    data = msgspec.msgpack.encode(stored(texts, fitted, bounds_of(texts, own, heads)))
    TARGET.write_bytes(data)
    print(f"{len(fitted.chosen)} n-grams and pairs, {len(data)} bytes: {TARGET}")  # noqa: T201


if __name__ == "__main__":
    with threadpool_limits(1):  # sums in another order have other last digits
        main()

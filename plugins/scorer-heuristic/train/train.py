"""Learns the weights anew and writes them into the package: `uv run --group train python plugins/scorer-heuristic/train/train.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
from curves import curves
from data import read
from fit import FAILS, GRAM, SIGNAL, Fitted, Texts, blended, fit, held_out, measure
from threadpoolctl import threadpool_limits

from lynkr_scorer_heuristic.model import Stored
from lynkr_scorer_heuristic.signals import TEXT

TARGET = Path(__file__).parents[1] / "src/lynkr_scorer_heuristic/weights.msgpack"


def stored(texts: Texts, fitted: Fitted, found: tuple[list[tuple[float, float]], list[tuple[float, float]]]) -> Stored:
    """Heads blended, scales multiplied out."""
    weights = np.column_stack((fitted.weights[:, 0] + FAILS * fitted.weights[:, 2], fitted.weights[:, 1]))
    base = fitted.base[0] + FAILS * fitted.base[2], fitted.base[1]
    grams = weights[: len(fitted.chosen)] * GRAM
    signals = weights[len(fitted.chosen) :] * SIGNAL
    packed = grams.round(4).astype("<f4")
    return Stored(
        grams="\n".join(texts.columns(fitted.chosen)),
        size=packed[:, 0].tobytes(),
        reason=packed[:, 1].tobytes(),
        signals={name: (round(float(a), 4), round(float(b), 4)) for name, (a, b) in zip(TEXT, signals, strict=True)},
        base=(float(base[0]), float(base[1])),
        curves=found,
    )


def main() -> None:
    texts = measure(read(Path(sys.argv[1])))
    every = np.arange(len(texts.rows))
    fitted = fit(texts, every)
    own, heads = held_out(texts, every, fitted.chosen)
    tiers = np.array([texts.rows[i].tier for i in own])
    data = msgspec.msgpack.encode(stored(texts, fitted, curves(blended(heads), tiers)))
    TARGET.write_bytes(data)
    print(f"{len(fitted.chosen)} n-grams, {len(data)} bytes: {TARGET}")  # noqa: T201


if __name__ == "__main__":
    with threadpool_limits(1):  # sums in another order have other last digits
        main()

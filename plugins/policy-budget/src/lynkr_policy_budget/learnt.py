"""What `sink-factors` has learnt of how models count."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from lynkr_core.stores import KeyValue

PREFIX = "factors/"
FEW = 20
MARGIN = 1.25
"""How much more than a model's average one request may have."""


class Factor(Struct):
    log: float
    samples: int


_factor = msgspec.json.Decoder(Factor)


async def higher(values: KeyValue, doubt: float) -> Mapping[str, float]:
    """By `provider/model` the doubts that are higher than this one: a count that is too low overspends, one that is too high waits."""
    found = await values.scan(PREFIX)
    learnt = {key.removeprefix(PREFIX): _factor.decode(value) for key, value in found.items()}
    known = {id: math.exp(factor.log) * MARGIN for id, factor in learnt.items() if factor.samples >= FEW}
    return {id: own for id, own in known.items() if own > doubt}

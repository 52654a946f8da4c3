"""What is told: families of rows, as processes that serve together hand them to each other, and as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder

from lynkr_sink_prometheus.numbers import Histogram

Row = tuple[tuple[str, ...], list[float]]
"""The labels' values, and the value; of a histogram the counts, and the sum last."""


class Family(Struct, array_like=True):
    """One metric with all its labels. `kind`: counter, gauge or histogram; `bounds` of the last."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...]
    rows: list[Row]
    bounds: tuple[float, ...] = ()


class Worker(Struct, array_like=True):
    """What one process tells of itself."""

    name: str
    families: list[Family]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Worker).decode


def counted(name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    return Family(name, "counter", text, tuple(labels), [(values, [float(value)]) for values, value in rows])


def gauged(name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    return Family(name, "gauge", text, tuple(labels), [(values, [float(value)]) for values, value in rows])


def spread(name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[tuple[str, ...], Histogram]]) -> Family:
    """A histogram; those without any value are left out."""
    kept = [(values, histogram) for values, histogram in rows if any(histogram.counts)]
    bounds = tuple(kept[0][1].bounds) if kept else ()
    return Family(name, "histogram", text, tuple(labels), [(v, [*h.counts, h.total]) for v, h in kept], bounds)


def page(workers: Sequence[Worker], accept: str) -> tuple[bytes, str]:
    """The body and its content type, in the format that is accepted best. Several processes are told apart by the label `worker`."""
    encoder, content_type = choose_encoder(accept)
    told: Any = Told(workers)
    return encoder(told), content_type


class Told:
    """As the client library collects from a registry."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Any]:
        merged: dict[str, tuple[Family, list[tuple[Worker, Family]]]] = {}
        for worker in self._workers:
            for family in worker.families:
                merged.setdefault(family.name, (family, []))[1].append((worker, family))
        for first, parts in merged.values():
            if any(family.rows for _, family in parts):
                yield metric(first, parts)


def metric(first: Family, parts: Sequence[tuple[Worker, Family]]) -> Any:
    """One family of the client library's, with the rows of every process."""
    made: Any = KINDS[first.kind](first.name, first.text, labels=[*first.labels, *(["worker"] if parts[0][0].name else [])])
    for worker, family in parts:
        own = (worker.name,) if worker.name else ()
        for values, row in family.rows:
            if family.kind == "histogram":
                made.add_metric([*values, *own], buckets=cumulated(family.bounds, row), sum_value=row[-1])
            else:
                made.add_metric([*values, *own], row[0])
    return made


def cumulated(bounds: Sequence[float], row: Sequence[float]) -> list[tuple[str, float]]:
    """Each bound with how many values lie up to it."""
    found: list[tuple[str, float]] = []
    total = 0.0
    for bound, count in zip((*map(repr, bounds), "+Inf"), row, strict=False):
        total += count
        found.append((bound, total))
    return found


KINDS: dict[str, Any] = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}

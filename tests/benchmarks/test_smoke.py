"""A short run of the suite with generous bounds: it catches a hot path that is several times dearer, not a few per cent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from .measures import Measure, Point, Points, compare, staged
from .processes import OTHER_CORES
from .targets import OWN

SMALL = Measure(name="small", connections=32)
STREAM = Measure(name="stream", stream=True, connections=32, shape="d10-n64")
NAMES = ("bare", "lynkr", "tiers", "journal")


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Points]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, OTHER_CORES)
    folder: Path = tmp_path_factory.mktemp("benchmarks")
    try:
        with staged(folder, [target for target in OWN if target.name in NAMES], print) as stage:
            assert not stage.missing, stage.missing
            yield compare(stage, (SMALL, STREAM), rounds=3, seconds=0.5)
    finally:
        os.sched_setaffinity(0, before)


def ratio(points: Points, measure: Measure, target: str) -> float:
    """Of the best rounds: whatever else the machine does only ever adds to what a request costs."""
    found, base = [least(points[measure.name][name], measure) for name in (target, "bare")]
    return found / base


def least(rounds: Sequence[Point], measure: Measure) -> float:
    costs = [cost for point in rounds if (cost := point.cost(measure.stream))]
    assert costs, f"nothing was answered in {measure.name}"
    return min(costs)


@pytest.mark.parametrize(("target", "limit"), [("lynkr", 2.5), ("tiers", 4.5), ("journal", 6.0)])
def test_cpu_per_request_stays_near_a_bare_pass_through(points: Points, target: str, limit: float) -> None:
    assert ratio(points, SMALL, target) <= limit


@pytest.mark.parametrize("target", ["lynkr", "tiers", "journal"])
def test_cpu_per_streamed_chunk_stays_near_a_bare_pass_through(points: Points, target: str) -> None:
    assert ratio(points, STREAM, target) <= 3.0


@pytest.mark.parametrize("target", NAMES)
def test_every_request_is_answered(points: Points, target: str) -> None:
    samples = [point.sample for measure in points.values() for point in measure[target]]
    assert [sample.trouble for sample in samples if sample.failed] == []


def test_streams_arrive_whole(points: Points) -> None:
    samples = [(name, point.sample) for name in NAMES for point in points[STREAM.name][name]]
    assert [(name, s.chunks, s.done) for name, s in samples if s.chunks != 64 * s.done] == []

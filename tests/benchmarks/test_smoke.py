"""A short run of the suite with generous bounds: it catches a hot path that is several times dearer, not a few per cent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import report
from .measures import Measure, Points, compare, staged
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
    found = report.median(report.ratios(measure, points[measure.name][target], points[measure.name]["bare"]))
    assert found is not None, f"{target} answered nothing in {measure.name}"
    return found


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

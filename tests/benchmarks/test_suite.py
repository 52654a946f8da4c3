"""The suite's own parts: what it measures must be what happened."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lynkr_core.testing.waiting import PATIENCE

from . import report
from .bodies import body
from .measures import Measure, Point, Stage, nothing, staged
from .processes import GATEWAY_CORES, NotStartedError, Process
from .samples import Sample, Spread
from .targets import DIRECT, Target


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage"), [DIRECT], print) as started:
        yield started


def soon(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run(stage: Stage, **fields: Any) -> Sample:
    """One request on each of two connections, straight to the mock."""
    measure = Measure(name="test", connections=2, **fields)
    return stage.load.run(stage.spec(stage.running["direct"], measure, 5.0, count=2), nothing, nothing)


@pytest.mark.parametrize("front", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("kind", "least", "most"), [("small", 200, 400), ("agent", 55_000, 68_000), ("large", 900_000, 1_200_000)]
)
def test_bodies_have_the_sizes_they_are_named_for(kind: str, front: str, least: int, most: int) -> None:
    content = body(kind, front, "mock")
    assert least <= len(content) <= most
    assert len(json.loads(content).get("tools", [])) == (0 if kind == "small" else 14)


@pytest.mark.parametrize("front", ["openai", "anthropic"])
@pytest.mark.parametrize("kind", ["small", "agent", "large"])
def test_plain_requests_are_counted(stage: Stage, kind: str, front: str) -> None:
    before = stage.control("/__stats")["requests"]
    sample = run(stage, body=kind, front=front)
    assert (sample.done, sample.failed, sample.trouble) == (2, 0, "")
    assert stage.control("/__stats")["requests"] - before == 3  # with the request for the counters


@pytest.mark.parametrize("front", ["openai", "anthropic"])
def test_streams_have_the_asked_number_of_chunks_and_gap(stage: Stage, front: str) -> None:
    stage.control("/__set/d20-n10")
    sample = run(stage, front=front, stream=True)
    assert (sample.done, sample.chunks) == (2, 20)
    assert 200 <= sample.latency.p50 < 2000
    assert 0 < sample.chunk_delay.p50 < 200


def test_dropped_streams_count_as_failed_here_and_aborted_there(stage: Stage) -> None:
    stage.control("/__set/d1000-n60")
    before = stage.control("/__stats")["aborted"]
    measure = Measure(name="held", stream=True, connections=5)
    held = stage.load.run(stage.spec(stage.running["direct"], measure, 0.0, hold=True), nothing, nothing)
    assert held.done == 5
    soon(lambda: stage.control("/__stats")["aborted"] - before == 5)


def test_open_loop_keeps_its_rate(stage: Stage) -> None:
    measure = Measure(name="open", connections=8, rate=200)
    sample = stage.load.run(stage.spec(stage.running["direct"], measure, 0.5), nothing, nothing)
    assert (sample.done, sample.failed) == (100, 0)
    assert 0.45 < sample.seconds < 5


def test_cpu_of_children_is_counted(tmp_path: Path) -> None:
    spin = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\ntime.sleep(30)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])"
    process = Process([sys.executable, "-c", parent], tmp_path / "log", cores=GATEWAY_CORES)
    soon(lambda: process.cpu() >= 0.2)
    assert len(process.pids()) == 2
    process.stop()
    assert process.child.returncode is not None


def test_cpu_of_threads_that_have_ended_is_not_forgotten(tmp_path: Path) -> None:
    spin = "import threading, time\ndef spin():\n end = time.thread_time() + 0.3\n while time.thread_time() < end: pass"
    process = Process(
        [sys.executable, "-c", f"{spin}\nt = threading.Thread(target=spin); t.start(); t.join()\ntime.sleep(30)"],
        tmp_path / "log", cores=GATEWAY_CORES,
    )  # fmt: skip
    tasks = Path(f"/proc/{process.child.pid}/task")
    soon(lambda: process.cpu() >= 0.3 and len(list(tasks.iterdir())) == 1)
    process.stop()


def test_what_does_not_start_is_reported_with_its_last_words(stage: Stage) -> None:
    dies = Target(name="dies", about="", command=lambda *_: [sys.executable, "-c", "raise SystemExit('no luck today')"])
    absent = Target(name="absent", about="", command=lambda *_: ["/nonexistent/gateway"])
    stage.start([dies, absent])
    assert "no luck today" in stage.missing["dies"]
    assert "No such file" in stage.missing["absent"]


def test_a_process_that_never_listens_is_given_up(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", "import time; time.sleep(30)"], tmp_path / "log", cores=GATEWAY_CORES)
    with pytest.raises(NotStartedError, match="not listening after"):
        process.wait_listening(1, limit=0.2)
    process.stop()


def point(cpu: float, done: int = 1000) -> Point:
    none = Spread()
    sample = Sample(done=done, failed=0, seconds=1.0, chunks=0, busy=0.0, latency=none, first=none, chunk_delay=none)
    return Point(sample=sample, cpu=cpu)


def test_ratios_are_taken_within_a_round() -> None:
    measure = Measure(name="small c=64")
    points = {"small c=64": {"bare": [point(1), point(4), point(1)], "lynkr": [point(1.3), point(5.2), point(3)]}}
    rows = {row.target: row for row in report.rows(measure, points)}
    assert rows["lynkr"].ratio == pytest.approx(1.3)
    assert (rows["lynkr"].low, rows["lynkr"].high) == (pytest.approx(1.3), pytest.approx(3))
    aims = {v.aim: v.met for v in report.verdicts([measure], points, {})}
    assert aims["no plugins, small, c=64 (x bare)"] is True
    assert aims["tiers and scorer, small (x bare)"] is None


def test_a_target_that_answers_nothing_has_no_ratio() -> None:
    measure = Measure(name="small c=64")
    assert report.ratios(measure, [point(1, done=0)], [point(1)]) == []
    assert "MISSED" not in report.text((measure,), {"small c=64": {"bare": [point(1)], "lynkr": [point(1, done=0)]}}, {}, {})

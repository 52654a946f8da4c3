"""What is measured, and the measuring: round after round, every target in turn, so that a busy minute hits them all alike."""

from __future__ import annotations

import contextlib
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from .bodies import body
from .processes import HOST, OTHER_CORES, NotStartedError, Process, free_port
from .samples import Sample, Spec
from .targets import PATHS, ROOT, Running, Target, module

Say = Callable[[str], None]


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """`shape` is how the mock streams. With `rate` an open loop. `variants`: so many different questions instead of one, and of
    long bodies so many turns of conversations that grow.

    `quick`: also in the short version. `peers`: also for those.
    """

    name: str
    body: str = "small"
    front: str = "openai"
    stream: bool = False
    shape: str = "d0-n64"
    connections: int = 64
    rate: float | None = None
    variants: int = 0
    quick: bool = False
    peers: bool = True


MEASURES = (
    Measure(name="small c=1", connections=1),
    Measure(name="small c=64", quick=True),
    Measure(name="small c=64, always another question", variants=4096, peers=False),
    Measure(name="small c=256", connections=256),
    Measure(name="agent c=1", body="agent", connections=1),
    Measure(name="agent c=64", body="agent", quick=True),
    Measure(name="agent c=64, turn by turn", body="agent", variants=512, peers=False),
    Measure(name="agent c=256", body="agent", connections=256, peers=False),
    Measure(name="agent translated c=64", body="agent", front="anthropic", peers=False),
    Measure(name="large c=1", body="large", connections=1),
    Measure(name="large c=16", body="large", connections=16, peers=False),
    Measure(name="stream 0 ms", stream=True, connections=32, quick=True),
    Measure(name="stream 10 ms", stream=True, connections=50, shape="d10-n64", quick=True),
    Measure(name="translated 0 ms", stream=True, front="anthropic", connections=32),
    Measure(name="translated 10 ms", stream=True, front="anthropic", connections=50, shape="d10-n64", quick=True),
    Measure(name="open loop, gentle", connections=64, rate=20),
    Measure(name="open loop, steady", connections=256, rate=500, peers=False, quick=True),
    Measure(name="open loop, fast", connections=256, rate=2000, peers=False),
)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one target: what the load generator saw and the CPU seconds that the target's processes used."""

    sample: Sample
    cpu: float

    def cost(self, stream: bool) -> float | None:
        """CPU ms per request, or µs per chunk. None when nothing came through."""
        if stream:
            return self.cpu / self.sample.chunks * 1e6 if self.sample.chunks else None
        return self.cpu / self.sample.done * 1e3 if self.sample.done else None


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """A target at rest, and with streams open. Seconds, MB, KB."""

    starts: list[float]
    rss: float
    pss: float
    processes: int
    stream_kb: float | None = None
    streams: int = 0
    trouble: str = ""


class Load:
    """The load generator's process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = Process(module("load"), folder / "load.log", cores=OTHER_CORES, cwd=ROOT, piped=True)

    def line(self, text: str) -> str:
        child = self.process.child
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(text.encode() + b"\n")
        child.stdin.flush()
        answer = child.stdout.readline()
        if not answer:
            raise NotStartedError(f"the load generator ended: {self.process.last_lines()}")
        return answer.decode().strip()

    def run(self, spec: Spec, before: Callable[[], None], after: Callable[[], None]) -> Sample:
        """`before` is called when the connections (and held streams) stand, `after` when the run is over."""
        answer = self.line(msgspec.json.encode(spec).decode())
        if answer == "ready":
            time.sleep(0.02)  # the last connections are accepted
            before()
            answer = self.line("go")
            after()
        return msgspec.json.decode(answer, type=Sample)


class Stage:
    """The mock, the load generator and the targets that could be started; `missing` says why the others could not."""

    def __init__(self, folder: Path, say: Say) -> None:
        self.folder = folder
        self.say = say
        self.port = free_port()
        self.running: dict[str, Running] = {}
        self.missing: dict[str, str] = {}
        self.mock = Process(module("mock", str(self.port)), folder / "mock.log", cores=OTHER_CORES, cwd=ROOT)
        self.mock.wait_listening(self.port)
        self.load = Load(folder)

    def start(self, targets: Iterable[Target]) -> None:
        for target in targets:
            try:
                running = Running(target, self.folder / target.name, self.port)
            except NotStartedError as error:
                self.missing[target.name] = str(error)
                self.say(f"{target.name}: not started: {error}")
                continue
            self.running[target.name] = running
            trouble = self.probe(running)
            if trouble:
                self.missing[target.name] = trouble
                self.running.pop(target.name).stop()
            self.say(f"{target.name}: {trouble or f'listening after {running.started:.2f} s'}")

    def probe(self, running: Running) -> str:
        """Why a first plain request was not answered; empty when it was."""
        sample = self.load.run(self.spec(running, Measure(name="probe", connections=1), 15.0, count=1), nothing, nothing)
        return "" if sample.done else f"no answer to the first request: {sample.trouble}"

    def spec(self, running: Running, measure: Measure, seconds: float, **more: Any) -> Spec:
        content = body(measure.body, measure.front, running.target.model, measure.stream)
        model = running.target.model.replace("/", "-")
        file = self.folder / f"{measure.body}-{measure.front}-{model}-{measure.stream}.json"
        if not file.exists():
            file.write_bytes(content)
        return Spec(
            port=running.port, path=PATHS[measure.front], body=str(file), headers=running.headers, seconds=seconds,
            connections=measure.connections, rate=measure.rate, variants=measure.variants, **more,
        )  # fmt: skip

    def control(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{HOST}:{self.port}{path}", timeout=60) as answer:
            return dict(msgspec.json.decode(answer.read()))

    def point(self, running: Running, measure: Measure, seconds: float) -> Point:
        process, readings = running.process, [0.0, 0.0]

        def read(place: int) -> None:
            readings[place] = process.cpu() if process else 0.0

        self.control(f"/__set/{measure.shape}")
        sample = self.load.run(self.spec(running, measure, seconds), lambda: read(0), lambda: read(1))
        return Point(sample=sample, cpu=readings[1] - readings[0])

    def close(self) -> None:
        for running in self.running.values():
            running.stop()
        self.load.process.stop()
        self.mock.stop()


def nothing() -> None:
    pass


@contextlib.contextmanager
def staged(folder: Path, targets: Iterable[Target], say: Say) -> Iterator[Stage]:
    """Everything started; everything stopped afterwards."""
    stage = Stage(folder, say)
    try:
        stage.start(targets)
        yield stage
    finally:
        stage.close()


Points = dict[str, dict[str, list[Point]]]
"""By measure, by target: one for each round."""


def compare(stage: Stage, measures: Iterable[Measure], rounds: int, seconds: float) -> Points:
    """Runs every measure on every target, `rounds` times, after a short round that only warms up."""
    measures = tuple(measures)
    points: Points = {measure.name: {name: [] for name in stage.running} for measure in measures}
    useless: set[tuple[str, str]] = set()
    for number in range(rounds + 1):
        stage.say(f"round {number} of {rounds}" if number else "warming up")
        for measure in measures:
            for name, running in stage.running.items():
                if (running.target.peer and not measure.peers) or (name, measure.name) in useless:
                    continue
                point = stage.point(running, measure, seconds if number else min(seconds, 0.4))
                if point.sample.failed and not point.sample.done:
                    useless.add((name, measure.name))
                    stage.missing[f"{name}, {measure.name}"] = point.sample.trouble
                    stage.say(f"{name}: {measure.name}: {point.sample.trouble}")
                if number:
                    points[measure.name][name].append(point)
    return points


def at_rest(stage: Stage, targets: Iterable[Target], starts: int) -> dict[str, Idle]:
    """Start times (the target's own start first, then `starts` more beside it), memory at rest and per open stream."""
    found: dict[str, Idle] = {}
    for target in targets:
        running = stage.running.get(target.name)
        if running is None or running.process is None:
            continue
        times = [running.started, *again(stage, target, 0 if target.peer else starts)]
        pids = running.process.pids()
        memory = running.process.memory()
        found[target.name] = Idle(starts=times, rss=memory.rss, pss=memory.pss, processes=len(pids))
    return found


def again(stage: Stage, target: Target, count: int) -> list[float]:
    times: list[float] = []
    for number in range(count):
        with contextlib.suppress(NotStartedError):
            another = Running(target, stage.folder / f"{target.name}-{number}", stage.port)
            another.stop()
            times.append(another.started)
    return times


def with_streams(stage: Stage, idle: dict[str, Idle], streams: int) -> dict[str, Idle]:
    """Adds the memory that each of `streams` open streams takes, one chunk a second on each."""
    return {name: hold(stage, stage.running[name], rest, streams) for name, rest in idle.items()}


def hold(stage: Stage, running: Running, rest: Idle, streams: int) -> Idle:
    sizes: list[float] = []
    process = running.process
    assert process is not None

    def weigh() -> None:
        sizes.append(process.memory().pss)

    stage.control("/__set/d1000-n60")
    weigh()
    measure = Measure(name="held", stream=True, connections=streams)
    held = stage.load.run(stage.spec(running, measure, 0.0, hold=True), weigh, nothing)
    stage.control("/__drop")
    time.sleep(0.5)
    if held.done < streams:
        why = held.trouble or "the others gave no chunk in time"
        return msgspec.structs.replace(rest, trouble=f"{held.done} of {streams} streams began: {why}")
    return msgspec.structs.replace(rest, stream_kb=(sizes[-1] - sizes[0]) / streams * 1024, streams=streams)

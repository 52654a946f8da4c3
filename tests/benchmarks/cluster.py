"""What a request takes of each part of `examples/cluster`, with one gateway and with three: `python -m tests.benchmarks.cluster`.

Each caller has a budget, a rate limit and a cache that misses, and the journal is written. Each gateway gets the same number of requests a
second, so the three together three times as many. Both clusters run side by side and are asked in turn. On a machine with fewer cores than
processes requests a second say nothing of a cluster, so this tells the CPU of each process, and what follows where each has a core.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from .processes import CORES, Process, cpu_seconds, free_port, tree
from .samples import Sample, Spec
from .targets import ROOT, module

CALLERS = 32
PARTS = ("gateways", "nginx", "redis", "postgres")
MOCK = """[provider.up]
use = "openai-compatible"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "x"
dialects = ["openai.chat"]
"""
GENEROUS = {
    "team:trial + key:*": "key:*", "usd = 0.05": "usd = 100000", "team:free + key:*": "key:*", "requests = 20": "requests = 1000000000",
    "echo/echo": "up/mock",
}  # fmt: skip


def example() -> Any:
    spec = importlib.util.spec_from_file_location("example_cluster", ROOT / "examples/cluster/cluster.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def config(port: int) -> str:
    """The example's, with a provider that is asked over HTTP, and limits that nobody reaches."""
    text = (ROOT / "examples/cluster/lynkr.toml").read_text()
    before, _, rest = text.partition("[provider.echo]")
    text = before + MOCK.format(port=port) + rest.partition("\n\n")[2].join(["\n", ""])
    for old, new in GENEROUS.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def upstream(folder: Path) -> Iterator[int]:
    """The mock's port."""
    port = free_port()
    mock = Process(module("mock", str(port)), folder / "mock.log", cores=CORES, cwd=ROOT)
    try:
        mock.wait_listening(port)
        yield port
    finally:
        mock.stop()


def run(cluster: Any, key: str, folder: Path, seconds: float, rate: float) -> tuple[Sample, dict[str, float]]:
    """What the load generator saw, and CPU milliseconds a request by part."""
    body = folder / "body.json"
    question = {"model": "up/mock", "max_tokens": 20, "messages": [{"role": "user", "content": "What is the interpreter lock?"}]}
    body.write_bytes(msgspec.json.encode(question))
    spec = Spec(
        port=cluster.nginx.port, path="/v1/chat/completions", body=str(body), headers={"authorization": f"Bearer {key}"},
        connections=CALLERS * len(cluster.nodes), seconds=seconds, rate=rate * len(cluster.nodes), variants=50_000,
    )  # fmt: skip
    with subprocess.Popen(module("load"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        load.stdin.write(msgspec.json.encode(spec) + b"\n")
        load.stdin.flush()
        load.stdout.readline()
        before = used(cluster)
        load.stdin.write(b"\n")
        load.stdin.flush()
        sample = msgspec.json.decode(load.stdout.readline(), type=Sample)
        after = used(cluster)
        load.stdin.close()
    return sample, {part: (after[part] - before[part]) / max(sample.done, 1) * 1e3 for part in PARTS}


def used(cluster: Any) -> dict[str, float]:
    """CPU seconds so far."""
    pids = {
        "gateways": [node.pid for node in cluster.nodes], "nginx": tree(cluster.nginx.process.pid),
        "redis": [cluster.redis.process.pid], "postgres": tree(cluster.postgres.process.pid),
    }  # fmt: skip
    return {part: cpu_seconds(pids[part]) for part in PARTS}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=4.0)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--rate", type=float, default=250.0, help="requests a second for each gateway")
    given = options.parse_args()
    found: dict[int, list[dict[str, float]]] = {1: [], 3: []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lynkr-")))
        port = stack.enter_context(upstream(folder))
        clusters: dict[int, tuple[Any, str]] = {}
        for nodes in found:
            (folder / str(nodes)).mkdir()
            folder.chmod(0o755)
            running = stack.enter_context(example().Cluster(folder / str(nodes), nodes, config(port), fast=True))
            clusters[nodes] = running, running.key()
        for round in range(given.rounds + 1):
            for nodes, (running, key) in clusters.items():
                sample, costs = run(running, key, folder, given.seconds if round else 1.0, given.rate)
                assert not sample.failed, sample.trouble
                if round:  # the first one warms up
                    found[nodes].append(costs)
    report(found)


def report(found: dict[int, list[dict[str, float]]]) -> None:
    """Medians of the rounds, the ratio within a round, and the model."""
    median = {nodes: {part: statistics.median([one[part] for one in costs]) for part in PARTS} for nodes, costs in found.items()}
    ratios = [three["gateways"] / one["gateways"] for one, three in zip(found[1], found[3], strict=True)]
    say = sys.stdout.write
    say(f"{'CPU ms a request':20}{'1 gateway':>12}{'3 gateways':>12}\n")
    for part in PARTS:
        say(f"{part:20}{median[1][part]:>12.3f}{median[3][part]:>12.3f}\n")
    ratio = statistics.median(ratios)
    say(f"\ngateways, 3 to 1, within a round: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})\n")
    say(f"three with a core each carry {3 / ratio:.2f} times as much as one\n")
    for part in ("redis", "nginx"):
        say(f"one core of {part} is full with {median[3]['gateways'] / median[3][part]:.0f} gateways\n")


if __name__ == "__main__":
    main()

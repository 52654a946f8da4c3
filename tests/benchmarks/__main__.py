"""`python -m tests.benchmarks`: see README.md."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from . import report
from .measures import MEASURES, Idle, Measure, Points, Stage, at_rest, compare, staged, with_streams
from .processes import OTHER_CORES
from .targets import OTHERS, OWN, Target, install_peers


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Ratios of CPU per request.")
    parser.add_argument("--quick", action="store_true", help="about a minute: fewer measures, two short rounds")
    parser.add_argument("--peers", action="store_true", help="also LiteLLM and Portkey, when they are installed")
    parser.add_argument("--install-peers", action="store_true", help="install them below the folder for temporary files first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--only", metavar="WORD", help="only measures with this word in their name")
    parser.add_argument("--targets", metavar="NAMES", help="only these targets, separated by commas")
    parser.add_argument("--rounds", type=int, help="rounds (5, quick: 2)")
    parser.add_argument("--seconds", type=float, help="seconds of each run (1.2, quick: 0.5)")
    parser.add_argument("--streams", type=int, help="idle streams held for the memory figure (1000, quick: 300)")
    return parser.parse_args()


def chosen_targets(options: argparse.Namespace) -> tuple[Target, ...]:
    targets = OWN + OTHERS if options.peers or options.install_peers else OWN
    wanted = options.targets.split(",") if options.targets else None
    return tuple(target for target in targets if wanted is None or target.name in wanted)


def chosen_measures(options: argparse.Namespace) -> tuple[Measure, ...]:
    return tuple(m for m in MEASURES if (m.quick or not options.quick) and (options.only or "") in m.name)


def say(text: str) -> None:
    print(f"# {text}", file=sys.stderr, flush=True)


def perform(
    stage: Stage, options: argparse.Namespace, targets: tuple[Target, ...], measures: tuple[Measure, ...]
) -> tuple[Points, dict[str, Idle]]:
    idle = at_rest(stage, targets, 1 if options.quick else 3)
    rounds, seconds = (2, 0.5) if options.quick else (5, 1.2)
    points = compare(stage, measures, options.rounds or rounds, options.seconds or seconds)
    if not options.only or options.only in "idle streams":
        say("holding streams")
        idle = with_streams(stage, idle, options.streams or (300 if options.quick else 1000))
    return points, idle


def main() -> None:
    options = arguments()
    if options.install_peers:
        install_peers()
    os.sched_setaffinity(0, OTHER_CORES)
    targets, measures = chosen_targets(options), chosen_measures(options)
    with tempfile.TemporaryDirectory(prefix="lynkr-benchmarks-") as folder, staged(Path(folder), targets, say) as stage:
        points, idle = perform(stage, options, targets, measures)
        missing = stage.missing
    print(report.text(measures, points, idle, missing))
    if options.json:
        options.json.write_bytes(report.whole(measures, points, idle, missing))


if __name__ == "__main__":
    main()

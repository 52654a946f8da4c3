"""The tutorial is followed to the letter: every file is written, every command run, and what they print compared with what it shows."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from lynkr_core.testing.process import environment

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "core/docs/tutorial.md"
EXAMPLE = ROOT / "examples/custom-scorer"
BLOCK = re.compile(r"(?:^`(?P<file>[\w./-]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
UV = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv/bin/uv")
ANYTHING = "…"
OURS = ("VIRTUAL_ENV", "PYTHONPATH", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT")
"""Variables that would lead the reader's commands into this environment."""
PATIENCE = 300.0


class Step(NamedTuple):
    """A file to be written, or commands to be run, with what they print if that is shown."""

    line: int
    file: str
    text: str
    shown: str | None = None


def steps() -> list[Step]:
    """Raises `AssertionError` for a block that is neither a file, nor commands, nor what those print."""
    text = TUTORIAL.read_text()
    found: list[Step] = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["language"] == "text":
            assert not found[-1].file, f"line {line}: nothing was run that could print this"
            found[-1] = found[-1]._replace(shown=match["text"])
        else:
            assert match["file"] or match["language"] == "sh", f"line {line}: a block without the name of its file"
            found.append(Step(line, match["file"] or "", match["text"]))
    return found


def free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def script(folder: Path, port: str) -> str:
    """All of it as one script of the shell, because one step's folder and environment are the next one's."""
    lines = ["set -e", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for number, step in enumerate(steps()):
        if step.file:
            lines.append(f"cp {folder}/{number} {step.file}")
        else:
            text = step.text.replace("lynkr serve", f"lynkr serve --port {port}").replace("127.0.0.1:8081", f"127.0.0.1:{port}")
            lines.append(f"exec > {folder}/{number}.out 2>&1\n{text}")
    return "\n".join([*lines, "pwd > " + str(folder / "where")])


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what was printed; `where` names the one that the reader ends in."""
    told, empty = tmp_path_factory.mktemp("told"), tmp_path_factory.mktemp("empty")
    wheels = tmp_path_factory.mktemp(f"wheels-{secrets.token_hex(8)}")  # uv remembers wheels by their path
    subprocess.run([UV, "build", "-q", "--all-packages", "--wheel", "-o", wheels], cwd=ROOT, check=True)
    for number, step in enumerate(steps()):
        (told / str(number)).write_text(step.text)
    path = f"{Path(UV).parent}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    env = environment({"PATH": path, "UV_FIND_LINKS": str(wheels)})
    env = {name: value for name, value in env.items() if name not in OURS}
    done = subprocess.run(["bash", "-c", script(told, free_port())], cwd=empty, env=env, timeout=PATIENCE, check=False)
    said = "\n".join(path.read_text() for path in sorted(told.glob("*.out"), key=lambda path: int(path.stem)))
    assert done.returncode == 0, said
    return told


@pytest.mark.parametrize(
    "number", [n for n, step in enumerate(steps()) if step.shown is not None], ids=lambda n: f"line-{steps()[n].line}"
)
def test_what_is_printed_is_what_is_shown(number, followed):
    step = steps()[number]
    assert step.shown
    pattern = ".*".join(re.escape(piece) for piece in step.shown.strip().split(ANYTHING))
    printed = (followed / f"{number}.out").read_text().strip()
    assert re.fullmatch(pattern, printed, re.DOTALL), f"{step.text}\nis shown to print\n{step.shown}\nand prints\n{printed}"


def test_it_has_everything_that_is_needed():
    found = steps()
    assert [step.file for step in found if step.file] == [
        "lynkr.toml",
        "src/lynkr_scorer_own_words/__init__.py",
        "tests/test_scorer.py",
        "README.md",
    ]
    assert sum(step.shown is not None for step in found) >= 7


def test_the_example_is_what_the_reader_has_at_the_end(followed):
    written = Path((followed / "where").read_text().strip())
    ours = subprocess.run(["git", "ls-files", "."], cwd=EXAMPLE, capture_output=True, text=True, check=True).stdout.split()
    assert {"pyproject.toml", "README.md", "lynkr.toml", "tests/test_package.py"} <= set(ours)
    for name in ours:
        if name != "README.md":  # ours leads to the tutorial
            assert (EXAMPLE / name).read_text() == (written / name).read_text(), name

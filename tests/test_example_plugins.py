"""The packages of `examples/` that have tests of their own, each as its author has it: installed from wheels, with its dev group."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lynkr_core.cli.new_plugin import render
from lynkr_core.testing.process import environment

ROOT = Path(__file__).parent.parent
UV = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv/bin/uv")
EXAMPLES = sorted(path.parent.parent for path in ROOT.glob("examples/*/tests/test_package.py"))
DEV = [
    "basedpyright>=1.40",
    "hypothesis>=6.170",
    "lynkr-provider-echo>=0.1,<0.2",
    "lynkr-selector-tiers>=0.1,<0.2",
    "pytest>=9",
    "ruff>=0.17",
]


def run(*command: object, cwd: Path = ROOT) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment with all of them; nothing of this repository but wheels."""
    wheels = tmp_path_factory.mktemp(f"wheels-{secrets.token_hex(8)}")  # uv remembers wheels by their path
    run(UV, "build", "-q", "--all-packages", "--wheel", "-o", wheels)
    folder = tmp_path_factory.mktemp("venv") / "venv"
    run(UV, "venv", "-q", "--no-project", "--python", sys.executable, folder)
    groups = [word for example in EXAMPLES for word in ("--group", f"{example / 'pyproject.toml'}:dev")]
    editable = [word for example in EXAMPLES for word in ("-e", str(example))]
    run(UV, "pip", "install", "-q", "--python", folder / "bin/python", "--find-links", wheels, *editable, *groups)
    return folder / "bin/python"


def test_the_examples_are_there():
    names = {example.name for example in EXAMPLES}
    assert {"custom-scorer", "classifier-scorer", "job-provider", "webhook-sink"} <= names


def test_all_their_suites_pass(python, tmp_path):
    """Contract suites, own tests, READMEs and `lynkr check`; ruff and types are asked for all of them at once."""
    report = tmp_path / "report.xml"
    options = ["-q", "-p", "no:cacheprovider", "-p", "lynkr_core.testing.plugin", "-W", "error", "--import-mode=importlib"]
    without = "not types and not ruff and not formatted"
    tests = [example / "tests" for example in EXAMPLES]
    run(
        python,
        "-m",
        "pytest",
        *options,
        "-k",
        without,
        f"--junit-xml={report}",
        f"--rootdir={ROOT}/examples",
        *tests,
        cwd=tmp_path,
    )
    cases = [case for case in ElementTree.parse(report).iter("testcase") if case.find("skipped") is None]
    for example in EXAMPLES:
        own = [case for case in cases if case.get("classname").startswith(f"{example.name}.")]
        assert len(own) >= 10, example.name


def test_they_please_ruff():
    for example in EXAMPLES:
        run(sys.executable, "-m", "ruff", "check", "--no-cache", ".", cwd=example)
        run(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".", cwd=example)


def test_their_types_are_strict(python, tmp_path):
    settings = {"typeCheckingMode": "strict", "include": [str(example / "src") for example in EXAMPLES]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    summary = json.loads(run(python, "-m", "basedpyright", "--pythonpath", python, "--outputjson", cwd=tmp_path))["summary"]
    assert summary["filesAnalyzed"] >= len(EXAMPLES)
    assert (summary["errorCount"], summary["warningCount"]) == (0, 0)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_it_was_made_from_the_template(example):
    project = tomllib.loads((example / "pyproject.toml").read_text())
    template = tomllib.loads(render("scorer", "any")["pyproject.toml"])
    assert project["dependency-groups"] == template["dependency-groups"]
    assert project["tool"] == template["tool"]
    text = "".join(path.read_text() for path in (example / "tests").glob("test_*.py"))
    kind = next(iter(project["project"]["entry-points"])).removeprefix("lynkr.")
    assert f"({kind.capitalize()}Contract)" in text

"""Every package as a wheel: built twice to the same bytes, and each installed alone into an environment with nothing else in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UV = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv/bin/uv")
PROJECTS = [*ROOT.glob("plugins/*/pyproject.toml"), ROOT / "core/pyproject.toml"]
PACKAGES = sorted(tomllib.loads(path.read_text())["project"]["name"] for path in PROJECTS)
STANDARD = (
    "lynkr-core", "lynkr-provider-openai", "lynkr-provider-anthropic", "lynkr-provider-ollama", "lynkr-provider-echo",
    "lynkr-scorer-heuristic", "lynkr-selector-tiers", "lynkr-selector-chain", "lynkr-policy-breaker", "lynkr-policy-budget",
    "lynkr-auth-keys", "lynkr-store-sqlite", "lynkr-sink-journal", "lynkr-catalog", "lynkr-extension-responses",
)  # fmt: skip
"""What `lynkr up` would want."""
LOAD = """
from importlib.metadata import distribution, entry_points
own = [entry for entry in distribution(NAME).entry_points if entry.group.startswith("lynkr.")]
for entry in own:
    entry.load()
print(len(own))
"""


def run(*command: object, **environ: str) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=os.environ | environ, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    run(UV, "build", "-q", "--all-packages", "--wheel", "-o", folder)
    return folder


def environment(folder: Path, wheels: Path, *names: str) -> Path:
    """A new one with these packages; gives its Python."""
    python = folder / "bin/python"
    run(UV, "venv", "-q", "--no-project", "--python", sys.executable, folder)
    run(UV, "pip", "install", "-q", "--python", python, "--find-links", wheels, *names, VIRTUAL_ENV="")
    return python


def test_every_package_has_a_wheel_with_types_and_readme(wheels):
    built = {path.name.partition("-0.")[0].replace("_", "-") for path in wheels.glob("*.whl")}
    assert built == set(PACKAGES)
    for path in wheels.glob("*.whl"):
        names = zipfile.ZipFile(path).namelist()
        assert any(name.endswith("/py.typed") for name in names), path.name
        assert not [name for name in names if name.startswith("tests/") or name.endswith((".pyc", ".db"))]


def test_wheels_are_the_same_bytes_each_time(wheels, tmp_path):
    run(UV, "build", "-q", "--all-packages", "--wheel", "-o", tmp_path)
    digests = [
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.whl")}
        for folder in (wheels, tmp_path)
    ]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_works_alone(name, wheels, tmp_path):
    """What it needs comes with it: its entry points can be loaded where nothing else is installed."""
    python = environment(tmp_path / "env", wheels, name)
    assert int(run(python, "-W", "error", "-c", LOAD.replace("NAME", repr(name)))) >= 1


def test_the_standard_set_is_small(wheels, tmp_path):
    """At most 25 packages of others."""
    python = environment(tmp_path / "env", wheels, *STANDARD)
    told = run(UV, "pip", "list", "-q", "--format", "freeze", "--python", python, VIRTUAL_ENV="").splitlines()
    others = [line for line in told if not line.startswith("lynkr-")]
    assert len(others) <= 25, others
    assert "echo" in run(tmp_path / "env/bin/lynkr", "plugins")


def test_a_bill_of_materials_names_all_that_is_installed():
    told = json.loads(run(UV, "export", "-q", "--all-packages", "--no-dev", "--no-hashes", "--format", "cyclonedx1.5"))
    names = {component["name"] for component in told["components"]}
    assert {"starlette", "httptools", "msgspec", "pluggy", "anyio"} <= names
    assert {name for name in PACKAGES if name not in names} <= {"lynkr-core"} | names
    assert all(component.get("version") or component["name"].startswith("lynkr") for component in told["components"])

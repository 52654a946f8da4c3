"""The template for new plugins: what it writes installs beside the core, passes its suite, and decides and serves requests."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import yaml
from copier import run_copy

from lynkr_core.cli.new_plugin import kinds, new_plugin, render
from lynkr_core.errors import ConfigError
from lynkr_core.testing.process import environment, gateway, lynkr

ROOT = Path(__file__).parent.parent
KINDS = ["provider", "scorer", "selector", "sink"]
NAMES = {"provider": "my-server", "scorer": "shouting", "selector": "cheapest", "sink": "my-2nd-log"}
UV = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv/bin/uv")
PLUGINS = """
[tiers]
simple = ["{provider}/small"]
reasoning = ["{provider}/large"]
[scorer.shouting]
points = 90
[selector.tiers]
[sink.my-2nd-log]
"""
ECHO = "[provider.echo]\n" + PLUGINS.format(provider="echo")
SERVER = '[provider.my-server]\nbase_url = "{url}/v1"\n' + PLUGINS.format(provider="my-server")


def run(*command: str, cwd: Path = ROOT) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def copier(kind: str, name: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Renders with copier as its own README line says, but for the questions' defaults."""
    command = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", "./plugin-template", str(out)]
    return subprocess.run(
        [*command, "-d", f"kind={kind}", "-d", f"name={name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a plugin of each kind, written by copier."""
    out = tmp_path_factory.mktemp("rendered")
    for kind, name in NAMES.items():
        assert copier(kind, name, out / f"{kind}-{name}").returncode == 0
    return out


@pytest.fixture(scope="module")
def fresh(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of a new virtual environment with the core, echo, tiers, the written plugins and pytest, none of them editable."""
    python = str(tmp_path_factory.mktemp("fresh") / "venv/bin/python")
    run(UV, "venv", "-q", "--python", sys.executable, str(Path(python).parent.parent))
    ours = [str(ROOT / name) for name in ("core", "plugins/provider-echo", "plugins/selector-tiers")]
    run(UV, "pip", "install", "-q", "--no-sources", "--python", python, *ours, *map(str, rendered.iterdir()), "pytest")
    return python


def test_there_is_a_template_for_each_kind_in_both_ways():
    questions = yaml.safe_load((ROOT / "plugin-template/copier.yml").read_text())
    assert kinds() == sorted(questions["kind"]["choices"]) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_copier_and_the_command_write_the_same(kind, rendered, tmp_path):
    new_plugin(kind, NAMES[kind], into=tmp_path)
    written = files(tmp_path / f"{kind}-{NAMES[kind]}")
    assert written == files(rendered / f"{kind}-{NAMES[kind]}")
    assert not any("{" + mark in text for text in written.values() for mark in "{%")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_pleases_ruff(kind, rendered):
    folder = rendered / f"{kind}-{NAMES[kind]}"
    run(sys.executable, "-m", "ruff", "check", "--no-cache", ".", cwd=folder)
    run(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".", cwd=folder)


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_and_the_shortest_name_please_ruff_too(kind, tmp_path):
    for name in ("a", "very-long-" * 4):
        new_plugin(kind, name.strip("-"), into=tmp_path)
    run(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".", cwd=tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_its_suite_passes_where_it_is_installed(kind, rendered, fresh):
    folder = rendered / f"{kind}-{NAMES[kind]}"
    said = run(fresh, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", ".", cwd=folder)
    assert int(re.search(r"(\d+) passed", said).group(1)) >= 8


def test_the_command_works_from_a_wheel(fresh, tmp_path):
    done = lynkr("new-plugin", "scorer", "of-mine", "--into", "here", cwd=tmp_path, python=fresh)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "here/scorer-of-mine") == render("scorer", "of-mine")


def test_the_scorer_decides(fresh, tmp_path):
    (tmp_path / "lynkr.toml").write_text(ECHO)
    assert "scorer.shouting" in lynkr("check", cwd=tmp_path, python=fresh).stdout
    for prompt, score, tier, model in (("PROVE IT", 90.0, "reasoning", "large"), ("please", 20.0, "simple", "small")):
        done = lynkr("route", prompt, "--json", cwd=tmp_path, python=fresh)
        told = json.loads(done.stdout)
        assert (told["score"], told["tier"], told["provider"], told["model"]) == (score, tier, "echo", model)
        assert told["scores"][0]["plugin"] == "scorer.shouting"


def test_the_plugins_serve_requests(fresh, tmp_path):
    """The written provider asks a gateway with the echo provider, each with the written scorer and sink."""
    for name in ("inner", "outer"):
        (tmp_path / name).mkdir()
    (tmp_path / "inner/lynkr.toml").write_text(ECHO)
    with gateway(cwd=tmp_path / "inner", python=fresh) as inner:
        (tmp_path / "outer/lynkr.toml").write_text(SERVER.format(url=inner.url))
        with gateway(cwd=tmp_path / "outer", python=fresh) as outer:
            answer = ask(outer.url, "PROVE IT")
            calm = ask(outer.url, "please")
            assert outer.stop() == 0
    assert answer.json()["choices"][0]["message"]["content"] == "You said: PROVE IT"
    told = {name: answer.headers[f"x-lynkr-{name}"] for name in ("provider", "model", "tier", "score")}
    assert told == {"provider": "my-server", "model": "large", "tier": "reasoning", "score": "90"}
    assert calm.headers["x-lynkr-model"] == "small"
    assert f"{answer.headers['x-lynkr-request-id']}: ok from my-server/large" in outer.said


def ask(url: str, prompt: str) -> httpx2.Response:
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    return httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=60).raise_for_status()


@pytest.mark.parametrize("name", ["Loud", "my_plugin", "2nd", "-x", "x-", "a--b", "", "x" * 41, "../up", "a b", "ä", "x\n"])
def test_a_bad_name_is_refused_in_both_ways(name, tmp_path):
    with pytest.raises(ConfigError, match="lower-case letters and digits"):
        new_plugin("scorer", name, into=tmp_path)
    with pytest.raises(ValueError, match="lower-case letters and digits"):
        run_copy(str(ROOT / "plugin-template"), tmp_path / "out", {"kind": "scorer", "name": name}, defaults=True, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_every_mistake_is_told_with_a_suggestion(tmp_path):
    done = lynkr("new-plugin", "scorerr", "My Thing", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'did you mean "scorer"?' in done.stderr
    assert 'did you mean "my-thing"?' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_overwritten(tmp_path):
    (tmp_path / "scorer-x").mkdir()
    (tmp_path / "sink-x").symlink_to(tmp_path / "nowhere")
    for kind in ("scorer", "sink"):
        with pytest.raises(ConfigError, match="already there"):
            new_plugin(kind, "x", into=tmp_path)
    assert list((tmp_path / "scorer-x").iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written: Not a directory"):
        new_plugin("scorer", "x", into=tmp_path / "file")


def test_the_scorer_is_the_one_of_the_readme():
    block = re.search(r"```python\n(from msgspec.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    written = render("scorer", "shouting")["src/lynkr_scorer_shouting/__init__.py"]
    assert written == '"""shouting: a scorer plugin for lynkr."""\n\n' + block

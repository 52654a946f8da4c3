"""What the documentation says is true: its code runs, its links lead somewhere, its generated pages are fresh."""

import inspect
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from lynkr_core import hookspecs
from lynkr_core.cli import COMMANDS
from lynkr_core.config import parse
from lynkr_core.hooks import HOOKS
from lynkr_core.kernel import Kernel
from lynkr_core.order import KINDS
from lynkr_core.plugins import installed
from lynkr_core.testing.process import Gateway, environment, gateway

ROOT = Path(__file__).parent.parent
README, GUIDE = ROOT / "README.md", ROOT / "core/docs/guide.md"
PLUGIN_READMES = sorted(ROOT.glob("plugins/*/README.md"))
PAGES = [README, ROOT / "core/README.md", *sorted((ROOT / "core/docs").rglob("*.md")), *PLUGIN_READMES]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SET_UP = "python3 -m venv"
ADDRESS = "127.0.0.1:8081"


def blocks(*pages: Path, language: str) -> list[ParameterSet]:
    """Fenced blocks of a language, each named by its file and line."""
    found = []
    for page in pages:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            if match.group(1) == language:
                line = text.count("\n", 0, match.start()) + 1
                found.append(pytest.param(match.group(2), id=f"{page.relative_to(ROOT)}:{line}"))
    return found


def commands() -> list[ParameterSet]:
    """Every command of the shell blocks, lines that go on joined."""
    found = []
    for block in blocks(README, GUIDE, language="sh"):
        lines = block.values[0].replace("\\\n", " ").splitlines()
        found += [pytest.param(line, id=f"{block.id} {line[:20]}") for line in lines]
    return found


class Everything(dict[str, str]):
    """An environment in which each variable is set, to something that is a key or a URL as needed."""

    def get(self, name: str, default: object = None) -> str:
        return "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway started as README says, in an empty directory and without keys."""
    folder = tmp_path_factory.mktemp("readme")
    with gateway("up", cwd=folder) as running:
        running.folder = folder
        yield running


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_arguments(name):
    page = (ROOT / "core/docs/hooks.md").read_text()
    entry = re.search(rf"^## `{name}`\n\n```\n{name}\((.*?)\) -> .*\n```\n\n(\S.*)", page, re.MULTILINE)
    assert entry, f"core/docs/hooks.md has no entry for {name}"
    documented = re.findall(r"(\w+):", entry.group(1))
    assert documented == list(inspect.signature(getattr(hookspecs, name)).parameters)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_test_of_its_name(name):
    tests = [*ROOT.glob("core/tests/**/test_*.py"), *ROOT.glob("tests/**/test_*.py")]
    assert any(re.search(rf"def test_hook_{name}(_\w+)?\(", path.read_text()) for path in tests)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_contract_suite_and_template_documented(kind):
    assert re.search(rf"^## {kind}: `\w+Contract`$", (ROOT / "core/docs/contracts.md").read_text(), re.MULTILINE)
    assert (ROOT / "plugin-template/kinds" / kind / "plugin.py.jinja").exists()
    assert f"{kind}" in GUIDE.read_text().partition("## Writing one")[2].partition("\n## ")[0]


def test_the_generated_pages_are_fresh():
    stale = runpy.run_path(str(ROOT / "core/docs/generate.py"))["stale"]()
    assert stale == [], "python core/docs/generate.py writes them"


def test_the_terminal_session_is_what_lynkr_says_today():
    assert not runpy.run_path(str(ROOT / "core/docs/session.py"))["stale"](), "python core/docs/session.py writes it"


def test_the_readme_is_short():
    assert README.read_text().count("\n") < 200


@pytest.mark.parametrize("code", blocks(README, GUIDE, language="python"))
def test_python_blocks_run(code, running):
    code = code.replace(ADDRESS, running.address)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=running.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("You said: Hello\n" if "print(" in code else "")


@pytest.mark.parametrize("command", commands())
def test_shell_commands_run(command, running):
    if command.startswith(SET_UP):
        assert command in (ROOT / ".ci/run").read_text().splitlines() or command.endswith("lynkr up")
        return
    assert command.split()[0] in ("curl", "lynkr"), "say in this test how it is to be run"
    env = environment({"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"})
    done = subprocess.run(
        command.replace(ADDRESS, running.address), shell=True, cwd=running.folder, env=env, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "You said: Hello" in done.stdout if "curl" in command else done.stdout


def test_the_two_set_up_lines_are_there_and_the_second_is_the_last_of_the_ci():
    first, second = [block.values[0].strip() for block in blocks(README, language="sh") if block.values[0].startswith(SET_UP)]
    assert first.endswith("lynkr up")
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == second


@pytest.mark.parametrize("text", blocks(README, GUIDE, *PLUGIN_READMES, language="toml"))
def test_toml_blocks_are_good_configurations(text, tmp_path, monkeypatch):
    """Examples of one table stand alone: the providers that they only name are made."""
    monkeypatch.chdir(tmp_path)
    named = set(re.findall(r'"([\w-]+)/', text)) | {"echo"}
    missing = "".join(f'\n[provider.{name}]\nuse = "echo"\n' for name in named if f"[provider.{name}]" not in text)
    kernel = Kernel.from_config(parse(text + missing, Everything()), Everything())
    assert kernel.plugins


def test_no_block_has_a_language_that_is_not_checked():
    pages = [README, GUIDE]
    assert {match.group(1) for page in pages for match in BLOCK.finditer(page.read_text())} <= {"python", "sh", "toml", "console"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_command_and_dialect_is_mentioned():
    text = README.read_text() + GUIDE.read_text()
    missing = [name for name, _, _ in COMMANDS if not re.search(rf"\blynkr {name}\b", text)]
    missing += [name for name in installed("dialect") if f"`{name}`" not in text]
    assert missing == []

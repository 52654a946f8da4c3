"""What holds for every example: it is listed, its links lead somewhere, its commands are there. `tests/examples` runs them."""

import re
from pathlib import Path

import pytest

from lynkr_core.cli import COMMANDS

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/README.md"))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"^ {4}(?:cd \S+ && )?lynkr ([a-z-]+)(.*)$", re.MULTILINE)
OF_PLUGINS = {"budgets", "cache", "export", "keys", "runs", "usage", "eval", "replay"}
named = pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)


@named
def test_it_is_listed_and_its_links_lead_somewhere(folder):
    assert f"]({folder.name}/README.md)" in (ROOT / "examples/README.md").read_text()
    targets = [target for target in LINK.findall((folder / "README.md").read_text()) if "://" not in target]
    assert [target for target in targets if not (folder / target).exists()] == []


@named
def test_no_key_stands_in_any_file(folder):
    for path in (path for path in folder.rglob("*") if path.suffix in {".toml", ".md", ".json", ".sh", ".txt", ".yaml"}):
        assert not re.search(r"\bsk-[\w-]{8}|\blk_\w{8}", path.read_text()), path


@named
def test_its_commands_are_there(folder):
    """Those of plugins are known only in the folder of their lynkr.toml, and take no `--config`."""
    known = {name for name, _, _ in COMMANDS}
    for name, rest in COMMAND.findall((folder / "README.md").read_text()):
        assert name in known or (name in OF_PLUGINS and "--config" not in rest), f"lynkr {name}{rest}"

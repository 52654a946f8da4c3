"""`lynkr schema`: what editors are told agrees with what `lynkr check` says, for every plugin that is installed."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs  # comes with schemathesis
import pytest

from lynkr_core.cli.inspecting import full_schema
from lynkr_core.order import KINDS
from lynkr_core.plugins import aliases, installed

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", ROOT / "core/docs/guide.md", *sorted(ROOT.glob("plugins/*/README.md"))]
WRONG = {
    "a section": "[srever]\nport = 1",
    "a key of the core": "[server]\nprot = 1",
    "a type of the core": '[server]\nport = "a"',
    "a key of a plugin": "[provider.echo]\nprefiks = 'x'",
    "a type of a plugin": "[provider.echo]\nmodels = 'x'",
    "a key of a plugin by use": "[provider.mine]\nuse = 'echo'\nprefiks = 'x'",
    "a table of no plugin": "[provider.mine]\n",
    "a plugin that is not there": "[provider.mine]\nuse = 'echoo'",
    "another plugin's key": "[provider.echo]\nuse = 'openai-compatible'\nprefix = 'x'",
    "a required key": "[auth.jwt]\naudience = ['x']",
    "a setting out of its bounds": "[provider.openai]\ntimeout = -1",
}


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(full_schema())


def configurations() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text()
        yield from [(f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, m.start())}", m.group(1)) for m in BLOCK.finditer(text)]
    yield from [(str(file.relative_to(ROOT)), file.read_text()) for file in sorted(ROOT.glob("examples/*/lynkr.toml"))]


def is_installed(text: str) -> bool:
    tables = tomllib.loads(text)
    used = [(kind, table.get("use", name)) for kind in KINDS for name, table in tables.get(kind, {}).items()]
    return all(name in installed(kind) or name in aliases(kind) for kind, name in used)


def test_it_is_a_schema_and_the_command_prints_it():
    done = subprocess.run([sys.executable, "-m", "lynkr_core.cli", "schema"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(json.dumps(full_schema()))
    jsonschema_rs.meta.validate(full_schema())


@pytest.mark.parametrize(("place", "text"), [pytest.param(place, text, id=place) for place, text in configurations()])
def test_every_configuration_that_is_shown_keeps_to_it(place, text, validator):
    if is_installed(text):
        assert [error.message for error in validator.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_the_tables_of_every_installed_plugin_with_a_line_on_each(kind):
    tables = full_schema()["properties"][kind]["properties"]
    assert set(tables) == {*installed(kind), *aliases(kind)}
    assert [name for name, table in tables.items() if len(table["description"]) < 20] == []


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_seen(what, validator):
    assert not validator.is_valid(tomllib.loads(WRONG[what]))


@pytest.mark.parametrize(
    "text", ["[provider.mine]\nuse = 'echo'\nprefix = 'x'", "[provider.gemini]\n", "[provider.echo]\nuse = 'claude'"]
)
def test_other_names_of_tables_and_plugins_are_known(text, validator):
    assert [error.message for error in validator.iter_errors(tomllib.loads(text))] == []

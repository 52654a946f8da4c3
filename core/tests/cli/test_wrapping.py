"""What `lynkr wrap` tells each tool; that the tools take it is tried in `tests/agents` and told in `core/docs/recipes.md`."""

from __future__ import annotations

import json
import re

import pytest

from lynkr_core.cli.wrapping.tool import TOOLS, filled, tool_of

PLACE = re.compile(r"\{(base|key|file|folder|lynkr)\}")
BASE = "http://127.0.0.1:1"


@pytest.mark.parametrize("name", TOOLS)
def test_every_place_is_filled_and_the_file_lies_in_the_temporary_folder(name, tmp_path):
    tool = TOOLS[name]
    run = filled(
        tool, [f"/somewhere/{name}", "last"], {"HOME": "/home/me", "ANTHROPIC_API_KEY": "sk-mine"}, BASE, "KEY", tmp_path
    )
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    told = " ".join([*run.command, *run.environment.values(), *[path.read_text() for path in made]])
    assert not PLACE.search(told)
    assert (BASE in told, "KEY" in told) == (True, True)
    assert (run.command[0], run.command[-1], run.environment["HOME"]) == (f"/somewhere/{name}", "last", "/home/me")
    assert len(made) == bool(tool.text)
    assert all(str(tmp_path) in " ".join([*run.command, *run.environment.values()]) for _ in made)
    assert ("ANTHROPIC_API_KEY" in run.environment) == ("ANTHROPIC_API_KEY" not in tool.without)


@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if tool.text.startswith("{")])
def test_files_are_json_which_is_yaml_too(name, tmp_path):
    filled(TOOLS[name], [name], {}, BASE, "KEY", tmp_path)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert f"{BASE}/v1" in json.dumps(json.loads(file.read_text()))


def test_a_tool_is_known_by_its_name_wherever_it_lies():
    assert tool_of("/opt/bin/cline") is TOOLS["cline"]
    assert tool_of("cn") is TOOLS["cn"]
    assert tool_of("something") is TOOLS["any"]

"""What each tool has to be told; data in `tools.toml`."""

from __future__ import annotations

import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct


class Tool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`environment`, `arguments` and `text` may hold `{base}`, `{key}`, `{file}`, `{folder}` and `{lynkr}`; see `tools.toml`."""

    install: str = ""
    environment: dict[str, str] = {}
    arguments: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    name: str = "tool.json"
    text: str = ""


TOOLS = msgspec.convert(
    tomllib.loads(files("lynkr_core.cli.wrapping").joinpath("tools.toml").read_text(encoding="utf-8")), dict[str, Tool]
)


def tool_of(command: str) -> Tool:
    """By the command's name, wherever it is installed."""
    return TOOLS.get(Path(command).stem, TOOLS["any"])


class Filled(Struct, frozen=True):
    """A command line with its environment."""

    command: Sequence[str]
    environment: Mapping[str, str]


def filled(tool: Tool, command: Sequence[str], environ: Mapping[str, str], base: str, key: str, folder: Path) -> Filled:
    """The tool's command for a gateway at `base`. Its temporary file, if it has one, is written into `folder`."""
    own = shlex.join([sys.executable, "-m", "lynkr_core.cli"]).replace("\\", "\\\\").replace('"', '\\"')
    file = folder / "tool" / tool.name
    places = {"{base}": base, "{key}": key, "{file}": str(file), "{folder}": str(folder / "tool"), "{lynkr}": own}

    def fill(text: str) -> str:
        for place, value in places.items():
            text = text.replace(place, value)
        return text

    if tool.text:
        file.parent.mkdir(parents=True)
        file.write_text(fill(tool.text), encoding="utf-8")
    kept = {name: value for name, value in environ.items() if name not in tool.without}
    told = {name: fill(value) for name, value in tool.environment.items()}
    return Filled(
        [command[0], *[fill(argument) for argument in tool.arguments], *command[1:]], kept | told | {"LYNKR_BASE_URL": base}
    )

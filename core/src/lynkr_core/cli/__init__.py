"""The command `lynkr`. Each command's module is imported only when the command runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from cyclopts import App


def main() -> None:
    """Runs the command line; ends with status 2 for a mistake of the user's, 1 for a failure."""
    from lynkr_core.errors import ConfigError, LynkrError

    try:
        if not served(sys.argv[1:]):
            run(sys.argv[1:])
    except ConfigError as error:
        sys.stderr.write("".join(f"{mistake}\n" for mistake in error.mistakes))
        sys.exit(2)
    except LynkrError as error:
        sys.stderr.write(f"lynkr: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def served(words: list[str]) -> bool:
    """Whether that was `lynkr serve` or `lynkr up` in so many words; then it has ended. Other commands are not looked at."""
    from lynkr_core.cli.options import plain

    if words[:1] not in (["serve"], ["up"]) or (options := plain(words[1:])) is None:
        return False
    from lynkr_core.cli import serving

    (serving.serve if words[0] == "serve" else serving.up)(**options)
    return True


def run(words: list[str]) -> None:
    """Any command, also those of plugins."""
    from cyclopts import App

    from lynkr_core import __version__

    app = App(name="lynkr", version=__version__, help="A self-hosted LLM gateway made of plugins.")
    for name, target, text in COMMANDS:
        app.command(target, name=name, help=text)
    if not words or words[0] not in OWN:
        file, words = configured(words)
        add_plugin_commands(app, enabled_plugins(file))
    app(words)


def configured(words: list[str]) -> tuple[Path, list[str]]:
    """Of `--config FILE`, which every command of a plugin takes, the file; and the other words. Raises `LynkrError`."""
    from pathlib import Path

    from lynkr_core.errors import LynkrError

    place = next((place for place, word in enumerate(words) if word.partition("=")[0] == "--config"), None)
    if place is None:
        return Path("lynkr.toml"), words
    _, equals, name = words[place].partition("=")
    after = place + (1 if equals else 2)
    file = Path(name if equals else "".join(words[place + 1 : after]))
    if not file.is_file():
        raise LynkrError(f"--config: there is no file {str(file)!r}")
    return file, words[:place] + words[after:]


def enabled_plugins(file: Path) -> list[tuple[str, str, Any]]:
    """What lynkr.toml enables, where there is one and it is good; `lynkr check` is there to tell why it is not."""
    from lynkr_core.cli.configured import kernel_of
    from lynkr_core.errors import ConfigError

    if not file.exists():
        return []
    try:
        kernel = kernel_of(file)
    except ConfigError:
        sys.stderr.write(f"lynkr: {file} has mistakes, so commands of plugins are missing; `lynkr check` tells them\n")
        return []
    return [(plugin.kind, plugin.name, plugin.instance) for plugin in kernel.plugins]


def add_plugin_commands(app: App, plugins: Iterable[tuple[str, str, Any]]) -> None:
    """Lets plugins add their commands: `(kind, name, instance)` each. One that fails is named and left out."""
    for kind, name, instance in plugins:
        if hasattr(instance, "register_commands"):
            try:
                instance.register_commands(app)
            except Exception as error:
                sys.stderr.write(f"lynkr: the commands of {kind}.{name} are missing: {type(error).__name__}: {error}\n")


COMMANDS = (
    ("up", "lynkr_core.cli.serving:up", "Find models and keys, write lynkr.toml if there is none, and serve."),
    ("serve", "lynkr_core.cli.serving:serve", "Serve the gateway that lynkr.toml describes."),
    ("init", "lynkr_core.cli.setup:init", "Write a lynkr.toml from what is found on this machine."),
    ("check", "lynkr_core.cli.inspecting:check", "Tell every mistake in lynkr.toml at once."),
    ("doctor", "lynkr_core.cli.doctor:doctor", "Tell what is wrong, or soon will be, and what to do about it."),
    ("plugins", "lynkr_core.cli.inspecting:plugins", "List the installed plugins and which are enabled."),
    ("route", "lynkr_core.cli.deciding:route", "Tell where a prompt would go and why, without calling anyone."),
    ("explain", "lynkr_core.cli.deciding:explain", "Tell why a request of the past went where it went."),
    ("replay", "lynkr_core.cli.replaying:replay", "Tell what another configuration would have done with past requests."),
    ("usage", "lynkr_core.cli.usage:usage", "Tell what was used and spent, by model, key, team, day and more."),
    ("export", "lynkr_core.cli.exporting:export", "Write the journal out as CSV, JSON lines or FOCUS charges."),
    ("eval", "lynkr_core.cli.evals:app", "Run scorers or compressors on data with known outcomes and print how good they are."),
    ("record", "lynkr_core.cli.recording:record", "Record what a live provider answers, for its plugin's tests."),
    ("prices", "lynkr_core.cli.prices:prices", "Tell what each model costs, and who says so."),
    ("reconcile", "lynkr_core.cli.reconcile:reconcile", "Compare the journal with a provider's usage export."),
    ("schema", "lynkr_core.cli.inspecting:schema", "Print the JSON Schema of lynkr.toml, for editors."),
    (
        "import",
        "lynkr_core.cli.importing:import_",
        "Write a lynkr.toml from LiteLLM's configuration, or the Node project's variables.",
    ),
    ("store", "lynkr_core.cli.store:store", "Bring stores up to date, or move what one holds to another."),
    (
        "wrap",
        "lynkr_core.cli.wrapping:wrap",
        "Run a tool against a gateway of its own: claude, codex, opencode, aider, qwen, any other.",
    ),
    ("statusline", "lynkr_core.cli.statusline:statusline", "Print one line on the session of Claude Code, which calls this."),
    ("new-plugin", "lynkr_core.cli.new_plugin:new_plugin", "Write the skeleton of a plugin of your own."),
)
"""Name, where it is, and what it does."""
OWN = ("--version", *(name for name, _, _ in COMMANDS))
"""For these no plugin is loaded, so that none can keep them from working."""

if __name__ == "__main__":
    main()

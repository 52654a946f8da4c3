"""`lynkr import`: another gateway's configuration as a `lynkr.toml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from lynkr_core.cli.importing.draft import Draft
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel


def import_(
    kind: Literal["litellm", "lynkr-env"], file: Path, /, *, config: Path = Path("lynkr.toml"), force: bool = False
) -> None:
    """Write a lynkr.toml that does what another gateway's file said, and tell what has no counterpart.

    `lynkr import litellm config.yaml` reads LiteLLM's proxy configuration, `lynkr import lynkr-env .env` the variables of the Node project.
    Keys are not copied: the file names variables, and those that must be set are told.

    Args:
        kind: Whose file it is.
        file: The file.
        config: The file to write.
        force: Overwrite it when it is there.
    """
    if config.exists() and not force:
        raise ConfigError([f"{config} is already there; --force overwrites it"])
    from lynkr_core.cli.importing import litellm, node

    draft = litellm.drafted(file) if kind == "litellm" else node.drafted(file)
    text = draft.text()
    try:
        config.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{config}: cannot be written: {error.strerror}"]) from None
    sys.stdout.write("\n".join(told(draft, config, text)) + "\n")


def told(draft: Draft, config: Path, text: str) -> list[str]:
    """What was written, what was not, what has to be set, and what is wrong with it."""
    providers = ", ".join(name.removeprefix("provider.") for name in draft.tables if name.startswith("provider."))
    lines = [f"wrote {config} for {providers}"]
    lines += [f"  not taken over: {missing}" for missing in draft.missing]
    lines += [f"  set {name}, which stood in {draft.source}" for name in draft.keys]
    try:
        Kernel.from_config(parse(text, Anything(), str(config), strict=False), {})
    except ConfigError as error:
        lines += [f"  {mistake}" for mistake in error.mistakes]
    return lines


class Anything(dict[str, str]):
    """An environment in which every variable is set, to look at what is written beside them."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        if "DATABASE" in name:
            return "postgresql://127.0.0.1/lynkr"
        return "http://127.0.0.1" if name.endswith(("BASE", "URL", "ENDPOINT")) else "127.0.0.1"

    def get(self, name: str, default: object = None) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self[name]

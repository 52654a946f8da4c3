"""Claude Code and Codex from npm, and how they are run: headless, with a home of their own, and no key that is one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from lynkr_core.testing.canned import NOT_FOUND
from lynkr_core.testing.scripted import ScriptedProvider
from tests.javascript.node import NODE, install

FOLDER = Path(__file__).parent
PATIENCE = 120.0
"""Seconds an agent may take; it takes two."""
TOML = """
[provider.upstream]
use = "openai-compatible"
base_url = "{url}/v1"
models = ["m"]

[routing]
remap = true

[store.sqlite]

[sink.journal]
"""


class Done(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def agents() -> str:
    """The folder of their commands."""
    install(FOLDER)
    return str(FOLDER / "node_modules/.bin")


@pytest.fixture
async def upstream():
    async with ScriptedProvider(beside={"/v1/models": NOT_FOUND}) as provider:
        yield provider


@pytest.fixture
def wrap(agents: str, upstream: ScriptedProvider, tmp_path: Path) -> Callable[..., Awaitable[Done]]:
    """`await wrap("claude", "-p", "…")` runs `lynkr wrap claude -- -p "…"` in `tmp_path/work`, to its end."""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    (work / "lynkr.toml").write_text(TOML.format(url=upstream.url))
    environ = {
        "HOME": str(home), "PATH": os.pathsep.join([agents, str(Path(NODE).parent), os.environ["PATH"]]), "IS_SANDBOX": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1",
    }  # fmt: skip

    async def run(*command: str, **more: str) -> Done:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lynkr_core.cli", "wrap", command[0], "--", *command[1:], cwd=work, env=environ | more,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
        return Done(process.returncode or 0, out.decode(), err.decode())

    return run

"""`lynkr wrap`: a tool with a gateway of its own, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

from cyclopts import Parameter

from lynkr_core.cli.wrapping.gateway import gateway
from lynkr_core.cli.wrapping.told import asked, line
from lynkr_core.cli.wrapping.tool import Filled, filled, tool_of
from lynkr_core.errors import LynkrError

DEFAULT = Path("lynkr.toml")
KEY = "LYNKR_KEY"
"""The environment variable with the caller's key, for gateways that ask for one."""


def wrap(*command: Annotated[str, Parameter(allow_leading_hyphen=True)], config: Path = DEFAULT) -> None:
    """Serve on a free port, run a tool against it, and tell what that cost; as in `lynkr wrap claude -- -p "Say hello"`.

    Args:
        command: The tool and its arguments: claude, codex, opencode, aider, cline, cn, pi, qwen, or anything that uses an official SDK.
        config: The gateway's file; without one it is made of what is found on this machine.
    """
    if not command:
        raise LynkrError("say what to run, as in `lynkr wrap claude`")
    tool = tool_of(command[0])
    if shutil.which(command[0]) is None:
        raise LynkrError(f"there is no command {command[0]!r}" + (f"; {tool.install}" if tool.install else ""))
    key, began = os.environ.get(KEY, "lynkr"), time.time()
    with tempfile.TemporaryDirectory(prefix="lynkr-wrap-") as name:
        folder = Path(name)
        with gateway(file_of(config, folder), folder / "log", os.environ) as base:
            status = run(filled(tool, command, os.environ, base, key, folder))
            sys.stderr.write(line(asked(base, key, since=f"{time.time() - began + 1:.0f}s")) + "\n")
    sys.exit(status)


def file_of(config: Path, folder: Path) -> Path:
    """The file the gateway is to read: the user's, or one that is written into `folder`, where its journal then is, too."""
    if config.exists() or config != DEFAULT:
        return config.resolve()
    from lynkr_core.cli.setup import PORT
    from lynkr_core.cli.setup.sources import found
    from lynkr_core.cli.setup.writing import render

    made = folder / DEFAULT
    made.write_text(render(found(os.environ), PORT), encoding="utf-8")
    return made


def run(tool: Filled) -> int:
    """Runs it to its end; the status that a shell would tell. A Ctrl-C is its own affair, a request to end is passed on."""
    with subprocess.Popen(tool.command, env=dict(tool.environment)) as process, signals_for(process):
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextmanager
def signals_for(process: subprocess.Popen[bytes]) -> Generator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)

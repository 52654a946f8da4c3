"""`lynkr statusline`: what a coding session has cost so far, for the line below its prompt."""

from __future__ import annotations

import os
import sys

import msgspec

from lynkr_core.cli.wrapping.told import asked, line

LONGEST = 65_536
SPAN = "7d"


class Told(msgspec.Struct):
    """What Claude Code 2 writes to its status line's command, as far as it is of use here."""

    session_id: str = ""


def statusline() -> None:
    """Print one line on the session of Claude Code, which calls this and writes the session's name as JSON on standard input."""
    try:
        session = msgspec.json.decode(sys.stdin.buffer.read(LONGEST), type=Told).session_id
    except msgspec.DecodeError:
        session = ""
    base = os.environ.get("LYNKR_BASE_URL") or os.environ.get("ANTHROPIC_BASE_URL", "http://127.0.0.1:8081")
    key = os.environ.get("LYNKR_KEY") or os.environ.get("ANTHROPIC_AUTH_TOKEN", "lynkr")
    report = asked(base.rstrip("/"), key, since=SPAN, session=session) if session else None
    sys.stdout.write(line(report) + "\n")

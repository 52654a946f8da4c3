"""Nothing that people or agents have really asked is answered here, whoever says it is asking."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lynkr_core.testing import factories
from lynkr_extension_bypass import plugin

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared"
TRAFFIC = SHARED / "traffic"
EVERYTHING = {"on": ["claude-code-session-title", "opencode-title"]}
CLAUDE = {"user-agent": "claude-cli/2.1.330 (external, cli)"}
MOST = 400
"""Prompts of each file; all of them with MOST = None, which takes a minute."""


def lines(file: Path) -> Iterator[Any]:
    data = file.read_bytes()
    for line in (gzip.decompress(data) if file.suffix == ".gz" else data).splitlines():
        yield json.loads(line)


def answered(bypass: Any, body: Any, dialect: str) -> bool:
    for stream in (False, True):
        exchange = factories.exchange({**body, "stream": stream}, dialect=dialect, headers=CLAUDE)
        if bypass.pre_route(exchange) is not None:
            return True
    return False


def asks_only(body: Any, *texts: str) -> bool:
    """What is no more than this, with one token for the answer, from this client, is a probe: nobody else can send it."""
    return "system" not in body and len(body["messages"]) == 1 and body["messages"][0]["content"].strip() in texts


def fronts(messages: list[Any]) -> Iterator[tuple[str, Any]]:
    system = "\n".join([m["content"] for m in messages if m["role"] == "system" and isinstance(m["content"], str)])
    said = [m for m in messages if m["role"] != "system"]
    yield "openai.chat", {"model": "m", "max_tokens": 1, "messages": messages}
    for limit in (1, 32000):
        yield (
            "anthropic.messages",
            {"model": "m", "max_tokens": limit, "messages": said, **({"system": system} if system else {})},
        )


@pytest.fixture
def bypass() -> Any:
    return factories.build(plugin, EVERYTHING, factories.context("bypass"))


def test_no_turn_of_a_recorded_conversation_is_answered(bypass: Any) -> None:
    files = sorted(TRAFFIC.glob("*.jsonl.gz")) or sorted((ROOT / "tests/traffic/sample").glob("*.jsonl"))
    asked = 0
    for file in files:
        for record in lines(file) if not file.name.startswith("tool_results") else ():
            said = [m for m in record["messages"] if m["role"] != "system"]
            turns = [place for place, message in enumerate(said) if message["role"] == "user"][:3]
            for place in turns:
                part = said[: place + 1]
                body = {"model": "m", "max_tokens": 1, "system": record["system"], "messages": part}
                dialect = "anthropic.messages" if record["format"] == "anthropic" else "openai.chat"
                body = body if dialect == "anthropic.messages" else {"model": "m", "messages": part}
                asked += 1
                is_probe = dialect == "anthropic.messages" and body["max_tokens"] == 1 and asks_only(body, "test", "quota")
                assert answered(bypass, body, dialect) == is_probe, record["id"]
    assert asked >= 3


def test_no_labelled_ask_is_answered(bypass: Any) -> None:
    files = [
        SHARED / "routing" / name
        for name in ("tiers.jsonl", "pairs.jsonl.gz", "tier_labels_weak.jsonl.gz", "robustness.jsonl.gz")
    ]
    if not all(file.exists() for file in files):
        pytest.skip("the recorded prompts are not on this machine")
    for file in files:
        for count, record in enumerate(lines(file)):
            if MOST is not None and count >= MOST:
                break
            for dialect, body in fronts(record.get("messages") or [{"role": "user", "content": record.get("prompt", "")}]):
                is_probe = dialect == "anthropic.messages" and body["max_tokens"] == 1 and asks_only(body, "test", "quota")
                assert answered(bypass, body, dialect) == is_probe, record["id"]

"""`lynkr wrap` with Claude Code and Codex: a plain turn, and a turn in which the agent edits a file; all translated to a chat API."""

from __future__ import annotations

import json
import re
import sys

import pytest

from lynkr_core import sse
from lynkr_core.testing.canned import Script, encoded

pytestmark = pytest.mark.anyio
SUMMARY = re.compile(r"^lynkr: (\d+) requests?, [\d.]+k? tokens in, \d+ out", re.MULTILINE)


def streamed(delta: dict, reason: str) -> Script:
    """A chat stream with one piece."""
    head = {"id": "chatcmpl-1", "created": 1_763_700_000, "model": "m", "object": "chat.completion.chunk"}
    chunks = [{**head, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}]}]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    chunks.append({**head, "choices": [], "usage": {"prompt_tokens": 1200, "completion_tokens": 7, "total_tokens": 1207}})
    return Script(events=(*[sse.event(encoded(chunk)) for chunk in chunks], sse.event(b"[DONE]")))


def says(text: str) -> Script:
    return streamed({"content": text}, "stop")


def calls(name: str, **arguments: str) -> Script:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return streamed({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}, "tool_calls")


async def test_claude_answers(wrap, upstream, tmp_path):
    upstream.always(says("Grüezi mitenand"))
    done = await wrap("claude", "-p", "Say hello")
    assert (done.status, done.out) == (0, "Grüezi mitenand\n"), done
    assert SUMMARY.search(done.err)
    assert {request.path for request in upstream.requests} == {"/v1/chat/completions"}
    assert sorted(path.name for path in (tmp_path / "work").iterdir() if ".db" not in path.name) == ["lynkr.toml"]


async def test_claude_edits_a_file(wrap, upstream, tmp_path):
    file = tmp_path / "work" / "hello.txt"
    upstream.then(calls("Write", file_path=str(file), content="Grüezi\n")).always(says("It is written."))
    done = await wrap("claude", "-p", "Write hello.txt", "--permission-mode", "acceptEdits", "--allowedTools", "Write")
    assert (done.status, done.out) == (0, "It is written.\n"), done
    assert file.read_text() == "Grüezi\n"
    results = [message for message in upstream.last.json()["messages"] if message["role"] == "tool"]
    assert [message["tool_call_id"] for message in results] == ["call_1"]


async def test_codex_answers(wrap, upstream):
    upstream.always(says("Grüezi mitenand"))
    done = await wrap("codex", "exec", "--skip-git-repo-check", "Say hello")
    assert (done.status, done.out) == (0, "Grüezi mitenand\n"), done
    assert SUMMARY.search(done.err)


async def test_codex_edits_a_file(wrap, upstream, tmp_path):
    upstream.then(calls("exec_command", cmd="printf 'Grüezi\\n' > hello.txt")).always(says("It is written."))
    done = await wrap("codex", "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", "Write hello.txt")
    assert (done.status, done.out) == (0, "It is written.\n"), done
    assert (tmp_path / "work" / "hello.txt").read_text() == "Grüezi\n"
    assert [message["role"] for message in upstream.last.json()["messages"]][-2:] == ["assistant", "tool"]


async def test_any_other_command_is_told_by_the_variables_of_the_sdks_and_its_status_is_told(wrap):
    done = await wrap(
        "sh", "-c", "echo $OPENAI_BASE_URL $ANTHROPIC_BASE_URL [$ANTHROPIC_API_KEY]; exit 3", ANTHROPIC_API_KEY="sk-x"
    )
    assert done.status == 3
    openai, anthropic, key = done.out.split()
    assert (openai, key) == (f"{anthropic}/v1", "[]")
    assert "lynkr: no requests" in done.err


async def test_without_a_file_one_is_made_and_nothing_is_left(wrap, tmp_path):
    (tmp_path / "work" / "lynkr.toml").unlink()
    done = await wrap("sh", "-c", "curl -s $OPENAI_BASE_URL/models; pwd", TMPDIR=str(tmp_path))
    assert done.status == 0, done
    assert '"echo/echo"' in done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "work"]
    assert list((tmp_path / "work").iterdir()) == []


async def test_a_command_that_is_not_there_and_a_file_that_is_wrong(wrap, tmp_path):
    done = await wrap("opencode")
    assert (done.status, "npm install -g opencode-ai" in done.err) == (1, True)
    (tmp_path / "work" / "lynkr.toml").write_text("[provider.ekho]\n")
    done = await wrap("sh", "-c", "true")
    assert done.status == 1
    assert "the gateway did not start:" in done.err
    assert "'ekho' is not installed" in done.err


async def test_the_status_line_tells_of_the_session(wrap, upstream):
    """Claude Code writes JSON to the command's standard input; its session's name is also in each request's header."""
    say = """curl -s $ANTHROPIC_BASE_URL/v1/messages -H 'x-claude-code-session-id: s-1' -H 'content-type: application/json' \
      -d '{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}' >/dev/null"""
    line = """printf '{"session_id": "%s", "model": {}}' | "$PYTHON" -m lynkr_core.cli statusline"""
    nothing = 'echo | "$PYTHON" -m lynkr_core.cli statusline'
    done = await wrap("sh", "-c", f"{say}; {line % 's-1'}; {line % 's-2'}; {nothing}", PYTHON=sys.executable)
    told = "lynkr: 1 request, 12 tokens in, 7 out, 100% local"
    assert done.out.splitlines() == [told, "lynkr: no requests", "lynkr: no requests"], done

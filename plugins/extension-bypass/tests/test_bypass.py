"""What coding tools really send for themselves, cut down to what tells it apart, and what only looks like it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import httpx2
import pytest

from lynkr_core.config import parse
from lynkr_core.errors import ConfigError, PluginError
from lynkr_core.exchange import Reply
from lynkr_core.kernel import Kernel
from lynkr_core.testing import factories
from lynkr_extension_bypass import plugin
from lynkr_extension_bypass.answering import title

CLAUDE = {"user-agent": "claude-cli/2.1.330 (external, cli)"}
OPENCODE = {"user-agent": "opencode/1.18.34"}
USER_ID = {"user_id": '{"session_id":"5a0c"}'}
BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.330; cc_entrypoint=cli;"}
TOOL = {"name": "Grep", "description": "Search", "input_schema": {"type": "object", "properties": {}}}
EXPLORE = (
    "You are a file search specialist for Claude Code, Anthropic's official CLI for Claude. You excel at navigating codebases."
)
TOPIC = (
    "Analyze if this message indicates a new conversation topic. If it does, extract a 2-3 word title. Answer as a JSON object with "
    "two fields: 'isNewTopic' (boolean) and 'title' (string, or null). Only include these fields."
)
NAMING = "You are naming a coding session so the user can pick it out of a long list of sessions."
OPENCODE_TITLE = "You are a title generator. You output ONLY a thread title. Nothing else.\n\n<task>\nA brief title.\n</task>"
REMINDER = {"type": "text", "text": "<system-reminder>\nCLAUDE.md says: be kind.\n</system-reminder>"}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


QUOTA = {"model": "auto", "max_tokens": 1, "messages": [user("quota")], "metadata": USER_ID}
KEY = {"model": "auto", "max_tokens": 1, "messages": [user("test")], "temperature": 1, "metadata": USER_ID}
WARMUP = {
    "model": "auto", "max_tokens": 32000, "stream": True, "tools": [TOOL], "metadata": USER_ID,
    "system": [BILLING, {"type": "text", "text": EXPLORE}],
    "messages": [user([REMINDER, {"type": "text", "text": "Warmup", "cache_control": {"type": "ephemeral"}}])],
}  # fmt: skip
NEW_TOPIC = {
    "model": "auto", "max_tokens": 512, "temperature": 0, "system": [{"type": "text", "text": TOPIC}], "stream": True,
    "messages": [user("please fix the flaky login test"), {"role": "assistant", "content": "{"}],
}  # fmt: skip
SESSION_TITLE = {
    "model": "auto", "max_tokens": 4096, "stream": True, "system": [BILLING, {"type": "text", "text": NAMING}],
    "messages": [user("<session>\nAdd dark mode to the settings page, please\n</session>\n\nWrite the title in English.")],
}  # fmt: skip
OPENCODE_ASK = "Generate a title for this conversation:\n"


def opencode(dialect: str, text: str = "why is the build red?") -> dict[str, Any]:
    said = [user(OPENCODE_ASK), user(text)]
    if dialect == "openai.responses":
        return {"model": "auto", "store": False, "input": [{"role": "developer", "content": OPENCODE_TITLE}, *said]}
    if dialect == "anthropic.messages":
        return {"model": "auto", "max_tokens": 32000, "system": [{"type": "text", "text": OPENCODE_TITLE}], "messages": said}
    return {"model": "auto", "max_tokens": 32000, "messages": [{"role": "system", "content": OPENCODE_TITLE}, *said]}


TRUE = {"quota": QUOTA, "key": KEY, "warmup-explore": WARMUP, "topic": NEW_TOPIC}


def bypass(providers: Any = None, **table: Any) -> Any:
    return factories.build(plugin, table, factories.context("bypass", providers=providers))


def ask(instance: Any, body: Any, dialect: str = "anthropic.messages", headers: Any = CLAUDE) -> Reply | None:
    return instance.pre_route(factories.exchange(body, dialect=dialect, headers=headers))


@pytest.mark.parametrize("name", TRUE)
@pytest.mark.parametrize("stream", [False, True])
def test_what_claude_code_asks_for_itself_is_answered(name: str, stream: bool) -> None:
    answer = ask(bypass(), {**TRUE[name], "stream": stream})
    assert answer is not None
    assert answer.reason.startswith(f"bypass claude-code-{name}: ")


def changed(body: Any, **more: Any) -> Any:
    return {**deepcopy(body), **more}


def messages(*contents: Any) -> list[Any]:
    return [user(content) for content in contents]


NEAR = {
    "two tokens": changed(QUOTA, max_tokens=2),
    "no limit of tokens": changed(QUOTA, max_tokens=32000),
    "quota as a user asks it": changed(QUOTA, messages=messages("quota?")),
    "capital": changed(QUOTA, messages=messages("Quota")),
    "with a system prompt": changed(QUOTA, system="You are Claude Code"),
    "with tools": changed(QUOTA, tools=[TOOL]),
    "an image beside it": changed(QUOTA, messages=messages([{"type": "text", "text": "quota"}, {"type": "image", "source": {
        "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}])),
    "a second turn": changed(QUOTA, messages=[user("quota"), {"role": "assistant", "content": "what?"}, user("quota")]),
    "asks whether a model is there": changed(QUOTA, messages=messages(".")),
    "the main agent is told Warmup": changed(WARMUP, system="You are an interactive agent that helps users."),
    "no system at all": {key: value for key, value in WARMUP.items() if key != "system"},
    "the user quotes the agent": changed(WARMUP, system="You help.", messages=messages(f"{EXPLORE}\n\nWarmup", "Warmup")),
    "a task for the agent": changed(WARMUP, messages=messages("Warmup: find the cache")),
    "a reminder that says Warmup": changed(WARMUP, messages=messages("<system-reminder>Warmup</system-reminder>")),
    "warmed up without tools": changed(WARMUP, tools=[]),
    "after a tool's result": changed(WARMUP, messages=[*messages("Warmup"), {"role": "assistant", "content": [
        {"type": "tool_use", "id": "t1", "name": "Grep", "input": {}}]}, user([
            {"type": "tool_result", "tool_use_id": "t1", "content": "x"}, {"type": "text", "text": "Warmup"}])]),
    "no answer begun": changed(NEW_TOPIC, messages=messages("please fix the flaky login test")),
    "another answer begun": changed(NEW_TOPIC, messages=[user("fix it"), {"role": "assistant", "content": '{"name":'}]),
    "a user speaks of isNewTopic": changed(NEW_TOPIC, system="You help.", messages=[user(TOPIC), {"role": "assistant", "content": "{"}]),
    "nothing to make a title of": changed(NEW_TOPIC, messages=[user("?!"), {"role": "assistant", "content": "{"}]),
    "names of sessions are off": SESSION_TITLE,
}  # fmt: skip


@pytest.mark.parametrize("name", NEAR)
def test_what_only_looks_like_it_goes_to_a_model(name: str) -> None:
    everything_off = [] if name == "names of sessions are off" else ["claude-code-session-title", "opencode-title"]
    assert ask(bypass(on=everything_off), NEAR[name]) is None


@pytest.mark.parametrize("name", TRUE)
def test_others_than_the_tool_are_never_answered(name: str) -> None:
    for agent in ("", "anthropic-python/2.11.0", "curl/8", "my-claude-cli/1", "Mozilla/5.0 claude-cli/2.1"):
        assert ask(bypass(), TRUE[name], headers={"user-agent": agent}) is None


def test_another_front_is_not_meant() -> None:
    body = {"model": "auto", "max_tokens": 1, "messages": [user("quota")]}
    assert ask(bypass(), body, "openai.chat") is None
    assert ask(bypass(), {"model": "auto", "max_output_tokens": 16, "input": "quota"}, "openai.responses") is None


def test_a_key_of_a_providers_own_is_asked_about_there() -> None:
    table = '[provider.anthropic]\napi_key = "sk-ant-operator"\ncaller_keys = ["sk-ant-"]\n[extension.bypass]\n'
    kernel = Kernel.from_config(parse(table, {}), {})
    instance = next(plugin.instance for plugin in kernel.plugins if plugin.kind == "extension")
    assert ask(instance, KEY, headers={**CLAUDE, "x-api-key": "sk-ant-api03-callers-own"}) is None
    assert ask(instance, KEY, headers={**CLAUDE, "x-api-key": "dummy"}) is not None
    assert ask(instance, NEW_TOPIC, headers={**CLAUDE, "x-api-key": "sk-ant-api03-callers-own"}) is not None


def test_the_topic_goes_on_with_the_json_that_was_begun() -> None:
    answer = ask(bypass(), {**NEW_TOPIC, "stream": False})
    said = httpx2.Response(200, content=answer.body).json() if answer else {}
    assert said["content"] == [{"type": "text", "text": '"isNewTopic": true, "title": "Please fix the"}'}]
    assert (said["usage"]["input_tokens"], said["usage"]["output_tokens"]) == (0, 0)


@pytest.mark.parametrize(
    ("text", "words", "made"),
    [
        ("fix   the\n\nlogin test now", 3, "Fix the login"),
        ("```py\nx = 1\n``` what is **x**?", 8, "What is x"),
        ("Überarbeite die Lösung", 9, "Überarbeite die Lösung"),
        ("登录页面打不开，请修复", 5, "登录页面打不开，请修复"),
        ("w" * 500, 8, "W" + "w" * 59),
        ("<<<>>> ... !!", 8, ""),
        ("", 8, ""),
        ('say "hi" $title ${x}', 8, 'Say "hi" $title ${x}'),
    ],
)
def test_a_title_is_made_of_the_first_words(text: str, words: int, made: str) -> None:
    assert title(text, words) == made


def test_a_title_cannot_break_out_of_its_json() -> None:
    answer = ask(
        bypass(), changed(NEW_TOPIC, stream=False, messages=[user('"}, "x": $title\\'), {"role": "assistant", "content": "{"}])
    )
    assert answer is not None
    text = httpx2.Response(200, content=answer.body).json()["content"][0]["text"]
    assert set(httpx2.Response(200, text="{" + text).json()) == {"isNewTopic", "title"}


def test_rules_are_switched_and_added() -> None:
    own = {"name": "our-probe", "answer": "pong", "when": {"text": "ping", "agents": ["our-monitor/"]}}
    instance = bypass(off=["claude-code-quota"], on=["claude-code-session-title"], rule=[own])
    assert ask(instance, QUOTA) is None
    assert ask(instance, KEY) is not None
    titled = ask(instance, {**SESSION_TITLE, "stream": False})
    assert titled is not None
    assert b'{\\"title\\": \\"Add dark mode to the\\"}' in titled.body.replace(b'\\": ', b'\\": ')
    for dialect in ("openai.chat", "anthropic.messages"):
        body = {"model": "m", "max_tokens": 9, "messages": [user("ping")]}
        assert ask(instance, body, dialect, {"user-agent": "our-monitor/1"}) is not None
        assert ask(instance, body, dialect, {"user-agent": "curl/8"}) is None
    assert ask(instance, {"model": "m", "input": "ping"}, "openai.responses", {"user-agent": "our-monitor/1"}) is not None
    assert instance.status()["answered"] == {"claude-code-key": 1, "claude-code-session-title": 1, "our-probe": 3}


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"off": ["claude-code-qouta"]}, "there is no rule 'claude-code-qouta'"),
        ({"on": ["nothing"]}, "there is no rule 'nothing'"),
        ({"rule": [{"name": "all", "answer": "no", "when": {"agents": ["curl/"]}}]}, "would answer what users ask"),
        ({"rule": [{"name": "opencode-title", "answer": "no", "when": {"text": "x"}}]}, "more than one rule 'opencode-title'"),
        ({"rule": [{"name": "x", "answer": "no", "when": {"txt": "x"}}]}, "txt"),
        ({"rule": [{"name": "x", "answer": "", "when": {"text": "x"}}]}, "answer"),
        ({"rule": [{"name": "Bad Name", "answer": "y", "when": {"text": "x"}}]}, "name"),
    ],
)
def test_rules_that_cannot_be_are_refused(table: Any, error: str) -> None:
    with pytest.raises((PluginError, ConfigError), match=error):
        bypass(**table)


def test_the_scorer_takes_them_for_side_requests_too() -> None:
    """Whoever switches a rule off still has its requests served by the cheapest model, and by no session's."""
    from lynkr_scorer_heuristic import plugin as scorer

    instance = factories.build(scorer, {}, factories.context("heuristic", "scorer"))
    for name, body in {**TRUE, "opencode": opencode("openai.chat")}.items():
        if not name.startswith("warmup"):  # it has an agent's tools and prompt: by its text alone it is small talk at best
            dialect = "openai.chat" if name == "opencode" else "anthropic.messages"
            score = instance.score(factories.exchange(body, dialect=dialect, headers=CLAUDE))
            assert score.value <= 25, name
            assert {"probe", "side_request"} & set(score.gates), name

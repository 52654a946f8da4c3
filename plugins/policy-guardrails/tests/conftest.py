"""A gateway with guardrails before a scripted provider, and answers said in pieces of any size."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from lynkr_core import sse
from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.testing.canned import Script
from lynkr_core.testing.client import Answer, Client

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
GATEWAY = """
[provider.cloud]
use = "openai-compatible"
base_url = "{url}"
models = ["m"]
local = false
[provider.claude]
use = "anthropic"
api_key = "sk-ant-test"
base_url = "{url}"
models = ["m"]
[policy.guardrails]
key = "a key for tests"
{table}
"""


class Guarded(Client):
    """`plugin`: the guardrails; `sent`: the last body that the provider got."""

    def __init__(self, provider: Any, table: str, more: str = "") -> None:
        kernel = assemble(parse(GATEWAY.format(url=provider.url, table=table) + more, {}), {})
        self.plugin: Any = next(plugin.instance for plugin in kernel.plugins if plugin.id == "policy.guardrails")
        self.kernel = kernel
        self.provider = provider
        super().__init__(Application(kernel))

    @property
    def sent(self) -> bytes:
        return self.provider.last.body

    async def ask(self, *messages: Any, **more: Any) -> Answer:
        """A chat; texts are a user's."""
        said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
        return await self.post(CHAT, json={"model": "cloud/m", "messages": said, **more})

    async def streamed(self, *messages: Any, **more: Any) -> tuple[str, str]:
        """The text and the arguments of a chat's streamed answer."""
        answer = await self.ask(*messages, stream=True, **more)
        assert answer.status == 200, answer.text
        return "".join(spoken(answer)), arguments(answer)

    async def masked(self, value: str, rule: str) -> str:
        """What the value is called in what a provider gets."""
        await self.ask(f"It is {value} as said")
        return re.search(rf"MASKED_{rule}_[0-9a-f]{{12}}", self.sent.decode()).group()  # pyright: ignore[reportOptionalMemberAccess]

    def says(self, *said: str | dict[str, Any], pause: float = 0.0) -> None:
        """What the provider says next, in these pieces."""
        self.provider.then(pieces(*said, pause=pause))


@pytest.fixture
def guarded(scripted_provider: Any) -> Callable[..., Guarded]:
    return lambda table="", more="": Guarded(scripted_provider, table, more)


def pieces(*said: str | dict[str, Any], pause: float = 0.0) -> Script:
    """A chat answer in just these pieces: texts, or pieces of the arguments of one call as `{"arguments": "..."}`."""
    head = {"id": "c1", "created": 1, "model": "m"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    called = False
    for one in said:
        if isinstance(one, str):
            deltas.append({"content": one})
            continue
        opened = {} if called else {"id": "call_1", "type": "function"}
        named = {} if called else {"name": "look"}
        deltas.append({"tool_calls": [{"index": 0, **opened, "function": {**named, **one}}]})
        called = True
    finish = "tool_calls" if called else "stop"
    chunks = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks.append({"index": 0, "delta": {}, "finish_reason": finish})
    told = [{**head, "object": "chat.completion.chunk", "choices": [chunk]} for chunk in chunks]
    events = [sse.event(msgspec.json.encode(one)) for one in told]
    text = "".join([one for one in said if isinstance(one, str)])
    arguments = "".join([one["arguments"] for one in said if not isinstance(one, str)])
    calls = [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": arguments}}]
    message = {"role": "assistant", "content": text or None, **({"tool_calls": calls} if called else {})}
    body = {**head, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}  # fmt: skip
    return Script(body=msgspec.json.encode(body), events=(*events, sse.event(b"[DONE]")), pause=pause)


def spoken(answer: Answer) -> list[str]:
    """The texts of a streamed chat answer, piece by piece."""
    return [text for delta in deltas(answer) if (text := delta.get("content"))]


def arguments(answer: Answer) -> str:
    calls = [call for delta in deltas(answer) for call in delta.get("tool_calls", ())]
    return "".join([call["function"].get("arguments", "") for call in calls])


def deltas(answer: Answer) -> Sequence[dict[str, Any]]:
    told = [msgspec.json.decode(event.data) for event in answer.events() if event.data != "[DONE]" and event.data != b"[DONE]"]
    return [choice["delta"] for one in told for choice in one.get("choices", ())]

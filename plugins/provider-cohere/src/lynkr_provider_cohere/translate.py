"""The conversation of another dialect, written as Cohere's messages.

These are chat's messages in nearly everything: `Conversation` orders them, here is what differs.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from lynkr_core.dialects.openai_chat.content import Fragment
from lynkr_core.dialects.openai_chat.translate import LOST_THINKING, Conversation, note
from lynkr_core.request import Part, Reasoning, Request, ToolCall
from lynkr_provider_cohere.message import is_plan

_ITEMS = frozenset({"text", "image_url"})


def translate_messages(request: Request, losses: list[str]) -> list[Fragment]:
    conversation = CohereConversation(request.dialect, losses)
    conversation.add_system(request.system)
    for index, message in enumerate(request.messages):
        conversation.add(message, index)
    conversation.flush()
    return conversation.finished()


class CohereConversation(Conversation):
    """Thinking that any model can read goes along; signed or encrypted thinking does not."""

    def __init__(self, source: str, losses: list[str]) -> None:
        super().__init__(source, losses)
        self.same_vendor = False
        self.plans: dict[int, str] = {}
        self.plan = ""

    def add_answer(self, parts: list[Part], name: str | None) -> None:
        self.plan += "".join([part.text for part in parts if isinstance(part, Reasoning) and is_plan(part)])
        rest = [part for part in parts if not is_plan(part) and not self.is_foreign(part)]
        if parts and not rest:
            return
        super().add_answer(rest, name)
        place = len(self.out) - 1
        if self.plan and place >= 0 and self.out[place]["role"] == "assistant":
            self.plans[place] = self.plans.get(place, "") + self.plan
            self.plan = ""

    def is_foreign(self, part: Part) -> bool:
        """Thinking that only its own vendor can read; it is noted."""
        foreign = isinstance(part, Reasoning) and (part.signature is not None or part.encrypted is not None or not part.text)
        if foreign:
            note(self.losses, LOST_THINKING)
        return foreign

    def call(self, call: ToolCall) -> Any:
        if call.kind == "custom":
            note(self.losses, f"tool calls: {call.name} was called with free text, which became its one argument")
            quoted = {"input": call.arguments}
            call = structs.replace(call, kind="function", arguments=msgspec.json.encode(quoted).decode())
        return super().call(call)

    def item(self, part: Part) -> Fragment | None:
        item = super().item(part)
        if item is not None and item["type"] not in _ITEMS:
            note(self.losses, f"{self.path}: a part of type {item['type']} cannot be carried here")
            return None
        return item

    def lose(self, part: Part) -> None:
        if not isinstance(part, Reasoning):
            super().lose(part)

    def named(self, fragment: Fragment, name: str | None) -> Fragment:
        if name is not None:
            note(self.losses, "name: Cohere's messages have none")
        return fragment

    def finished(self) -> list[Fragment]:
        """The messages, with their thinking and plans in them."""
        for place, message in enumerate(self.out):
            if message["role"] == "assistant":
                complete(message, self.out.thoughts.get(place, ""), self.plans.get(place, ""))
        return list(self.out)


def complete(message: Fragment, thought: str, plan: str) -> None:
    """Adds to an assistant message what chat has no key for."""
    text = (message.pop("content", None) or "") + message.pop("refusal", "")
    if thought:
        message["content"] = [{"type": "thinking", "thinking": thought}, *([{"type": "text", "text": text}] if text else [])]
    elif text or "tool_calls" not in message:
        message["content"] = text
    if plan:
        message["tool_plan"] = plan

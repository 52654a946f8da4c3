"""The conversation of another dialect, written as chat messages."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from msgspec import structs

from lynkr_core.dialects.callids import bare
from lynkr_core.dialects.losses import ATTRIBUTION, note, without_attribution
from lynkr_core.dialects.names import safe_name
from lynkr_core.dialects.openai_chat.content import Fragment, item_of
from lynkr_core.dialects.openai_chat.message import write_call
from lynkr_core.request import File, Generic, Message, Part, Reasoning, Request, Text, ToolCall, ToolCallResponse

__all__ = [
    "ATTRIBUTION",
    "LOST_THINKING",
    "MAX_ID",
    "Conversation",
    "Translated",
    "compact",
    "note",
    "short_id",
    "translate_messages",
]
LOST_THINKING = "reasoning: earlier thinking is good for its own vendor only"
MAX_ID = 40
"""Longest tool-call id that OpenAI takes."""


def short_id(id: str) -> str:
    """The id, or for one that is too long the same stand-in in the call and its result; without another vendor's signature."""
    id = bare(id)
    return id if len(id) <= MAX_ID else f"call_{blake2b(id.encode(), digest_size=12).hexdigest()}"


class Translated(list[Fragment]):
    """Messages of another dialect's conversation.

    `thoughts` has what chat does not carry, by place: the thinking of assistant messages, for the providers that want it back all
    the same. `opaque`: there was thinking without a text too, which nobody but its vendor can read.
    """

    __slots__ = ("opaque", "thoughts")

    def __init__(self, messages: Iterable[Fragment] = ()) -> None:
        super().__init__(messages)
        self.thoughts: dict[int, str] = {}
        self.opaque = False


def translate_messages(request: Request, losses: list[str]) -> Translated:
    conversation = Conversation(request.dialect, losses)
    conversation.add_system(request.system)
    for index, message in enumerate(request.messages):
        conversation.add(message, index)
    conversation.flush()
    return conversation.out


class Conversation:
    """Gathers messages in the order that chat wants: after the calls their results, then what else came with these."""

    def __init__(self, source: str, losses: list[str]) -> None:
        self.out = Translated()
        self.losses = losses
        self.index = 0
        self.thought = ""
        """Thinking that stood before its answer, in a message of its own."""
        self.same_vendor = source.startswith("openai.")
        self.aside: list[Fragment] = []
        """Images of tool results, which only a user message can carry."""

    @property
    def path(self) -> str:
        """What losses call the message that is being added."""
        return f"messages[{self.index}]"

    def add_system(self, parts: Iterable[Part]) -> None:
        parts = without_attribution(tuple(parts), self.losses)
        texts = [part.text for part in parts if isinstance(part, Text) and part.text]
        if any(not isinstance(part, Text) for part in parts):
            note(self.losses, "system: only text can be carried")
        if texts:
            self.out.append({"role": "system", "content": "\n\n".join(texts)})

    def add(self, message: Message, index: int) -> None:
        self.index = index
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolCallResponse):
                self.add_result(part)
            else:
                rest.append(part)
        if message.parts and not rest:
            return
        if message.role == "assistant":
            self.add_answer(rest, message.name)
        elif message.role in ("system", "developer"):
            self.flush()
            self.add_system(rest)
        else:
            self.add_user(rest, message.name)

    def add_result(self, result: ToolCallResponse) -> None:
        """A tool message: text alone; other parts go into the user message that follows."""
        texts: list[str] = []
        for part in result.content:
            if isinstance(part, Text):
                texts.append(part.text)
                continue
            item = self.item(part)
            if item is not None and item["type"] == "text":
                texts.append(item["text"])
            elif item is not None:
                texts.append(f"[{item['type'].removesuffix('_url')} attached in the next user message]")
                self.aside.append(item)
        if result.is_error:
            note(self.losses, "tool results: is_error cannot be told, the text stands for itself")
        self.out.append({"role": "tool", "tool_call_id": short_id(result.id), "content": "\n\n".join(texts)})

    def flush(self) -> None:
        """What is still to be said in a user message."""
        if self.aside:
            self.out.append({"role": "user", "content": self.aside})
            self.aside = []

    def add_user(self, parts: list[Part], name: str | None) -> None:
        items = [item for part in parts if (item := self.item(part)) is not None]
        if parts and not items and not self.aside:
            return  # nothing of it can be carried, which is noted
        items, self.aside, self.thought = [*self.aside, *items], [], ""
        self.out.append(self.named({"role": "user", "content": compact(items)}, name))

    def add_answer(self, parts: list[Part], name: str | None) -> None:
        """An assistant message; one that follows another is joined to it, as results must follow all calls of a turn."""
        if self.aside:
            self.flush()
        keys = self.answer(parts)
        if parts and keys["content"] is None and len(keys) == 1:
            return  # it was only thinking
        last = self.out[-1] if self.out else None
        if last is not None and last["role"] == "assistant":
            merge(last, keys)
        else:
            self.out.append(self.named({"role": "assistant", **keys}, name))
        if self.thought:
            place = len(self.out) - 1
            self.out.thoughts[place] = self.out.thoughts.get(place, "") + self.thought
            self.thought = ""

    def answer(self, parts: list[Part]) -> Fragment:
        """The keys of an assistant message, role aside. What it thought is added to `thought`."""
        texts: list[str] = []
        refusals: list[str] = []
        calls: list[Any] = []
        lost = False
        for part in parts:
            if isinstance(part, Text):
                (refusals if part.refusal else texts).append(part.text)
            elif isinstance(part, ToolCall):
                calls.append(self.call(part))
            else:
                lost = True
                self.thought += part.text if isinstance(part, Reasoning) else ""
                self.lose(part)
        content = texts[0] if len(texts) == 1 else "\n\n".join([text for text in texts if text])
        keys: Fragment = {"content": content or (None if refusals or calls or lost else "")}
        if refusals:
            keys["refusal"] = "".join(refusals)
        if calls:
            keys["tool_calls"] = calls
        return keys

    def call(self, call: ToolCall) -> Any:
        if call.signature is not None:
            note(self.losses, "tool calls: a signature is good for its own vendor only")
        name = safe_name(call.name)
        return write_call(call if name == call.name else structs.replace(call, name=name), id=short_id(call.id))

    def item(self, part: Part) -> Fragment | None:
        """A part as an item of a content list; what cannot be one is noted."""
        item = None if isinstance(part, File) and not self.same_vendor else item_of(part)
        if item is None:
            self.lose(part)
        return item

    def lose(self, part: Part) -> None:
        if isinstance(part, Reasoning):
            self.out.opaque |= not part.text
            note(self.losses, LOST_THINKING)
        elif isinstance(part, File):
            note(self.losses, f"{self.path}: the file {part.file_id} is stored at another vendor")
        else:
            kind = part.type if isinstance(part, Generic) else getattr(part, "modality", type(part).__name__.lower())
            note(self.losses, f"{self.path}: a part of type {kind} cannot be carried here")

    def named(self, fragment: Fragment, name: str | None) -> Fragment:
        return fragment if name is None else {**fragment, "name": name}


def compact(items: list[Fragment]) -> Any:
    """A bare string for a single text; empty texts are left out of a list, as providers refuse them."""
    full = [item for item in items if item.get("text") != ""]
    if not full:
        return ""
    return full[0]["text"] if len(full) == 1 and full[0]["type"] == "text" else full


def merge(last: Fragment, keys: Fragment) -> None:
    """Adds an assistant message to the one before it."""
    texts = [text for text in (last.get("content"), keys["content"]) if text]
    last["content"] = "\n\n".join(texts) if texts else last.get("content")
    if "refusal" in keys:
        last["refusal"] = last.get("refusal", "") + keys["refusal"]
    if "tool_calls" in keys:
        last["tool_calls"] = [*last.get("tool_calls", []), *keys["tool_calls"]]

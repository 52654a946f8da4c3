"""A conversation and tools of another dialect, written for Ollama."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Raw, structs

from lynkr_core.dialects.callids import unpack
from lynkr_core.dialects.losses import note, without_attribution
from lynkr_core.dialects.openai_chat.content import item_of
from lynkr_core.request import Blob, Generic, Message, Part, Reasoning, Request, Text, Tool, ToolCall, ToolCallResponse, Uri
from lynkr_provider_ollama.message import result_of, said
from lynkr_provider_ollama.wire import Fragment

NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')


def translate_messages(request: Request, losses: list[str]) -> list[Fragment]:
    conversation = Conversation(losses)
    conversation.add_system(request.system, "system")
    for index, message in enumerate(request.messages):
        conversation.add(message, f"messages[{index}]")
    conversation.flush()
    return conversation.out


class Conversation:
    """Gathers messages: after calls their results, then what else came with these. Images of results go to the user message after them."""

    def __init__(self, losses: list[str]) -> None:
        self.out: list[Fragment] = []
        self.losses = losses
        self.names: dict[str, str] = {}
        self.aside: list[str] = []

    def add(self, message: Message, path: str) -> None:
        results = [part for part in message.parts if isinstance(part, ToolCallResponse)]
        rest = [part for part in message.parts if not isinstance(part, ToolCallResponse)]
        if message.name is not None:
            note(self.losses, f"{path}.name: Ollama has no names")
        for result in results:
            self.add_result(result, path)
        if results and not rest:
            return
        if message.role in ("system", "developer"):
            self.flush()
            self.add_system(rest, path)
        elif message.role == "assistant":
            self.add_answer(rest, path)
        else:
            self.add_user(rest, path)

    def add_system(self, parts: Iterable[Part], path: str) -> None:
        """What tells another vendor whom to bill is no prompt."""
        texts, images = self.content(without_attribution(tuple(parts), self.losses), path)
        if texts or images:
            self.out.append(said("system", (), texts, images))

    def add_result(self, result: ToolCallResponse, path: str) -> None:
        texts, images = self.content(result.content, path)
        if images:
            texts.append(f"[{len(images)} attached in the next user message]")
            self.aside += images
        if result.is_error:
            note(self.losses, "tool results: is_error cannot be told, the text stands for itself")
        id = unpack(result.id)[0]
        self.out.append(result_of(structs.replace(result, id=id, name=result.name or self.names.get(id)), texts, []))

    def add_user(self, parts: list[Part], path: str) -> None:
        texts, images = self.content(parts, path)
        images, self.aside = [*self.aside, *images], []
        if texts or images or not parts:
            self.out.append(said("user", (), texts, images))

    def add_answer(self, parts: list[Part], path: str) -> None:
        """An assistant message; one that follows another is joined to it, as results must follow all calls of a turn."""
        self.flush()
        answer = [bare(part) for part in parts if isinstance(part, (Reasoning, ToolCall))]
        self.names |= {part.id: part.name for part in answer if isinstance(part, ToolCall)}
        for part in answer:
            self.check(part)
        texts, images = self.content([part for part in parts if not isinstance(part, (Reasoning, ToolCall))], path)
        fragment = said("assistant", answer, texts, images)
        last = self.out[-1] if self.out else None
        if last is not None and last["role"] == "assistant":
            merge(last, fragment)
        elif len(fragment) > 2 or texts or not parts:
            self.out.append(fragment)

    def check(self, part: Part) -> None:
        """Notes what of thinking and calls stays behind."""
        if isinstance(part, ToolCall) and part.signature is not None:
            note(self.losses, "tool calls: a signature is good for its own vendor only")
        if isinstance(part, Reasoning) and (part.signature is not None or part.encrypted is not None):
            note(self.losses, "reasoning: signed and encrypted thinking is good for its own vendor only")

    def flush(self) -> None:
        """What is still to be said in a user message."""
        if self.aside:
            self.add_user([], "")

    def content(self, parts: Sequence[Part], path: str) -> tuple[list[str], list[str]]:
        """Texts and images; everything else is noted."""
        texts: list[str] = []
        images: list[str] = []
        for part in parts:
            if part.cache is not None:
                note(self.losses, "cache_control: Ollama keeps its cache by itself")
            item = None if isinstance(part, (Text, Uri)) else item_of(part)
            if isinstance(part, Text):
                texts += [part.text] if part.text else []
            elif isinstance(part, Blob) and part.modality == "image":
                images.append(part.data)
            elif item is not None and item["type"] == "text":
                texts.append(item["text"])
            else:
                self.lose(part, path)
        return texts, images

    def lose(self, part: Part, path: str) -> None:
        if isinstance(part, Uri):
            note(self.losses, f"{path}: Ollama does not fetch {part.modality} URLs; send the data itself")
            return
        kind = part.type if isinstance(part, Generic) else getattr(part, "modality", type(part).__name__.lower())
        note(self.losses, f"{path}: a part of type {kind} cannot be carried here")


def bare(part: Reasoning | ToolCall) -> Reasoning | ToolCall:
    """Without what is another dialect's: its fragment, and the signature that a call's id may carry for another vendor."""
    if isinstance(part, ToolCall):
        return structs.replace(part, native=None, id=unpack(part.id)[0])
    return structs.replace(part, native=None)


def merge(last: Fragment, more: Fragment) -> None:
    """Adds an assistant message to the one before it."""
    last["content"] = "\n\n".join([text for text in (last["content"], more["content"]) if text])
    for key in ("thinking", "images", "tool_calls"):
        if key in more:
            last[key] = last[key] + more[key] if key in last else more[key]


def translate_tools(request: Request, losses: list[str]) -> list[Fragment]:
    """Functions; none when none may be called, which this API has no other word for."""
    if request.tool_choice is not None and request.tool_choice.mode == "none":
        return []
    return [write_tool(tool, losses) for tool in request.tools if is_function(tool, losses)]


def is_function(tool: Tool, losses: list[str]) -> bool:
    if tool.kind != "function":
        note(losses, f"tools: {tool.name} is of kind {tool.kind}, which Ollama does not have")
    return tool.kind == "function"


def write_tool(tool: Tool, losses: list[str]) -> Fragment:
    if tool.strict:
        note(losses, "tools: Ollama does not hold arguments to the schema, so strict is left out")
    if tool.cache is not None:
        note(losses, "cache_control: Ollama keeps its cache by itself")
    described = {} if tool.description is None else {"description": tool.description}
    return {"type": "function", "function": {"name": tool.name, **described, "parameters": tool.parameters or NO_PARAMETERS}}

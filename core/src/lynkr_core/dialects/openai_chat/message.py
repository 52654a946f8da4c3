"""One message: read into the model, and written in this dialect's form."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, structs

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.openai_chat import wire
from lynkr_core.dialects.openai_chat.content import Fragment, json_text, kept, read_content, write_content
from lynkr_core.dialects.openai_chat.wire import WireMessage
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Generic, Message, Part, Reasoning, Role, Text, ToolCall, ToolCallResponse

_ROLES: dict[str, Role] = {
    "system": "system", "developer": "developer", "user": "user", "assistant": "assistant", "tool": "tool", "function": "tool",
}  # fmt: skip


def read_message(raw: Raw, path: str) -> Message:
    """Raises `InvalidRequest` that names the place under `path`."""
    message = wire.read(wire.messages, raw, path)
    role = _ROLES.get(message.role)
    if role is None:
        place = f"{path}.role"
        raise InvalidRequest(f"{place}: {message.role!r} is none of {', '.join(_ROLES)}", param=place)
    if role != "tool":
        return Message(role=role, parts=read_parts(message, path), name=message.name, native=raw)
    content = read_content(message.content, f"{path}.content")
    id = message.tool_call_id or legacy_id(message.name)
    return Message(role=role, parts=(ToolCallResponse(id=id, content=content, name=message.name),), native=raw)


def legacy_id(name: str | None) -> str:
    """Pairs a `function_call` with its result, which had no ids."""
    return f"function_{name}" if name else ""


def read_parts(message: WireMessage, path: str) -> tuple[Part, ...]:
    """The parts of a message that holds no tool result: thinking, content, refusal, calls."""
    content = read_content(message.content, f"{path}.content")
    if message.role != "assistant":
        return content
    thinking = next((text for text in (message.reasoning_content, message.reasoning) if isinstance(text, str) and text), None)
    parts: list[Part] = [] if thinking is None else [Reasoning(text=thinking)]
    parts += annotated(content, wire.given(message.annotations))
    if message.refusal:
        parts.append(Text(text=message.refusal, refusal=True))
    if wire.given(message.audio) is not None:
        parts.append(Generic(type="audio", native=message.audio))
    for index, raw in enumerate(message.tool_calls or ()):
        parts.append(read_call(raw, f"{path}.tool_calls[{index}]"))
    if message.function_call is not None and message.function_call.name:
        called = message.function_call
        arguments = read_arguments(called.arguments, f"{path}.function_call.arguments")
        parts.append(ToolCall(id=legacy_id(called.name), name=called.name or "", arguments=arguments))
    return tuple(parts)


def annotated(parts: tuple[Part, ...], annotations: Raw | None) -> tuple[Part, ...]:
    """Citations belong to the text; the wire has them beside it."""
    if annotations is None or annotations == Raw(b"[]") or not parts or not isinstance(parts[0], Text):
        return parts
    return (structs.replace(parts[0], annotations=annotations), *parts[1:])


def read_call(raw: Raw, path: str) -> ToolCall:
    call = wire.read(wire.calls, raw, path)
    if call.custom is not None and call.custom.name:
        return ToolCall(id=call.id or "", name=call.custom.name, arguments=call.custom.input or "", kind="custom", native=raw)
    if call.function is None or not call.function.name:
        raise InvalidRequest(f"{path}.function.name: missing", param=f"{path}.function.name")
    arguments = read_arguments(call.function.arguments, f"{path}.function.arguments")
    return ToolCall(id=call.id or "", name=call.function.name, arguments=arguments, signature=call.signature, native=raw)


def read_arguments(raw: Raw, path: str) -> str:
    """Passed over unread until now. Raises `InvalidRequest`."""
    try:
        return json_text(raw) or "{}"
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def write_call(call: ToolCall, native: bool = False, id: str | None = None) -> Fragment | Raw:
    """`native`: the call's own fragment may be used, and its signature is for this dialect's provider. `id` instead of its own."""
    fragment = kept(call) if native else None
    if fragment is not None:
        return fragment
    if call.kind == "custom":
        return {"id": id or call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    wire_call: Fragment = {"id": id or call.id, "type": "function", "function": function}
    if native and call.signature is not None:
        wire_call["extra_content"] = {"google": {"thought_signature": call.signature}}
    if native and call.native is not None:
        return splice(call.native, difference(_call_before(call.native), wire_call))
    return wire_call


def _call_before(native: Raw) -> Fragment:
    before = write_call(structs.replace(read_call(native, ""), native=None), native=True)
    return before if isinstance(before, dict) else {}


def write_own(message: Message) -> list[Any]:
    """A message of this dialect's own request: as it came, with the changed keys replaced, or new."""
    if message.native is None:
        return list(own_fragments(message))
    if not message.edited:
        return [message.native]
    after = own_fragments(message)
    if len(after) != 1:
        return list(after)
    changes = difference(own_fragments(read_message(message.native, ""))[0], after[0])
    return [splice(message.native, _spelt(message.native, changes))]


def _spelt(native: Raw, changes: dict[str, Any]) -> dict[str, Any]:
    """The same changes under the names that this message uses."""
    if "tool_calls" in changes:
        changes["function_call"] = UNSET
    if "reasoning_content" in changes:
        present = wire.objects.decode(native)
        changes["reasoning_details"] = UNSET
        if "reasoning" in present and "reasoning_content" not in present:
            changes["reasoning"] = changes.pop("reasoning_content")
        elif changes["reasoning_content"] is UNSET:
            changes["reasoning"] = UNSET
    return changes


def own_fragments(message: Message) -> list[Fragment]:
    """Written with the fragments of its untouched parts. Tool results become messages of their own, before the rest."""
    results = [part for part in message.parts if isinstance(part, ToolCallResponse)]
    rest = [part for part in message.parts if not isinstance(part, ToolCallResponse)]
    out = [own_result(result) for result in results]
    if rest or not out:
        role = "user" if message.role == "tool" else message.role
        fragment = {"role": role, **(own_answer(rest) if role == "assistant" else {"content": write_content(rest, True)})}
        if message.name is not None:
            fragment["name"] = message.name
        out.append(fragment)
    return out


def own_result(result: ToolCallResponse) -> Fragment:
    return {"role": "tool", "tool_call_id": result.id, "content": write_content(result.content, True)}


def own_answer(parts: list[Part]) -> Fragment:
    """The keys of an assistant message, role aside."""
    calls = [part for part in parts if isinstance(part, ToolCall)]
    aside = [part for part in parts if stands_aside(part)]
    content = [part for part in parts if not isinstance(part, ToolCall) and not stands_aside(part)]
    empty = None if calls or aside else ""
    keys: Fragment = {"content": write_content(content, True) if content else empty}
    for part in aside:
        keys.update(aside_keys(part, keys))
    annotations = next((part.annotations for part in content if isinstance(part, Text) and part.annotations is not None), None)
    if annotations is not None:
        keys["annotations"] = annotations
    if calls:
        keys["tool_calls"] = [write_call(call, native=True) for call in calls]
    return keys


def stands_aside(part: Part) -> bool:
    """Has this part a key of its own beside `content`?"""
    if isinstance(part, Text):
        return part.refusal and part.native is None
    return (isinstance(part, Reasoning) and part.native is None) or (isinstance(part, Generic) and part.type == "audio")


def aside_keys(part: Part, so_far: Fragment) -> Fragment:
    match part:
        case Text():
            return {"refusal": so_far.get("refusal", "") + part.text}
        case Reasoning():
            return {"reasoning_content": so_far.get("reasoning_content", "") + part.text}
        case _:
            return {"audio": part.native}

"""Requests written for Converse, in the shapes of botocore 1.44.5's service model.

What only some models take is written as Anthropic's want it; `models.suit` puts it into another model's words, or takes it out.
"""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE, Fields
from lynkr_core.dialects.anthropic_messages.names import safe_name
from lynkr_core.dialects.anthropic_messages.thinking import BUDGETS, MIN_BUDGET
from lynkr_core.dialects.anthropic_messages.translate import JSON_ONLY
from lynkr_core.dialects.anthropic_messages.turns import note, split_system
from lynkr_core.dialects.splice import splice
from lynkr_core.request import Part, ReasoningOptions, Request, Text, Tool, ToolCall, ToolChoice
from lynkr_provider_bedrock.blocks import Blocks, Wire, cache_point
from lynkr_provider_bedrock.response import STOP_SEQUENCE
from lynkr_provider_bedrock.turns import arrange

OWN = frozenset({
    "guardrailConfig", "performanceConfig", "promptVariables", "requestMetadata", "serviceTier", "outputConfig",
    "additionalModelRequestFields", "additionalModelResponseFieldPaths",
})  # fmt: skip
"""Keys of Converse that a caller may put into a request of any dialect."""
_TIERS = {"default": "default", "standard": "default", "standard_only": "default", "priority": "priority", "flex": "flex"}
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_MAX_METADATA = 16
_NOTHING = (Raw(b"null"), Raw(b"{}"), Raw(b"[]"))
_object = msgspec.json.Decoder(dict[str, Raw])
_any = msgspec.json.Decoder()
_texts = msgspec.json.Decoder(dict[str, str])
_text = msgspec.json.Encoder().encode


def encode_request(request: Request, losses: list[str]) -> Fields:
    """What Converse has no place for is added to `losses`."""
    system, messages = split_system(request)
    blocks = Blocks(losses)
    fields: Fields = {}
    fields["messages"] = [blocks.message(turn) for turn in arrange(messages, losses)]
    set_system(fields, request, blocks, system)
    set_inference(fields, request, losses)
    set_tools(fields, request, losses)
    set_format(fields, request, losses)
    set_model_fields(fields, request)
    set_rest(fields, request, losses)
    set_own(fields, request, losses)
    tell_losses(request, losses)
    return fields


def set_system(fields: Fields, request: Request, blocks: Blocks, parts: list[Part]) -> None:
    texts: list[Part] = [part for part in parts if isinstance(part, Text) and part.text.strip()]
    if any(not isinstance(part, Text) for part in parts):
        note(blocks.losses, "system: only text is allowed in it")
    if request.response_format is not None and request.response_format.kind == "json_object":
        texts.append(Text(text=JSON_ONLY))
        note(blocks.losses, "response_format: json_object is expressed differently, as a sentence in the system prompt")
    if texts:
        fields["system"] = blocks.content(texts)


def set_inference(fields: Fields, request: Request, losses: list[str]) -> None:
    config: Wire = {"maxTokens": request.max_tokens, "temperature": request.temperature, "topP": request.top_p}
    if request.temperature is not None and request.temperature > 1:
        config["temperature"] = 1.0
        note(losses, f"temperature: {request.temperature:g} was lowered to 1, the highest there is")
    stop = [sequence for sequence in request.stop if sequence]
    if stop:
        config["stopSequences"] = stop
        fields["additionalModelResponseFieldPaths"] = [STOP_SEQUENCE]
    config = {key: value for key, value in config.items() if value is not None}
    if config:
        fields["inferenceConfig"] = config


def set_tools(fields: Fields, request: Request, losses: list[str]) -> None:
    """Tools must be there when the conversation has calls, and there is no way to forbid them."""
    choice = request.tool_choice
    called = {part.name: part for message in request.messages for part in message.parts if isinstance(part, ToolCall)}
    tools = [tool for tool in request.tools if is_carried(tool, losses)]
    if choice is not None and choice.mode == "none" and tools:
        if not called:
            return
        note(losses, "tool_choice: Converse cannot forbid tools of which the conversation has calls")
    if called and not tools:
        note(losses, "tools: Converse wants those that the conversation has calls of, so they are told by name")
        tools = [Tool(name=call.name, kind=call.kind) for call in called.values()]
    if not tools:
        return
    config: Wire = {"tools": [wire for tool in tools for wire in (write_tool(tool, losses), *cache_point(tool.cache))]}
    fields["toolConfig"] = config
    wanted = write_choice(choice, {tool.name for tool in tools}, losses)
    if wanted is not None:
        config["toolChoice"] = wanted
    if request.parallel_tool_calls is False:
        note(losses, "parallel_tool_calls: Converse cannot forbid several calls at once")


def is_carried(tool: Tool, losses: list[str]) -> bool:
    if tool.kind in ("function", "custom"):
        return True
    note(losses, f"tools: {tool.kind} is another vendor's own")
    return False


def write_tool(tool: Tool, losses: list[str]) -> Wire:
    """A function; free-text tools become a function of one string."""
    name = safe_name(tool.name)
    if name != tool.name:
        note(losses, f"tools: {tool.name} is called {name} here")
    spec: Wire = {"name": name, "inputSchema": {"json": schema_of(tool)}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict:
        spec["strict"] = True
    return {"toolSpec": spec}


def schema_of(tool: Tool) -> Any:
    """An object's schema that says so with `type`."""
    if tool.kind == "custom":
        return {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    try:
        keys = {} if tool.parameters is None else _object.decode(tool.parameters)
    except UNREADABLE:
        keys = {}
    if not keys:
        return {"type": "object", "properties": {}}
    return tool.parameters if keys.get("type") == Raw(b'"object"') else splice(tool.parameters, {"type": "object"})


def write_choice(choice: ToolChoice | None, names: set[str], losses: list[str]) -> Wire | None:
    """None where the model may choose, which is the default."""
    if choice is None or choice.mode in ("auto", "none"):
        return None
    if choice.mode == "required":
        return {"any": {}}
    if choice.name in names:
        return {"tool": {"name": safe_name(choice.name or "")}}
    note(losses, f"tool_choice: there is no tool {choice.name!r} here, the model may choose")
    return None


def set_format(fields: Fields, request: Request, losses: list[str]) -> None:
    wanted = request.response_format
    if wanted is None or wanted.kind != "json_schema" or wanted.schema is None:
        return
    schema = _any.decode(wanted.schema)
    if closed(schema):
        note(losses, "response_format: additionalProperties is false in every object, as Converse wants it")
    told = {"schema": _text(schema).decode(), "name": wanted.name, "description": wanted.description}
    structure = {"jsonSchema": {key: value for key, value in told.items() if value}}
    fields["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}


def closed(schema: Any) -> bool:
    """Forbids other properties in every object of a schema, in place. True when one was changed."""
    if isinstance(schema, list):
        return sum(closed(item) for item in cast("list[Any]", schema)) > 0
    if not isinstance(schema, dict):
        return False
    node = cast("dict[str, Any]", schema)
    changed = sum(closed(item) for key, item in node.items() if isinstance(item, dict) or key not in ("enum", "examples")) > 0
    if node.get("type") == "object" and node.get("additionalProperties") is not False:
        node["additionalProperties"] = False
        return True
    return changed


def set_model_fields(fields: Fields, request: Request) -> None:
    more: Wire = {}
    thinking = write_thinking(request.reasoning)
    if thinking is not None:
        more["thinking"] = thinking
    if thinking == {"type": "adaptive"} and request.reasoning is not None and request.reasoning.effort:
        fields["outputConfig"] = fields.get("outputConfig", {}) | {"effort": request.reasoning.effort}
    if request.top_k is not None:
        more["top_k"] = request.top_k
    if more:
        fields["additionalModelRequestFields"] = more


def write_thinking(options: ReasoningOptions | None) -> Wire | None:
    """As a budget wherever the caller did not ask for adaptive thinking: all of Anthropic's thinking models take one."""
    if options is None:
        return None
    if options.mode == "off" or options.effort == "none" or options.budget == 0:
        return {"type": "disabled"}
    if options.mode == "adaptive":
        return {"type": "adaptive"}
    if options.budget is None and options.effort is None and options.mode is None:
        return None
    budget = options.budget or BUDGETS.get(options.effort or "medium", BUDGETS["medium"])
    return {"type": "enabled", "budget_tokens": max(budget, MIN_BUDGET)}


def set_rest(fields: Fields, request: Request, losses: list[str]) -> None:
    metadata = read_metadata(request, losses)
    if metadata:
        fields["requestMetadata"] = metadata
    tier = _TIERS.get(request.service_tier or "")
    if tier is not None:
        fields["serviceTier"] = {"type": tier}
    elif request.service_tier not in (None, "auto"):
        note(losses, f"service_tier: there is no tier {request.service_tier!r} here")


def read_metadata(request: Request, losses: list[str]) -> dict[str, str]:
    """Texts with which AWS's invocation logs can be filtered; the user is one of them."""
    found = {} if request.user is None else {"user_id": request.user}
    if request.metadata is not None and request.metadata not in _NOTHING:
        try:
            found = _texts.decode(request.metadata) | found
        except UNREADABLE:
            note(losses, "metadata: only texts are carried")
    kept = {key: value for key, value in found.items() if key and _METADATA.fullmatch(key) and _METADATA.fullmatch(value)}
    for key in found.keys() - kept.keys():
        note(losses, f"metadata: {key} has a length or signs that Converse does not take")
    if len(kept) > _MAX_METADATA:
        note(losses, f"metadata: only {_MAX_METADATA} entries are carried")
    return dict(list(kept.items())[:_MAX_METADATA])


def set_own(fields: Fields, request: Request, losses: list[str]) -> None:
    """What the caller says in Converse's own words wins; objects are joined."""
    for key, raw in request.extra.items():
        if key not in OWN:
            if raw not in _NOTHING:
                note(losses, f"{key}: Converse has no place for it")
            continue
        ours = fields.get(key)
        if isinstance(ours, dict) and bytes(raw).startswith(b"{"):
            fields[key] = {**cast("Wire", ours), **_object.decode(raw)}
        elif raw != Raw(b"null"):
            fields[key] = raw


def tell_losses(request: Request, losses: list[str]) -> None:
    for key in ("seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "cache_key"):
        value = getattr(request, key)
        if value not in (None, 0, False) or (key == "seed" and value is not None):
            note(losses, f"{key}: Converse has no place for it")
    if request.n is not None and request.n > 1:
        note(losses, "n: only one answer can be asked for")
    if request.logit_bias is not None and request.logit_bias not in _NOTHING:
        note(losses, "logit_bias: Converse has no place for it")
    if request.reasoning is not None and (request.reasoning.summary or request.reasoning.display):
        note(losses, "reasoning: what of it is shown cannot be chosen")

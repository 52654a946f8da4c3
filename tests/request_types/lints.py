"""What the makers of each API say a request is: the types of their SDKs. An unknown key is a mistake, like a wrong type."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, get_type_hints, is_typeddict

import anthropic.types.message_create_params
import cohere
import openai.types.chat.completion_create_params
import openai.types.responses.response_create_params
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator
from google.genai import types as genai
from ollama._types import ChatRequest, Message, Options, Tool
from pydantic import BaseModel, ConfigDict, TypeAdapter
from typing_extensions import is_typeddict as is_older_typeddict

Body = dict[str, Any]


# the SDKs of OpenAI and Anthropic: typed dictionaries
def closed(package: str) -> None:
    """Makes its typed dictionaries refuse keys that they do not have."""
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{package}.types"):
            for found in vars(module).values():
                if is_typeddict(found) or is_older_typeddict(found):
                    found.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def exhausted(value: Any) -> None:
    """Validates what pydantic leaves until it is read. Where the types also take blocks of answers, these take any key: they must not."""
    if isinstance(value, BaseModel):
        assert not value.model_extra, value.model_extra
        value = dict(value)
    if isinstance(value, dict):
        value = value.values()
    if not isinstance(value, str | bytes) and hasattr(value, "__iter__"):
        for inner in value:
            exhausted(inner)


closed("openai")
closed("anthropic")
CHAT: TypeAdapter[Any] = TypeAdapter(openai.types.chat.completion_create_params.CompletionCreateParams)
RESPONSES: TypeAdapter[Any] = TypeAdapter(openai.types.responses.response_create_params.ResponseCreateParams)
MESSAGES: TypeAdapter[Any] = TypeAdapter(anthropic.types.message_create_params.MessageCreateParams)


OLDER = {"temperature", "top_p", "top_k"}
"""What Anthropic's newest models refuse, and the SDK takes as `extra_body` for the others."""


def by(adapter: TypeAdapter[Any], but: AbstractSet[str] = frozenset()) -> Callable[[Body], None]:
    return lambda body: exhausted(adapter.validate_python({key: value for key, value in body.items() if key not in but}))


# the others
def gemini(body: Body) -> None:
    assert body.keys() <= {
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "safetySettings",
        "cachedContent",
    }
    for content in [*body["contents"], *([body["systemInstruction"]] if "systemInstruction" in body else [])]:
        genai.Content.model_validate(with_bytes(content))
    for tool in body.get("tools", ()):
        genai.Tool.model_validate(tool)
    genai.ToolConfig.model_validate(body.get("toolConfig", {}))
    genai.GenerationConfig.model_validate(body.get("generationConfig", {}))


def with_bytes(content: Body) -> Body:
    parts = [{**part, "inlineData": {**data, "data": base64.b64decode(data["data"])}} if (data := part.get("inlineData")) else part
             for part in content["parts"]]  # fmt: skip
    return {**content, "parts": parts}


BEDROCK = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")


def bedrock(body: Body) -> None:
    shape = BEDROCK.operation_model("Converse").input_shape
    report = ParamValidator().validate({**as_written(body, shape), "modelId": "m"}, shape)
    assert not report.has_errors(), report.generate_report()


def as_written(value: Any, shape: Shape) -> Any:
    """As a caller of botocore writes it, bytes for base64."""
    if getattr(shape, "is_document_type", False):
        return value
    if shape.type_name == "structure":
        assert value.keys() <= shape.members.keys(), value.keys() - shape.members.keys()
        return {key: as_written(item, shape.members[key]) for key, item in value.items()}
    if shape.type_name == "list":
        return [as_written(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: as_written(item, shape.value) for key, item in value.items()}
    return base64.b64decode(value, validate=True) if shape.type_name == "blob" else value


COHERE = {
    key: TypeAdapter(hint)
    for key, hint in get_type_hints(cohere.ClientV2.chat).items()
    if key not in ("return", "request_options")
}


def cohere_chat(body: Body) -> None:
    for key, value in body.items():
        assert key in COHERE or key == "stream", key
        extra = unknown(COHERE[key].validate_python(value)) if key in COHERE else {}
        assert not extra, extra


def unknown(value: Any) -> dict[str, Any]:
    """Its types take unknown keys, and tell them apart."""
    if isinstance(value, BaseModel):
        found = dict(value.model_extra or {})
        for inner in dict(value).values():
            found |= unknown(inner)
        return found
    return {key: extra for inner in value for key, extra in unknown(inner).items()} if isinstance(value, list) else {}


def ollama_chat(body: Body) -> None:
    """Its client's types drop what they do not know; they do not know the ids of calls yet, and few words of JSON Schema."""
    checks: list[tuple[type[BaseModel], Any]] = [(Message, message) for message in body["messages"]]
    checks += [(Tool, {**tool, "function": without(tool["function"], "parameters")}) for tool in body.get("tools", ())]
    checks += [(Options, body.get("options", {})), (ChatRequest, without(body, "messages", "tools", "options"))]
    for shape, value in checks:
        known = shape.model_validate(as_called(value)).model_dump(exclude_none=True)
        assert without(known, "id", "tool_call_id") == without(value, "id", "tool_call_id"), f"{known} of {value}"


def as_called(value: Any) -> Any:
    """As a caller of its client gives it, who wraps images."""
    return {**value, "images": [{"value": image} for image in value["images"]]} if "images" in value else value


def without(value: Any, *keys: str) -> Any:
    if isinstance(value, dict):
        return {key: without(item, *keys) for key, item in value.items() if key not in keys}
    return [without(item, *keys) for item in value] if isinstance(value, list) else value


LINTS: dict[str, Callable[[Body], None]] = {
    "openai.chat": by(CHAT), "openai.responses": by(RESPONSES), "anthropic.messages": by(MESSAGES, OLDER), "gemini": gemini,
    "bedrock.converse": bedrock, "cohere": cohere_chat, "ollama": ollama_chat,
}  # fmt: skip

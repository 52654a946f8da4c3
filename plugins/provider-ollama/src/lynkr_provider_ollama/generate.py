"""`ollama.generate`: a prompt instead of a conversation, `/api/generate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Raw, Struct, json, structs

from lynkr_core.dialect import Envelope, Fields, Headers, read_fields
from lynkr_core.dialects.openai_chat import read_model
from lynkr_core.dialects.splice import apply, difference, splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Choice, Message, Request, Response, Text
from lynkr_provider_ollama.dialect import Ollama, read_limit
from lynkr_provider_ollama.message import image, spoken
from lynkr_provider_ollama.options import read_settings, stream_of, write_settings
from lynkr_provider_ollama.response import ending, stamp, write_answer
from lynkr_provider_ollama.stream import GenerateEncoder
from lynkr_provider_ollama.wire import Fragment, encode, objects, read

NAME = "ollama.generate"
SAID = ("prompt", "system", "images")


class Prompt(Struct):
    """What is said. Without a prompt the model is only loaded."""

    prompt: str | None = None
    system: str | None = None
    images: list[str] | None = None


_prompts = json.Decoder(Prompt)


class OllamaGenerate(Ollama):
    """The prompt is a user's only message. What belongs to the native template alone (`raw`, `suffix`, `context`) stays in `extra`."""

    name = NAME
    routes = ("/api/generate",)

    def peek(self, body: bytes, path: str = "") -> Envelope:
        fields = read_fields(body)
        return Envelope(fields=fields, model=read_model(fields), stream=stream_of(fields), max_tokens=read_limit(fields))

    def decode_request(self, envelope: Envelope) -> Request:
        native = Raw(encode(envelope.fields))
        prompt = read(_prompts, native, "")
        settings, extra = read_settings({key: raw for key, raw in envelope.fields.items() if key not in SAID})
        said = (Text(text=prompt.prompt),) if prompt.prompt else ()
        parts = (*said, *[image(data) for data in prompt.images or ()])
        return Request(
            dialect=NAME, model=envelope.model, stream=envelope.stream, extra=extra, native=native,
            messages=(Message(role="user", parts=parts),) if parts else (),
            system=(Text(text=prompt.system),) if prompt.system else (), **settings,
        )  # fmt: skip

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        if request.dialect != NAME:
            raise InvalidRequest(f"a request in {request.dialect} is none for /api/generate")
        fields: Fields = {} if request.native is None else dict(objects.decode(request.native))
        if request.native is not None and not request.edited:
            return fields
        before: Fragment = {} if not fields else written(self.decode_request(self.peek(encode(fields))))
        changes = difference(before, written(request))
        if "options" in changes and "options" in before:
            after: Fields = {} if changes["options"] is UNSET else changes["options"]
            changes["options"] = splice(fields["options"], difference(before["options"], after))
        return apply(fields, changes)

    def decode_response(self, body: bytes) -> Response:
        return structs.replace(super().decode_response(body), dialect=NAME)

    def encode_response(self, response: Response, request: Request) -> bytes:
        if response.dialect != NAME or response.native is None:
            return encode(answer(response))
        if not response.edited:
            return bytes(response.native)
        return bytes(splice(response.native, difference(answer(self.decode_response(bytes(response.native))), answer(response))))

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> GenerateEncoder:
        return GenerateEncoder(envelope.model)

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        return 1 if "prompt" in fields and "messages" not in fields else 0


def written(request: Request) -> Fragment:
    texts, images = spoken([part for message in request.messages for part in message.parts])
    system, _ = spoken(request.system)
    said = {"prompt": "\n\n".join(texts), "system": "\n\n".join(system), "images": images}
    fields = {key: value for key, value in said.items() if value}
    return {"model": request.model, **fields, **write_settings(request), "stream": request.stream}


def answer(response: Response) -> Fragment:
    choice = response.choices[0] if response.choices else Choice()
    said = write_answer([structs.replace(part, native=None) for part in choice.parts])
    thinking = {"thinking": said["thinking"]} if "thinking" in said else {}
    head = {"model": response.model, "created_at": stamp(response.created), "response": said["content"]}
    return {**head, **thinking, **ending(choice, response.usage)}


plugin = Plugin(api=1, config=NoConfig, create=OllamaGenerate)

"""Whole answers, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.calls import Calls
from lynkr_core.dialects.openai_responses.errors import Problem, inside_error, read_problem
from lynkr_core.dialects.openai_responses.items import read_item, write_message
from lynkr_core.dialects.openai_responses.output import Callers, Ids, ending, logprobs, response, skeleton, write_part
from lynkr_core.dialects.openai_responses.usage import WireUsage, read_usage, write_usage
from lynkr_core.dialects.openai_responses.wire import NAME, NOTHING, Wire, encode, fields, fragments, some
from lynkr_core.dialects.splice import splice
from lynkr_core.dialects.surrogates import repaired
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.request import Choice, FinishReason, Message, Part, Request, Response, Text, ToolCall, Usage


class Incomplete(Struct):
    reason: str | None = None


class Answer(Struct):
    """A response object. Compatible servers leave out much of it."""

    id: str = ""
    model: str = ""
    status: str | None = None
    created_at: float | None = None
    output: list[Raw] | None = None
    usage: WireUsage | None = None
    error: Raw = NOTHING
    incomplete_details: Incomplete | None = None
    service_tier: str | None = None


class _Part(Struct):
    logprobs: Raw = NOTHING


class _Message(Struct):
    content: list[_Part] = []


answer_decoder = msgspec.json.Decoder(Answer)
_message = msgspec.json.Decoder(_Message)


def decode_response(body: bytes) -> Response:
    """Raises `UpstreamError` for a failed response, an error in its place, or anything else."""
    try:
        answer = answer_decoder.decode(body)
        check(answer)
        messages = [read_item(item, f"output[{i}]") for i, item in enumerate(answer.output or [])]
    except (*UNREADABLE, InvalidRequest) as error:
        mended = repaired(body)
        if mended is not None:
            return decode_response(mended)
        raise UpstreamError("server", f"the upstream's answer is not a response object: {error}") from None
    if answer.output is None:
        raise UpstreamError("server", "the upstream's answer is not a response object: it has no output")
    parts = tuple([part for message in messages for part in message.parts])
    choice = Choice(parts=parts, finish_reason=finish(answer, parts), logprobs=_logprobs(answer.output))
    return Response(
        dialect=NAME, id=answer.id, model=answer.model, choices=(choice,), usage=used(answer),
        created=int(answer.created_at) if answer.created_at else None, service_tier=answer.service_tier, native=Raw(body),
    )  # fmt: skip


def used(answer: Answer) -> Usage | None:
    """The usage, with the tools that the output tells of."""
    return read_usage(answer.usage, b"[%b]" % b",".join(answer.output or ()), answer.service_tier)


def check(answer: Answer) -> None:
    """Raises `UpstreamError` when the response failed."""
    problem = read_problem(answer.error) if some(answer.error) else None
    if problem is not None or answer.status in ("failed", "cancelled"):
        raise inside_error(problem or Problem(message=f"the response was {answer.status}"))


def finish(answer: Answer, parts: Sequence[Part]) -> FinishReason:
    if answer.status == "incomplete":
        reason = answer.incomplete_details.reason if answer.incomplete_details else None
        return "content_filter" if reason == "content_filter" else "stop" if reason == "steered" else "length"
    return "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "stop"


def _logprobs(output: list[Raw]) -> Raw | None:
    """Of the first text that has some."""
    for item in output:
        if b'"logprobs"' in bytes(item):
            for part in _message.decode(item).content:
                if some(part.logprobs) and bytes(part.logprobs) != b"[]":
                    return part.logprobs
    return None


def encode_response(answer: Response, request: Request) -> bytes:
    if answer.dialect == NAME and answer.native is not None:
        return bytes(_change(answer, answer.native)) if answer.edited else bytes(answer.native)
    asked = fields.decode(request.native) if request.dialect == NAME and request.native is not None else {}
    choice = answer.choices[0] if answer.choices else Choice()
    ids, callers = Ids(), Callers(asked, Calls(request.tools), answer.dialect == NAME)
    output = [write_part(part, ids, i, callers, _of(choice, part)) for i, part in enumerate(choice.parts)]
    status, more = ending(choice.finish_reason)
    more |= {"output": [item for item in output if item is not None], "usage": write_usage(answer.usage or Usage())}
    if answer.service_tier is not None:
        more["service_tier"] = answer.service_tier
    return encode(response(skeleton(asked), ids.response(answer.id), answer.model, answer.created, status, **more))


def _of(choice: Choice, part: Part) -> list[Any]:
    return logprobs(choice.logprobs) if isinstance(part, Text) else []


def _change(answer: Response, native: Raw) -> Raw:
    """The object as it came, with only the changed keys and items replaced."""
    before = decode_response(bytes(native))
    wire: Wire = {key: new for key in ("id", "model", "service_tier") if (new := getattr(answer, key)) != getattr(before, key)}
    if answer.usage is not None and answer.usage != before.usage:
        wire["usage"] = write_usage(answer.usage)
    if answer.choices != before.choices:
        items = fragments.decode(fields.decode(native)["output"])
        wire["output"] = _output(answer.choices[0].parts if answer.choices else (), items)
    return splice(native, wire)


def _output(parts: Sequence[Part], items: list[Raw]) -> list[Any]:
    """Items one to one where every part is still there, otherwise an item for each part."""
    messages = [read_item(item) for item in items]
    if sum(len(message.parts) for message in messages) != len(parts):
        ids, callers = Ids(), Callers({}, Calls(()), own=True)
        written = [write_part(part, ids, i, callers) for i, part in enumerate(parts)]
        return [item for item in written if item is not None]
    rest = iter(parts)
    return [
        new
        for item, message in zip(items, messages, strict=True)
        for new in _item(item, message, [next(rest) for _ in message.parts])
    ]


def _item(item: Raw, before: Message, parts: list[Part]) -> list[Any]:
    return [item] if list(before.parts) == parts else write_message(before.edit(parts=tuple(parts)), True, [])

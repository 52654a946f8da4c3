"""The answer, in the internal model: whole, and as the events of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import cycle, islice

from lynkr_core.events import Delta, End, Event, Finish, PartEnd, PartStart, Start, UsageEvent, empty
from lynkr_core.request import Choice, FinishReason, Part, Reasoning, Request, Response, Text, ToolCall, ToolCallResponse, Usage
from lynkr_provider_echo.script import Script

SIGNATURE = "ZWNobw=="
MOST_CHOICES = 128

_pieces = re.compile(r"\s*\S+\s*|\s+").findall
_arguments = re.compile(r"(?s).{1,8}").findall


def words(parts: Sequence[Part]) -> int:
    """The words in texts, tool calls and tool results: the echo's tokens."""
    count = 0
    for part in parts:
        match part:
            case Text() | Reasoning():
                count += len(part.text.split())
            case ToolCall():
                count += 1 + len(part.arguments.split())
            case ToolCallResponse():
                count += words(part.content)
            case _:
                count += 1
    return count


def size(request: Request) -> int:
    """The words of a whole request."""
    return words(request.system) + sum([words(message.parts) for message in request.messages])


def heard(request: Request) -> tuple[str, list[str]]:
    """The last text of a user, and the tool results that came after it."""
    results: list[str] = []
    for message in reversed(request.messages):
        if message.role == "user" and message.text:
            return message.text, results
        found = [part for part in message.parts if isinstance(part, ToolCallResponse)]
        results[:0] = ["\n".join([piece.text for piece in part.content if isinstance(piece, Text)]) for part in found]
    return "", results


def spoken(text: str, request: Request, script: Script) -> tuple[str, FinishReason]:
    """The text as long as the script and the request's limit will have it."""
    if script.chunks is not None:
        text = " ".join(islice(cycle(text.split() or ["echo"]), script.chunks))
    pieces = _pieces(text)
    limit = request.max_tokens
    if limit is None or len(pieces) <= limit:
        return text, "stop"
    return "".join(pieces[:limit]).rstrip(), "length"


def respond(request: Request, text: str, script: Script, body: bytes, created: float) -> Response:
    """The whole answer; ids come from the request's body, so that they are always the same."""
    seed = blake2b(body, digest_size=12).hexdigest()
    calls = [ToolCall(id=f"call_{seed[:16]}{n}", name=name, arguments=given) for n, (name, given) in enumerate(script.tools)]
    said, reason = spoken(text, request, script)
    parts: list[Part] = [*calls] if calls else [Text(text=said)]
    if script.reasoning:
        parts.insert(0, Reasoning(text=script.reasoning, signature=SIGNATURE))
    taken, given = script.usage or (size(request), words(parts))
    choice = Choice(parts=tuple(parts), finish_reason="tool_calls" if calls else reason)
    usage = Usage(input_tokens=taken, output_tokens=given, reasoning=min(given, len(script.reasoning.split())))
    return Response(
        dialect=request.dialect,
        id=f"echo_{seed}",
        model=request.model,
        choices=(choice,) * min(request.n or 1, MOST_CHOICES),
        created=int(created),
        usage=usage,
    )


def events(response: Response) -> Iterator[Event]:
    """The answer as a stream, a word at a time."""
    usage = response.usage or Usage()
    first = Usage(input_tokens=usage.input_tokens)
    yield Start(id=response.id, model=response.model, created=response.created, usage=first)
    for number, choice in enumerate(response.choices):
        for index, part in enumerate(choice.parts):
            yield PartStart(index, empty(part), number)
            yield from deltas(index, part, number)
            yield PartEnd(index, number)
        yield Finish(choice.finish_reason, choice=number)
    yield UsageEvent(usage)
    yield End()


def deltas(index: int, part: Part, choice: int) -> Iterator[Event]:
    match part:
        case Text() | Reasoning():
            for piece in _pieces(part.text):
                yield Delta(index, piece, choice=choice)
            if isinstance(part, Reasoning) and part.signature:
                yield Delta(index, part.signature, "signature", choice)
        case ToolCall():
            for piece in _arguments(part.arguments):
                yield Delta(index, piece, "arguments", choice)
        case _:
            pass

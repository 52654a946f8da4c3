"""A dialect small enough to be read at a glance: `{"model", "prompt", "stream"}` asks, `{"id", "model", "text", "usage"}` answers.

A stream has a JSON value on each line: the id and model, pieces of text, then `{"usage": n}` and `{"end": true}`.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import Dialect, Envelope, read_fields
from lynkr_core.errors import GatewayError, InvalidRequest, UpstreamError
from lynkr_core.events import Delta, End, Failure, Finish, PartEnd, PartStart, Start, UsageEvent
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Choice, Message, Request, Response, Text, Usage

BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
KINDS = {400: "invalid", 401: "auth", 403: "auth", 404: "not_found", 429: "rate_limited"}


class Whole(Struct):
    id: str
    model: str
    text: str
    usage: int


class Line(Struct, omit_defaults=True):
    id: str | None = None
    model: str | None = None
    text: str | None = None
    usage: int | None = None
    end: bool = False
    error: str | None = None


class Reader:
    def __init__(self):
        self.rest, self.open, self.done = b"", False, False

    def feed(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [event for line in lines if line for event in self.read(line)]

    def read(self, raw):
        if self.done:
            return []
        try:
            line = msgspec.json.decode(raw, type=Line)
        except BROKEN as error:
            return self.fail("server", str(error))
        if line.error is not None:
            return self.fail("server", line.error)
        if not self.open and line.id is None:
            return self.fail("server", "no beginning")
        return self.tell(line)

    def tell(self, line):
        if line.id is not None:
            if self.open:
                return self.fail("server", "a second beginning")
            self.open = True
            return [Start(id=line.id, model=line.model or ""), PartStart(0, Text(text=""))]
        if line.text is not None:
            return [Delta(0, line.text)]
        if line.end:
            self.done = True
            return [PartEnd(0), Finish("stop"), End()]
        return [] if line.usage is None else [UsageEvent(Usage(output_tokens=line.usage))]

    def fail(self, kind, message):
        self.done = True
        return [Failure(UpstreamError(kind, message))]

    def close(self):
        return [] if self.done else self.fail("cut", "no end")


class Writer:
    def encode(self, event):
        match event:
            case Start():
                line = Line(id=event.id, model=event.model)
            case Delta():
                line = Line(text=event.value)
            case UsageEvent():
                line = Line(usage=event.usage.output_tokens)
            case End():
                line = Line(end=True)
            case _:
                return b""
        return msgspec.json.encode(line) + b"\n"


class Toy(Dialect):
    name = "toy"
    routes = ("/toy",)

    def peek(self, body: bytes, path: str = "") -> Envelope:
        fields = read_fields(body)
        return Envelope(fields=fields, model=get(fields, "model", str, None), stream=get(fields, "stream", bool, False))

    def decode_request(self, envelope: Envelope) -> Request:
        prompt = get(envelope.fields, "prompt", str, "")
        message = Message(role="user", parts=(Text(text=prompt),))
        extra = dict(envelope.fields)
        return Request(dialect="toy", model=envelope.model, messages=(message,), stream=envelope.stream, extra=extra)

    def encode_request(self, request: Request, losses: list[str]) -> dict[str, Any]:
        return dict(request.extra)

    def decode_response(self, body: bytes) -> Response:
        try:
            whole = msgspec.json.decode(body, type=Whole)
        except BROKEN as error:
            raise UpstreamError("server", str(error)) from None
        choice = Choice(parts=(Text(text=whole.text),))
        return Response(dialect="toy", id=whole.id, model=whole.model, choices=(choice,), usage=Usage(output_tokens=whole.usage))

    def encode_response(self, response: Response, request: Request) -> bytes:
        text = response.choices[0].parts[0].text
        return msgspec.json.encode(Whole(response.id, response.model, text, response.usage.output_tokens))

    def usage(self, body: bytes) -> Usage | None:
        return Usage(output_tokens=msgspec.json.decode(body)["usage"])

    def decoder(self) -> Reader:
        return Reader()

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> Writer:
        return Writer()

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        return msgspec.json.encode(Line(error=error.message))

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        return self.encode_error(error, request_id) + b"\n"

    def decode_error(self, status, headers, body) -> UpstreamError:
        wait = headers.get(b"retry-after", b"")
        retry_after = float(wait) if wait.isdigit() else None
        message = body.decode(errors="replace") or "no message"
        return UpstreamError(KINDS.get(status, "server"), message, status=status, retry_after=retry_after)


def get(fields: dict[str, Raw], name: str, type: Any, default: Any) -> Any:
    if name not in fields and default is not None:
        return default
    try:
        return msgspec.json.decode(fields.get(name, b"null"), type=type)
    except BROKEN as error:
        raise InvalidRequest(f"$.{name}: {error}", param=name) from None


plugin = Plugin(api=1, config=NoConfig, create=Toy)

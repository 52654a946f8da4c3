"""Echo: answers with what it was told, without a network, and misbehaves on request."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, islice
from typing import Annotated

from msgspec import Meta, Struct

from lynkr_core.dialect import Dialect, Envelope, Headers
from lynkr_core.errors import (
    KINDS,
    AllFailed,
    Forbidden,
    GatewayError,
    InvalidRequest,
    Kind,
    PluginError,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownModel,
    UpstreamError,
)
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import Provider
from lynkr_core.request import Request, Response
from lynkr_provider_echo.answer import events, heard, respond, size
from lynkr_provider_echo.line import Line
from lynkr_provider_echo.script import Script, split, suffix
from lynkr_provider_echo.vectors import embed

JSON = {b"content-type": b"application/json"}
KIND_HEADER = b"x-echo-kind"
"""Tells of the kind that was asked for: not every dialect has words for each, and a dead connection has none at all."""
ERRORS: dict[int, type[GatewayError]] = {
    error.status: error
    for error in (InvalidRequest, Unauthenticated, Forbidden, UnknownModel, TooLarge, RateLimited, Unavailable)
}
KINDS_BY_STATUS: dict[int, Kind] = {408: "timeout", 409: "conflict", 504: "timeout", 529: "overloaded"}


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    models: Annotated[list[str], Meta(description="Models to list; any other name is served too.")] = []
    prefix: Annotated[str, Meta(description="What stands before the echoed text.")] = "You said: "
    directives: Annotated[list[str], Meta(description="Directives for every request, such as `delay 0.5`.")] = []


class Echo(Provider):
    """Serves every dialect that can both read a request and write an answer: it uses the dialect from the callers' side."""

    local = True
    dialects = ("openai.chat", "anthropic.messages", "openai.responses", "openai.embeddings", "anthropic.count_tokens")

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a directive that cannot be read."""
        self.name = context.name
        self.models = tuple(config.models) or ("echo",)
        self._prefix = config.prefix
        self._directives = config.directives
        try:
            self._script([])
        except InvalidRequest as error:
            raise PluginError(f"$.directives: {error}") from None

    def send(self, exchange: Exchange, candidate: Candidate, dialect: Dialect, body: bytes) -> Line:
        try:
            return self._answer(exchange, candidate, dialect, body)
        except GatewayError as error:
            return refuse(dialect, Script(status=error.http_status), error.message, exchange.id)

    def classify(self, dialect: Dialect, status: int, headers: Headers, body: bytes) -> UpstreamError:
        error = super().classify(dialect, status, headers, body)
        asked = headers.get(KIND_HEADER, b"").decode()
        if asked in KINDS:
            error.kind = asked
        return error

    def _answer(self, exchange: Exchange, candidate: Candidate, dialect: Dialect, body: bytes) -> Line:
        if dialect.operation == "embeddings":
            return plain(self._script(suffix(candidate.model)), dialect, lambda: embed(body), exchange.id)
        envelope = dialect.peek(body)
        request = dialect.decode_request(envelope)
        text, results = heard(request)
        text, found = split(text)
        script = self._script([*suffix(candidate.model), *found])
        if dialect.name == "anthropic.count_tokens":
            return plain(script, dialect, lambda: b'{"input_tokens":%d}' % size(request), exchange.id)
        if results:
            script.tools.clear()  # they have been called: an agent would go round for ever
        said = "Tool said: " + "\n".join(results) if results else self._prefix + text
        response = respond(request, said, script, body, exchange.created)
        if envelope.stream and script.status == 200:
            return stream(script, dialect, request, envelope, response, exchange.id)
        return plain(script, dialect, lambda: dialect.encode_response(response, request), exchange.id)

    def _script(self, directives: list[str]) -> Script:
        script = Script()
        for directive in (*self._directives, *directives):
            script.add(directive)
        return script


def plain(script: Script, dialect: Dialect, body: Callable[[], bytes], request_id: str) -> Line:
    """A whole answer, or the error that was asked for."""
    if script.status != 200:
        return refuse(dialect, script, "the echo was told to fail", request_id)
    whole = body()
    count = script.cut if script.cut is not None else script.end
    pieces = [whole if count is None else whole[:count]]
    return Line(pieces, headers=JSON, delay=script.delay, cut=script.cut is not None)


def refuse(dialect: Dialect, script: Script, message: str, request_id: str) -> Line:
    error = fault(script.kind, script.status, message)
    headers = JSON if script.retry_after is None else {**JSON, b"retry-after": b"%g" % script.retry_after}
    if script.kind is not None:
        headers = {**headers, KIND_HEADER: script.kind.encode()}
    return Line([dialect.encode_error(error, request_id)], status=script.status, headers=headers, delay=script.delay)


def fault(kind: Kind | None, status: int, message: str) -> GatewayError:
    """The error that a dialect tells as of this kind, or with this status."""
    if kind is None and status in ERRORS:
        return ERRORS[status](message)
    kind = kind or KINDS_BY_STATUS.get(status, "server" if status >= 500 else "invalid")
    return AllFailed(UpstreamError(kind, message, status=status), [])


def stream(script: Script, dialect: Dialect, request: Request, envelope: Envelope, response: Response, request_id: str) -> Line:
    """The answer as the dialect streams it, broken where the script says so."""
    encoder = dialect.encoder(request, envelope, response.usage.input_tokens if response.usage else 0)
    pieces = filter(None, map(encoder.encode, events(response)))
    stops = [count for count in (script.cut, script.end, script.fail) if count is not None]
    if stops:
        pieces = islice(pieces, min(stops))
    if script.fail is not None:
        pieces = chain(pieces, [dialect.encode_stream_error(fault("server", 500, "the echo was told to fail"), request_id)])
    headers = {b"content-type": dialect.content_type}
    return Line(pieces, headers=headers, delay=script.delay, every=script.every, cut=script.cut is not None)


plugin = Plugin(api=1, config=Config, create=Echo)

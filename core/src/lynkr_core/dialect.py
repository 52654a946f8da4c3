"""A dialect: one wire API, both ways.

On the front it peeks at a caller's body, and writes answers, streams and errors. Towards a provider it writes requests and reads answers,
streams and errors. Dialects are found by the entry-point group `lynkr.dialect`; each is registered under its `name`.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import msgspec
from msgspec import Raw, Struct

from lynkr_core.errors import GatewayError, InvalidRequest, UpstreamError
from lynkr_core.events import Event
from lynkr_core.request import Modality, Request, Response, Usage

Fields = dict[str, Any]
"""A JSON object by top-level key; values may be `msgspec.Raw`, which is written out byte for byte."""

Headers = Mapping[bytes, bytes]
"""Header names in lower case."""

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What decoding JSON raises: for bytes that are none, for other types than expected, for what is nested too deeply."""

first_byte = struct.Struct("c").unpack_from
"""In a tuple; a third of what a view of the value costs."""
_fields_decoder = msgspec.json.Decoder(dict[str, Raw])


class Envelope(Struct, kw_only=True, gc=False):
    """What a dialect sees without a full parse. `fields` has every top-level key of the body, values untouched.

    `signed`: ids of calls in the conversation carry signatures, as `Dialect.check` has found. `grown`: what is known of a long one that
    went on, see `dialects/growth.py`.
    """

    fields: dict[str, Raw]
    model: str
    stream: bool = False
    usage_asked: bool = True
    max_tokens: int | None = None
    signed: bool = False
    grown: Any = None


class Refusal(Struct, frozen=True):
    """What an upstream will not take: a top-level key of the request, or `key.inner`. `instead`: the name under which it does.

    `value`: the JSON of the only value that it refuses; None when it is any. `beside`: it is refused only where this key is, too.
    """

    path: str
    instead: str = ""
    beside: str = ""
    value: bytes | None = None


class StreamDecoder(Protocol):
    """Reads an upstream's stream."""

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that these bytes complete. Bytes may be split anywhere."""
        ...

    def close(self) -> Sequence[Event]:
        """The events still owed at the end of the body; a `Failure` of kind `cut` when the dialect's terminator never came."""
        ...


class StreamEncoder(Protocol):
    """Writes a stream for the caller."""

    def encode(self, event: Event) -> bytes:
        """The bytes of this event; empty when the dialect has nothing to say for it."""
        ...


class Dialect(ABC):
    """One wire API. Instances are stateless and shared."""

    name: ClassVar[str]
    operation: ClassVar[str] = "chat"
    """OpenTelemetry's `gen_ai.operation.name`: chat or embeddings."""
    routes: ClassVar[tuple[str, ...]] = ()
    """Paths this dialect serves on the front, all by POST. `{model}` stands for one or more characters; exact paths come first."""
    forward: ClassVar[tuple[bytes, ...]] = ()
    """Request headers that belong to the API and go to an upstream of the same dialect."""
    marks: ClassVar[tuple[bytes, ...]] = (b'"usage"',)
    """Bytes of which at least one is in every stream event that tells usage, finish, end or error; the others are not decoded."""
    model_key: ClassVar[str] = "model"
    """The top-level key that names the model in a request; empty when the path does."""
    names_model: ClassVar[bool] = True
    """Whether its answers say which model they are from; otherwise callers are told the one that was asked."""
    tells_input: ClassVar[bool] = False
    """Whether its streams begin with the tokens of the input, which are counted for it; else its encoder is told none."""
    id_header: ClassVar[bytes] = b"x-request-id"
    """The response header in which the API's SDKs look for the request id."""
    content_type: ClassVar[bytes] = b"text/event-stream; charset=utf-8"
    """Of a streamed answer."""
    boundary: ClassVar[bytes] = b"\n\n"
    """What ends each event of a stream."""
    ping: ClassVar[bytes] = b""
    """What a stream's client may be sent between events and ignores, as a comment; empty when there is no such thing."""
    conversation: ClassVar[str] = "messages"
    """The top-level key that has the messages of a request."""
    schema_mark: ClassVar[bytes] = b"json_schema"
    """Bytes that are in every request for an answer that keeps to a schema."""
    media: ClassVar[Mapping[Modality, tuple[bytes, ...]]] = {}
    """Bytes of which at least one is in every request that has an input of this kind."""

    def __new__(cls, *_: object, **__: object) -> Self:
        """What a class says of its instances is written on each: CPython 3.11 finds it there in a tenth of the time."""
        made = super().__new__(cls)
        for name in Dialect.__annotations__:
            if hasattr(cls, name):
                setattr(made, name, getattr(cls, name))
        return made

    # front: what the caller sent
    @abstractmethod
    def peek(self, body: bytes, path: str = "") -> Envelope:
        """Model, stream and the top-level keys; `path` is the route's with its query, where some APIs say it. Raises `InvalidRequest`."""

    def check(self, envelope: Envelope) -> None:  # noqa: B027
        """Refuses what no provider would take, as far as that is cheap to see: `decode_request` sees more, but is not always called.

        Raises `InvalidRequest` with the path of the mistake.
        """

    @abstractmethod
    def decode_request(self, envelope: Envelope) -> Request:
        """The whole request. Raises `InvalidRequest` with the path of the mistake."""

    # front: what the caller gets
    @abstractmethod
    def encode_response(self, response: Response, request: Request) -> bytes: ...

    @abstractmethod
    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> StreamEncoder:
        """For one stream. `input_tokens` is a local count, told until the upstream's own arrives; 0 unless it `tells_input`."""

    @abstractmethod
    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        """The body of an error answer."""

    @abstractmethod
    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        """The event that tells of an error after the stream has begun. Never followed by a normal end."""

    # towards a provider
    @abstractmethod
    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        """The request in this dialect, untouched fragments as they came when it came in this dialect.

        What cannot be carried is added to `losses`, as `field: why`.
        """

    @abstractmethod
    def decode_response(self, body: bytes) -> Response:
        """Raises `UpstreamError` when the body is not an answer of this dialect, or is an error inside a 200."""

    @abstractmethod
    def decoder(self) -> StreamDecoder:
        """For one stream."""

    @abstractmethod
    def usage(self, body: bytes) -> Usage | None:
        """The usage in a whole answer's body, or None. Reads nothing else."""

    @abstractmethod
    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """An error answer of an upstream, classified by status, then code and type, then text."""

    def unsupported(self, error: bytes, sent: bytes) -> Sequence[Refusal]:
        """What may be left out of the request `sent` so that it is taken, after this error answer. Never raises."""
        return ()

    def prepare(self, fields: Fields, envelope: Envelope, metered: bool) -> bool:
        """Adds to a request what lynkr needs of the upstream (usage in a stream). True when something was changed."""
        return False

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        """How surely a body is one of this dialect's, 0 to 3; for routes that take the body of any front."""
        return 0

    def untranslatable(self, envelope: Envelope) -> str | None:
        """Why this request can only go to a provider that speaks this very dialect; None when it can be translated."""
        return None

    def leftovers(self, request: Request) -> Sequence[str]:
        """What this request says inside messages, parts and tools that the model has no field for, as losses of a translation."""
        return ()

    def local(self, request: Request) -> bytes | None:
        """An answer that needs no provider, for operations that the chosen one does not have; None when there is none."""
        return None

    def encode_cut(self, error: GatewayError, request_id: str, sent: bytes) -> bytes:
        """`encode_stream_error` after `sent`, the last whole events of the upstream's own stream that the caller has."""
        return self.encode_stream_error(error, request_id)

    def strip_usage(self, piece: bytes) -> bytes:
        """Whole stream events without what `prepare` made the upstream send and the caller did not ask for."""
        return piece


class Backend(Dialect):
    """A wire API that lynkr speaks to providers only; it has no routes, so nobody asks for the front's half."""

    def peek(self, body: bytes, path: str = "") -> Envelope:
        raise self._no_front()

    def decode_request(self, envelope: Envelope) -> Request:
        raise self._no_front()

    def encode_response(self, response: Response, request: Request) -> bytes:
        raise self._no_front()

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> StreamEncoder:
        raise self._no_front()

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        raise self._no_front()

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        raise self._no_front()

    def _no_front(self) -> TypeError:
        return TypeError(f"{self.name} is spoken to providers only")


def read_fields(body: bytes) -> dict[str, Raw]:
    """The top-level keys of a JSON object, values untouched. Raises `InvalidRequest`."""
    try:
        return _fields_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the body is not a JSON object: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None


def opens_with(raw: Raw, sign: bytes) -> bool:
    """Whether this value is a string, list or object, by its first byte; nothing is copied."""
    return first_byte(raw)[0] == sign

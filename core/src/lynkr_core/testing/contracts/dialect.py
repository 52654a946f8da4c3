"""What every dialect must keep to, over the author's own samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec
import pytest
from msgspec import Raw, structs

from lynkr_core.dialect import Dialect, Envelope
from lynkr_core.errors import (
    Forbidden,
    GatewayError,
    InvalidRequest,
    Kind,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UnknownModel,
    UpstreamError,
)  # fmt: skip
from lynkr_core.events import End, Failure
from lynkr_core.request import Generic, Node, Request, Response
from lynkr_core.testing import factories
from lynkr_core.testing.contracts import fuzz
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.contracts.streams import comparable, decoded, gathered, splits, spoken

ROUND_TRIP: tuple[tuple[GatewayError, tuple[Kind, ...]], ...] = (
    (InvalidRequest("told wrong", code="unsupported_value", param="model"), ("invalid",)),
    (Unauthenticated("told nobody"), ("auth",)),
    (Forbidden("told forbidden"), ("auth",)),
    (UnknownModel("told unknown", code="model_not_found"), ("not_found",)),
    (RateLimited("told later", code="rate_limit_exceeded", retry_after=3.0), ("rate_limited",)),
    (Unavailable("told busy"), ("server", "overloaded")),
)


class DialectContract(Contract):
    """Over samples by name: `requests` and `responses` are whole bodies, `streams` whole streams that end well.

    `front = False` for a dialect that only stands towards providers; `errors` are bodies of error answers by status.
    """

    kind = "dialect"
    requests: ClassVar[Mapping[str, bytes]] = {}
    responses: ClassVar[Mapping[str, bytes]] = {}
    streams: ClassVar[Mapping[str, bytes]] = {}
    front: ClassVar[bool] = True

    @pytest.fixture
    def dialect(self, tmp_path: Path) -> Dialect:
        return self.make(tmp_path)

    def asked(self, dialect: Dialect) -> tuple[Request, Envelope]:
        """A request that streams and wants to know the usage, for what is written to a caller."""
        envelope = dialect.peek(next(iter(self.requests.values())))
        return dialect.decode_request(envelope), structs.replace(envelope, stream=True, usage_asked=True)

    def needs_front(self) -> None:
        if not self.front:
            pytest.skip("this dialect is not served to callers")

    def test_there_are_samples(self, dialect: Dialect) -> None:
        assert isinstance(dialect, Dialect)
        assert self.requests
        assert self.responses
        assert self.streams or dialect.operation != "chat"
        assert bool(dialect.routes) == self.front

    # requests
    @pytest.mark.parametrize("body", fuzz.NO_OBJECTS, ids=lambda body: repr(body[:20]))
    def test_a_malformed_body_is_an_invalid_request(self, dialect: Dialect, body: bytes) -> None:
        with pytest.raises(InvalidRequest):
            dialect.decode_request(dialect.peek(body))

    def test_values_of_wrong_types_raise_nothing_but_invalid_request(self, dialect: Dialect) -> None:
        for name, sample in self.requests.items():
            for place, body in fuzz.mutations(sample):
                try:
                    dialect.encode_request(dialect.decode_request(dialect.peek(body)), [])
                except InvalidRequest:
                    continue
                except Exception as error:
                    raise AssertionError(f"{name} {place}: {error!r}") from error

    def test_an_untouched_request_is_written_as_it_came(self, dialect: Dialect) -> None:
        for name, sample in self.requests.items():
            envelope = dialect.peek(sample)
            losses: list[str] = []
            fields = dialect.encode_request(dialect.decode_request(envelope), losses)
            assert losses == [], name
            assert set(fields) == set(envelope.fields), name
            for key, value in envelope.fields.items():
                assert written(fields[key]) == comparable_bytes(fields[key], value), f"{name}: {key}"

    def test_the_envelope_has_the_whole_body(self, dialect: Dialect) -> None:
        for name, sample in self.requests.items():
            envelope = dialect.peek(sample)
            assert {key: comparable(value) for key, value in envelope.fields.items()} == msgspec.json.decode(sample), name

    # answers
    def test_an_answer_survives_being_written_and_read(self, dialect: Dialect) -> None:
        self.needs_front()
        request, _ = self.asked(dialect)
        for name, sample in self.responses.items():
            response = dialect.decode_response(sample)
            again = dialect.decode_response(dialect.encode_response(response, request))
            assert comparable(again) == comparable(response), f"{name}, as it came"
            again = dialect.decode_response(dialect.encode_response(bare(response), request))
            told = {key: value for key, value in comparable(response).items() if value is not None}  # required keys get a default
            assert {key: comparable(again)[key] for key in told} == told, f"{name}, from its parts"

    def test_the_usage_is_found_without_the_rest(self, dialect: Dialect) -> None:
        for name, sample in self.responses.items():
            assert dialect.usage(sample) == dialect.decode_response(sample).usage, name

    def test_a_broken_answer_raises_nothing_but_upstream_error(self, dialect: Dialect) -> None:
        for name, sample in self.responses.items():
            for place, body in fuzz.mutations(sample):
                try:
                    dialect.decode_response(body)
                except UpstreamError:
                    continue
                except Exception as error:
                    raise AssertionError(f"{name} {place}: {error!r}") from error
        for body in fuzz.NO_OBJECTS:
            with pytest.raises(UpstreamError):
                dialect.decode_response(body)

    # streams
    def test_a_stream_ends_well_and_keeps_the_grammar(self, dialect: Dialect) -> None:
        for name, stream in self.streams.items():
            events = decoded(dialect, [stream])
            assert isinstance(events[-1], End), f"{name}: ended with {events[-1:]}"
            assert gathered(events)["parts"], f"{name}: says nothing"

    def test_a_stream_is_the_same_however_it_was_cut_into_pieces(self, dialect: Dialect) -> None:
        for name, stream in self.streams.items():
            whole = spoken(decoded(dialect, [stream]))
            for pieces in splits(stream):
                assert spoken(decoded(dialect, pieces)) == whole, f"{name} in {len(pieces)} pieces"

    def test_a_stream_that_stops_early_is_cut(self, dialect: Dialect) -> None:
        for name, stream in self.streams.items():
            for eighth in range(8):
                events = decoded(dialect, [stream[: len(stream) * eighth // 8]])
                assert events, f"{name}: nothing after {eighth}/8"
                last = events[-1]
                assert isinstance(last, Failure), f"{name}: ended with {last} after {eighth}/8"
                assert last.error.kind == "cut", name

    def test_a_garbled_stream_is_a_failure_and_never_an_exception(self, dialect: Dialect) -> None:
        for name, stream in self.streams.items():
            for eighth in range(1, 8):
                at = len(stream) * eighth // 8
                for junk in (
                    b"\x00\xff",
                    b"\n\ndata: {not json\n\n",
                    b"\n\ndata: []\n\n",
                    b'\n\ndata: {"type":7,"choices":7}\n\n',
                ):
                    events = decoded(dialect, [stream[:at] + junk + stream[at:]])
                    assert isinstance(events[-1], End | Failure), f"{name}: {junk!r} after {eighth}/8 ended with {events[-1:]}"

    def test_a_stream_survives_being_written_and_read(self, dialect: Dialect) -> None:
        self.needs_front()
        request, envelope = self.asked(dialect)
        for name, stream in self.streams.items():
            events = decoded(dialect, [stream])
            encoder = dialect.encoder(request, envelope, 5)
            again = decoded(dialect, [b"".join([encoder.encode(event) for event in events])])
            assert isinstance(again[-1], End), f"{name}: ended with {again[-1:]}"
            assert gathered(again) == gathered(events), name

    # errors
    def test_an_error_survives_being_written_and_read(self, dialect: Dialect) -> None:
        self.needs_front()
        for error, kinds in ROUND_TRIP:
            headers = {} if error.retry_after is None else {b"retry-after": b"%g" % error.retry_after}
            found = dialect.decode_error(error.http_status, headers, dialect.encode_error(error, "req_contract"))
            assert found.kind in kinds, f"{error!r}: {found.kind}"
            assert error.message in found.message
            assert (found.status, found.retry_after) == (error.http_status, error.retry_after)

    def test_an_error_inside_a_stream_ends_it(self, dialect: Dialect) -> None:
        self.needs_front()
        request, envelope = self.asked(dialect)
        for name, stream in self.streams.items():
            begun = decoded(dialect, [stream])[:3]
            encoder = dialect.encoder(request, envelope, 5)
            sent = b"".join([encoder.encode(event) for event in begun])
            sent += dialect.encode_stream_error(Unavailable("told inside"), "req_contract")
            last = decoded(dialect, [sent])[-1]
            assert isinstance(last, Failure), f"{name}: ended with {last}"
            assert "told inside" in last.error.message

    @pytest.mark.parametrize("status", [400, 404, 429, 500, 529])
    def test_any_error_body_is_classified(self, dialect: Dialect, status: int) -> None:
        for body in fuzz.ERRORS:
            error = dialect.decode_error(status, {b"retry-after": b"soon"}, body)
            assert isinstance(error, UpstreamError)
            assert (error.status, bool(error.message)) == (status, True), f"{body!r}: {error!r}"

    def make(self, directory: Path) -> Dialect:
        return cast("Dialect", factories.build(self.plugin, self.make_table(directory), self.make_context()))


def written(value: Any) -> bytes:
    return msgspec.json.encode(value)


def comparable_bytes(value: Any, came: Raw) -> bytes:
    """What a field must be written as: byte for byte as it came, or, for a plain value, as the same value."""
    return bytes(came) if isinstance(value, Raw | list | dict) else msgspec.json.encode(msgspec.json.decode(came))


def bare(response: Response) -> Response:
    """The response as if it had been made here: no fragments to copy from."""
    return cast("Response", _bare(response))


def _bare(value: Any) -> Any:
    if isinstance(value, Node) and not isinstance(value, Generic):
        changes = {name: _bare(getattr(value, name)) for name in value.__struct_fields__ if name not in ("native", "edited")}
        return structs.replace(value, native=None, **changes)
    return tuple(_bare(item) for item in cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value

"""Errors: `{"message": "…", "id": "…"}` both ways, and the two statuses that mean something of their own here."""

from __future__ import annotations

import msgspec

from lynkr_core.dialect import Headers
from lynkr_core.dialects.failures import upstream_error
from lynkr_core.errors import GatewayError, Kind, UpstreamError
from lynkr_core.sse import event

_KINDS: dict[int, Kind] = {498: "auth", 499: "server"}
"""498: the key is none; 499: Cohere saw us leave, which we did not (cohere 7.3.1: `InvalidTokenError`, `ClientClosedRequestError`)."""
_encode = msgspec.json.Encoder().encode


def encode(error: GatewayError, request_id: str) -> bytes:
    """The body of an error answer."""
    return _encode({"message": error.message, "id": request_id})


def encode_in_stream(message: str, id: str) -> bytes:
    """Cohere's streams tell of an error in the event that ends them, with a finish reason that is none."""
    delta = {"finish_reason": "ERROR", "error": message}
    return event(_encode({"type": "message-end", "id": id, "delta": delta}), b"message-end")


def decode(status: int, headers: Headers, body: bytes) -> UpstreamError:
    error = upstream_error(status, headers, body)
    error.kind = _KINDS.get(status, error.kind)
    return error


def failed(reason: str, message: str | None) -> UpstreamError:
    """The error that a finish reason tells of."""
    kind: Kind = "timeout" if reason == "TIMEOUT" else "server"
    return UpstreamError(kind, message or f"Cohere ended its answer with {reason}")

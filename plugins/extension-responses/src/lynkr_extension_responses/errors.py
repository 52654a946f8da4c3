"""What is told of a response that is not there."""

from __future__ import annotations

from typing import Self

from lynkr_core.errors import GatewayError

MAX_SHOWN = 100


class NotFound(GatewayError):
    """Nothing by this id, or somebody else's: both are told alike."""

    status, type = 404, "invalid_request_error"

    @classmethod
    def previous(cls, id: str) -> Self:
        message = f"Previous response with id '{id[:MAX_SHOWN]}' not found."
        return cls(message, code="previous_response_not_found", param="previous_response_id")

    @classmethod
    def response(cls, id: str) -> Self:
        return cls(f"Response with id '{id[:MAX_SHOWN]}' not found.", code="response_not_found", param="response_id")

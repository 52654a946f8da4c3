"""What every dialect that counts tokens has in common: one number as the answer, nothing streamed, nothing used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from lynkr_core.dialect import Dialect, Envelope, Headers, StreamDecoder, StreamEncoder
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Choice, Generic, Request, Response, Usage
from lynkr_core.tokens import estimate

COUNT = "count"
"""The type of the answer's only part; its fragment is the number."""


class TokenCount(Dialect):
    """Stands before the dialect whose requests are counted. The count is no usage: nothing was used."""

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        return 0

    def usage(self, body: bytes) -> Usage | None:
        return None

    def decoder(self) -> StreamDecoder:
        raise InvalidRequest("counting tokens does not stream", param="stream")

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> StreamEncoder:
        raise InvalidRequest("counting tokens does not stream", param="stream")

    def answer(self, tokens: int, body: bytes) -> Response:
        """The count in the internal model."""
        count = Generic(type=COUNT, native=Raw(b"%d" % tokens))
        return Response(dialect=self.name, id="", model="", choices=(Choice(parts=(count,)),), native=Raw(body))

    def as_it_came(self, response: Response) -> bytes | None:
        """The body of an untouched answer of this dialect."""
        untouched = response.dialect == self.name and response.native is not None and not response.edited
        return bytes(response.native) if untouched and response.native is not None else None


def counted(response: Response, request: Request) -> Raw | int:
    """The count in an answer of whatever dialect; one without is counted here."""
    parts = response.choices[0].parts if response.choices else ()
    found = [part.native for part in parts if isinstance(part, Generic) and part.type == COUNT and part.native is not None]
    return found[0] if found else estimate(request)

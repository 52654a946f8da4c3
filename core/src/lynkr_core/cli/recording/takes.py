"""The calls of a recording: each through the provider's own plugin, as the gateway would make it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct

from lynkr_core.cli.recording.scrub import Scrubber
from lynkr_core.cli.recording.tape import Tape, Taped
from lynkr_core.dialect import Dialect
from lynkr_core.errors import InvalidRequest, LynkrError, UpstreamError
from lynkr_core.provider import Provider
from lynkr_core.testing import factories
from lynkr_core.testing.contracts.wire import Wire
from lynkr_core.testing.transcript import LISTING, NAMES, STREAMED, Said, Take, asked, cut, heard, listened

NO_SUCH_MODEL = "lynkr-record-no-such-model"
WRONG: tuple[Any, ...] = ([{"role": "nobody"}], 7)
"""What no list of messages is."""


class Refused(Struct, frozen=True):
    """A take that there is none of, and why."""

    dialect: str
    name: str
    why: str


class Studio:
    """One provider before the tape."""

    def __init__(self, provider: Provider, tape: Tape, scrubber: Scrubber, model: str, max_tokens: int, base_path: str) -> None:
        self.provider, self.tape, self.scrubber = provider, tape, scrubber
        self.model, self.max_tokens, self.base_path = model, max_tokens, base_path

    async def of_dialect(self, name: str) -> list[Take | Refused]:
        """Every take. Raises `UpstreamError` where not even a plain answer can be had."""
        dialect = factories.find_dialect(name)
        found: list[Take | Refused] = []
        for take in NAMES:
            try:
                found.append(await self.good(dialect, take))
            except (UpstreamError, InvalidRequest) as error:
                if take == "plain":
                    raise
                found.append(Refused(name, take, f"{getattr(error, 'kind', 'invalid')}: {error}"))
        return [*found, await self.error(dialect)]

    async def good(self, dialect: Dialect, name: str) -> Take:
        response = await Wire(self.provider, dialect, self.model).answer(asked(dialect, name, self.max_tokens))
        pieces: list[bytes] = []
        while piece := await response.next():
            pieces.append(piece)
        if name in STREAMED:
            listened(dialect, pieces)
        else:
            heard(dialect.decode_response(b"".join(pieces)))
        return self.made(dialect, name, self.tape.taped[-1])

    async def error(self, dialect: Dialect) -> Take | Refused:
        """What is said of a model that there is not, or, where that is not looked at, of a request that is none."""
        for model, body in self.mistakes(dialect):
            try:
                response = await Wire(self.provider, dialect, model).answer(body)
            except UpstreamError as error:
                if error.status:
                    return self.made(dialect, "error", self.tape.taped[-1], kind=error.kind)
                return Refused(dialect.name, "error", f"{error.kind}: {error}")
            except InvalidRequest:
                continue
            response.abort()
        return Refused(dialect.name, "error", "it found nothing wrong with a model that there is not")

    def mistakes(self, dialect: Dialect) -> Iterator[tuple[str, Mapping[str, Any]]]:
        body = asked(dialect, "plain", self.max_tokens)
        yield NO_SUCH_MODEL, body
        for wrong in WRONG:
            yield self.model, {key: wrong if isinstance(value, list) else value for key, value in body.items()}
        yield self.model, body | {"temperature": "hot"}

    def made(self, dialect: Dialect, name: str, taped: Taped, kind: str = "") -> Take:
        """What the tape has of a call, without what tells who made it."""
        scrubber = self.scrubber
        scrubber.heed(taped.sent, taped.endpoint.url)
        path = scrubber.text(taped.endpoint.target.removeprefix(self.base_path))
        headers = scrubber.answered(taped.headers)
        pieces, binary = scrubbed(bytes(taped.answer), headers.get("content-type", ""), name, scrubber)
        sent = Raw(scrubber.text(taped.body.decode("utf-8", "replace")).encode()) if taped.body else Raw(b"null")
        take = Take(
            name=name, dialect=dialect.name, method=taped.endpoint.method, path=path, asked=sent, status=taped.status,
            headers=headers, pieces=pieces, binary=binary, kind=kind,
        )  # fmt: skip
        return msgspec.structs.replace(take, said=self.said(dialect, take)) if name in NAMES else take

    def said(self, dialect: Dialect, take: Take) -> Said:
        """What is read in what was kept. Raises `LynkrError` where that says a secret in pieces."""
        said = listened(dialect, take.chunks) if take.name in STREAMED else heard(dialect.decode_response(b"".join(take.chunks)))
        if self.scrubber.leaks(f"{said.text} {said.calls}"):
            raise LynkrError(f"the {take.name} answer of {dialect.name} says a secret in pieces; nothing was written")
        return said

    async def listing(self) -> Take | None:
        """Its list of models; None where it has none to ask for."""
        before = len(self.tape.taped)
        try:
            await self.provider.list_models()
        except UpstreamError:
            return None
        if len(self.tape.taped) == before:
            return None
        taped = self.tape.taped[-1]
        dialect = factories.find_dialect(self.provider.dialects[0])
        return self.made(dialect, LISTING, taped)


def scrubbed(body: bytes, content_type: str, name: str, scrubber: Scrubber) -> tuple[tuple[str, ...], bool]:
    """The pieces of a body. Secrets are looked for before it is cut. Raises `LynkrError` for one in binary data: no length may change."""
    pieces, binary = cut(body, content_type)
    if not binary:
        return cut(scrubber.text(body.decode()).encode(), content_type if name in STREAMED else "")
    if scrubber.leaks(body.decode("latin-1")):
        raise LynkrError(f"the {name} answer is binary and has a secret in it; nothing was written")
    return pieces, binary


def base_path(provider: Provider) -> str:
    """That of its base URL, if it has one."""
    url = getattr(getattr(provider, "config", None), "base_url", "")
    return urlsplit(url).path.rstrip("/") if isinstance(url, str) else ""

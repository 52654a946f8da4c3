"""The providers' contract against what a live provider answered: a transcript that `lynkr record` has made.

    class TestRecorded(RecordedProviderContract):
        plugin = plugin
        transcript = Path(__file__).with_name("recorded.json")

Where a provider's own suite says more of it, that stands behind: `class TestRecorded(RecordedProviderContract, TestContract)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec
import pytest

from lynkr_core.dialect import Dialect
from lynkr_core.testing import factories
from lynkr_core.testing.canned import Script
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.provider import ProviderContract, Stage
from lynkr_core.testing.transcript import ERROR, LISTING, NAMES, STREAMED, Said, Take, Transcript, asked, heard, listened, read

CUTS = (1, 7, 100)
"""Bytes of the pieces in which a stream is read, beside its own."""


class RecordedProviderContract(ProviderContract):
    """`transcript`: the file. Paths, model and answers are the recording's; what was not recorded is skipped."""

    transcript: ClassVar[Path]
    recording: ClassVar[Transcript]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "transcript" in vars(cls):
            cls.recording = found = read(cls.transcript)
            plain = {name: taken(found, name, "plain") for name in found.dialects}
            cls.model, cls.base_path = found.model, found.base_path
            cls.paths = {name: take.path.partition("?")[0] for name, take in plain.items()}
            cls.streams = all(found.take(name, "stream") for name in plain)
            listing = next((take for take in found.takes if take.name == LISTING), None)
            cls.lists_models, cls.listing = listing is not None, listing.script if listing else None
            cls.answers = {name: script_of(found, name) for name in plain}

    def check_said(self, said: str, dialect: str) -> None:
        recorded = {take.said.text for take in self.recording.takes if take.dialect == dialect and take.said is not None}
        assert said in recorded, dialect

    def takes(self, *names: str) -> list[Take]:
        return [take for take in self.recording.takes if take.name in names]

    @pytest.mark.anyio
    async def test_it_asks_as_it_did_when_it_was_recorded(self, stage: Stage) -> None:
        for take in self.takes(*NAMES):
            stage.upstream.then(take.script)
            response = await self.wire(stage, take.dialect).answer(self.asked(take))
            await response.read()
            received = stage.upstream.last
            where = f"{take.name} in {take.dialect}"
            assert (received.method, received.path.removeprefix(self.base_path)) == (take.method, take.path), where
            assert msgspec.json.decode(received.body) == msgspec.json.decode(take.asked), where

    @pytest.mark.anyio
    async def test_it_reads_what_it_read_when_it_was_recorded(self, stage: Stage) -> None:
        for take in self.takes(*NAMES):
            stage.upstream.then(take.script)
            dialect = factories.find_dialect(take.dialect)
            response = await self.wire(stage, take.dialect).answer(self.asked(take))
            assert self.understood(take, dialect, await response.read()) == take.said, f"{take.name} in {take.dialect}"

    @pytest.mark.anyio
    async def test_it_reads_a_stream_in_whatever_pieces_it_comes(self, stage: Stage) -> None:
        for take in self.takes(*STREAMED):
            stage.upstream.then(take.script)
            body = await (await self.wire(stage, take.dialect).answer(self.asked(take))).read()
            for size in CUTS:
                pieces = [body[start : start + size] for start in range(0, len(body), size)]
                said = listened(factories.find_dialect(take.dialect), pieces)
                assert said == take.said, f"{take.name} in {take.dialect}, in pieces of {size} bytes"

    @pytest.mark.anyio
    async def test_an_error_is_called_as_it_was_when_it_was_recorded(self, stage: Stage) -> None:
        for take in self.takes(ERROR):
            stage.upstream.always(take.script)
            error = await self.failing(self.wire(stage, take.dialect), samples.request(self.front(take), "hi"))
            assert (error.kind, error.status) == (take.kind, take.status), f"{take.dialect}: {error}"

    def asked(self, take: Take) -> Mapping[str, Any]:
        return asked(factories.find_dialect(take.dialect), take.name, self.recording.max_tokens)

    def front(self, take: Take) -> str:
        return take.dialect if factories.find_dialect(take.dialect).routes else "openai.chat"

    def understood(self, take: Take, dialect: Dialect, body: bytes) -> Said:
        return listened(dialect, [body]) if take.name in STREAMED else heard(dialect.decode_response(body))


def taken(found: Transcript, dialect: str, name: str) -> Take:
    return cast("Take", found.take(dialect, name))


def script_of(found: Transcript, dialect: str) -> Script:
    """What it answers whether or not a stream is asked for."""
    plain, streamed = taken(found, dialect, "plain").script, found.take(dialect, "stream")
    return plain.but(events=streamed.script.events) if streamed else plain

"""What every compressor must keep to. Needs hypothesis."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.plugins import Context
from lynkr_core.request import Request, Text
from lynkr_core.testing import factories
from lynkr_core.testing.calls import call
from lynkr_core.testing.contracts import conversations, samples
from lynkr_core.testing.contracts.aspects import ASPECTS, by_message, texts
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.contracts.generated import results
from lynkr_core.testing.contracts.outputs import ODD

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
_colours = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_message_list = msgspec.json.Decoder(list[Raw])


class CompressorContract(Contract):
    """`table` must be one with which it compresses; `candidate` one whose requests it compresses.

    `changes`: what it may change besides tool results and reminders, of `ASPECTS`. `always`: it acts on the smallest request, too.
    `remembers`: what it does depends on earlier turns, so that another instance need not do the same in the middle of a conversation.
    A lossless one (`lossless`) says with `expand` how to get back what it was given.
    """

    kind = "compressor"
    hook = "transform_request"
    dialects: ClassVar[tuple[str, ...]] = samples.DIALECTS
    changes: ClassVar[frozenset[str]] = frozenset()
    lossless: ClassVar[bool] = True
    always: ClassVar[bool] = False
    remembers: ClassVar[bool] = False
    examples: ClassVar[int] = 60

    def candidate(self) -> Candidate:
        """To whom everything goes."""
        return factories.candidates()[2]

    def make_context(self) -> Context:
        self.context = factories.context("contract", self.kind)
        return self.context

    def expand(self, request: Request) -> Request:
        """The request as it was before it was compressed, of nothing but what was sent."""
        raise NotImplementedError(f"{type(self).__name__} says that it is lossless, and not how to expand")

    def same(self, before: str, after: str) -> bool:
        """Whether a text that was compressed and expanded is still the same."""
        return tidy(before) == tidy(after)

    @pytest.fixture
    async def compressor(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Any]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    def conversations(self) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
        """Name, dialect and the bodies of the turns."""
        for dialect in self.dialects:
            for name, steps in conversations.CONVERSATIONS.items():
                yield f"{name} in {dialect}", dialect, list(conversations.bodies(dialect, steps))
        if "anthropic.messages" in self.dialects:
            steps = conversations.CODING
            yield (
                "coding with markers",
                "anthropic.messages",
                list(conversations.bodies("anthropic.messages", steps, marked=True)),
            )

    def exchange(self, body: Mapping[str, Any], dialect: str) -> Exchange:
        return factories.exchange(body, dialect=dialect, headers={"x-lynkr-session": "contract"}, served=(self.candidate(),))

    async def sent(self, compressor: Any, body: Mapping[str, Any], dialect: str) -> Sent:
        """What goes out of it for this body."""
        exchange = self.exchange(body, dialect)
        request = exchange.request
        answer = await call(compressor, "transform_request", exchange, request, exchange.candidates[0])
        assert answer is None or isinstance(answer, Request), f"{answer!r} is no Request"
        return Sent(exchange, request, answer or request)

    @pytest.mark.anyio
    async def test_the_same_request_gives_the_same_bytes(self, compressor: Any, tmp_path: Path) -> None:
        for name, dialect, bodies in self.conversations():
            first = [(await self.sent(compressor, body, dialect)).bytes for body in bodies]
            again = [(await self.sent(compressor, body, dialect)).bytes for body in bodies]
            assert first == again, f"{name}, sent twice"
            if not self.remembers:
                for turn, body in enumerate(bodies):
                    async with factories.running(self.make(tmp_path)) as other:
                        assert (await self.sent(other, body, dialect)).bytes == first[turn], (
                            f"{name}, turn {turn}, another instance"
                        )

    @pytest.mark.anyio
    async def test_what_was_sent_stays_as_it_was_sent(self, compressor: Any) -> None:
        for name, dialect, bodies in self.conversations():
            turns = [await self.sent(compressor, body, dialect) for body in bodies]
            for turn, (one, following) in enumerate(pairwise(turns)):
                old, new = one.messages, following.messages
                assert new[: len(old)] == old, f"{name}: what turn {turn} has sent is changed in the next"
                assert one.before_messages == following.before_messages, (
                    f"{name}: turn {turn + 1} has another prompt or other tools"
                )

    @pytest.mark.anyio
    async def test_nothing_gets_larger(self, compressor: Any) -> None:
        for name, dialect, bodies in self.conversations():
            for turn, body in enumerate(bodies):
                sent = await self.sent(compressor, body, dialect)
                assert self.tokens(sent.wire) <= self.tokens(sent.original), f"{name}, turn {turn}"

    @pytest.mark.anyio
    async def test_a_greeting_is_left_alone(self, compressor: Any) -> None:
        if self.always:
            pytest.skip("this one acts on the smallest request, too")
        for dialect in self.dialects:
            sent = await self.sent(compressor, samples.request(dialect, "hi"), dialect)
            assert sent.request is sent.original, dialect

    @pytest.mark.anyio
    async def test_what_must_not_be_touched_is_not(self, compressor: Any) -> None:
        assert self.changes <= set(ASPECTS), f"{self.changes - set(ASPECTS)} are no aspects"
        for name, dialect, bodies in self.conversations():
            for turn, body in enumerate(bodies):
                sent = await self.sent(compressor, body, dialect)
                for aspect, look in ASPECTS.items():
                    if aspect not in self.changes:
                        assert look(sent.wire) == look(sent.original), f"{name}, turn {turn}: its {aspect} were changed"

    @pytest.mark.anyio
    async def test_what_is_left_out_can_be_found_again(self, compressor: Any) -> None:
        self.needs_expanding()
        for name, dialect, bodies in self.conversations():
            for turn, body in enumerate(bodies):
                self.check_expanded(f"{name}, turn {turn}", await self.sent(compressor, body, dialect))
        for name, text in ODD.items():
            body = conversations.ask(self.dialects[0], text, text)
            self.check_expanded(name, await self.sent(compressor, body, self.dialects[0]))

    def test_whatever_a_tool_gives_is_kept_and_not_larger(self, tmp_path: Path) -> None:
        made = self.make(tmp_path)

        @settings(
            max_examples=self.examples,
            deadline=None,
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
            database=None,
        )
        @given(given=results, dialect=st.sampled_from(self.dialects))
        def check(given: list[str], dialect: str) -> None:
            body = conversations.ask(dialect, *given)
            sent = _finished(self.sent(made, body, dialect))
            assert self.tokens(sent.wire) <= self.tokens(sent.original)
            again = _finished(self.sent(made, conversations.ask(dialect, *given, "more"), dialect))
            self.check_appended(sent, again)
            if self.lossless:
                self.check_expanded(dialect, sent)

        check()

    @pytest.mark.anyio
    async def test_what_is_saved_is_told(self, compressor: Any) -> None:
        for name, dialect, bodies in self.conversations():
            for turn, body in enumerate(bodies):
                sent = await self.sent(compressor, body, dialect)
                told = sum([saving.tokens for saving in sent.exchange.savings])
                saved = self.tokens(sent.original) - self.tokens(sent.wire)
                assert abs(told - saved) <= 2 + saved * 0.02, f"{name}, turn {turn}: says {told} tokens, saved {saved}"
                assert all(saving.plugin for saving in sent.exchange.savings), f"{name}: somebody saved, and says not who"
                assert sent.exchange.saved_tokens == told

    @pytest.mark.anyio
    async def test_odd_results_are_no_reason_to_fail(self, compressor: Any) -> None:
        for dialect in self.dialects:
            for name, text in ODD.items():
                sent = await self.sent(compressor, conversations.ask(dialect, text, "between", text), dialect)
                assert self.tokens(sent.wire) <= self.tokens(sent.original), f"{name} in {dialect}"
            for body in samples.requests(dialect).values():
                await self.sent(compressor, body, dialect)

    def tokens(self, request: Request) -> int:
        """Of everything that it may make smaller, as it counts itself; what it says to change is its own affair."""
        found = list(texts(request.messages))
        if "system" not in self.changes:
            found += [part.text for part in request.system if isinstance(part, Text)]
        return self.context.tokens.count(*found)

    def check_appended(self, sent: Sent, again: Sent) -> None:
        """The next turn begins with what was sent in this one."""
        assert again.messages[: len(sent.messages)] == sent.messages

    def needs_expanding(self) -> None:
        if not self.lossless:
            pytest.skip("this compressor is not lossless")

    def check_expanded(self, name: str, sent: Sent) -> None:
        """What the provider gets says all that the caller said."""
        whole = self.expand(sent.wire)
        before, after = by_message(sent.original), by_message(whole)
        assert len(before) == len(after), f"{name}: there are {len(before)} messages, and {len(after)} after expanding"
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            assert self.same(old, new), f"{name}: message {place} is not what it was:\n{old[:2000]!r}\n{new[:2000]!r}"


class Sent:
    """What went out. `original` is what the caller sent, `request` what the plugin made of it, `wire` what the provider reads."""

    def __init__(self, exchange: Exchange, original: Request, request: Request) -> None:
        self.exchange = exchange
        self.original = original
        self.request = request
        dialect = exchange.dialect
        self.fields = dialect.encode_request(request, [])
        self.bytes = msgspec.json.encode(self.fields)
        self.wire = dialect.decode_request(dialect.peek(self.bytes))

    @property
    def messages(self) -> list[bytes]:
        """Each message of the body, without the marks of what is cached, which move."""
        raw = msgspec.json.encode(self.fields[self.exchange.dialect.conversation])
        return [unmarked(item) for item in _message_list.decode(raw)] if raw.startswith(b"[") else [raw]

    @property
    def before_messages(self) -> list[bytes]:
        return [
            unmarked(msgspec.json.encode(self.fields[key])) for key in ("tools", "system", "instructions") if key in self.fields
        ]


def unmarked(raw: bytes) -> bytes:
    """The same JSON, as it reads for the provider: without marks, and a text alone as the block that it is."""
    return msgspec.json.encode(_unmarked(msgspec.json.decode(raw)))


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    said = {key: _unmarked(item) for key, item in cast("dict[str, Any]", value).items() if key != "cache_control"}
    if "role" in said and isinstance(said.get("content"), str):
        said["content"] = [{"type": "text", "text": said["content"]}]
    return said


def tidy(text: str) -> str:
    """What a terminal shows in the end, without colours and trailing blanks."""
    shown = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in _colours.sub("", text).split("\n")]
    return "\n".join(shown).rstrip()


def _finished(work: Any) -> Any:
    """The answer of a coroutine that waits for nothing, as compressors do."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise AssertionError("a compressor waits for something, which holds up every request")

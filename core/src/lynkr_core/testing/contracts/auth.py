"""What every auth plugin must keep to: nobody comes in without a good key, and no key comes out."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lynkr_core.errors import GatewayError
from lynkr_core.exchange import Exchange, Principal, Reject
from lynkr_core.testing import factories
from lynkr_core.testing.calls import call
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.base import Contract

PLACES = ("x-lynkr-key", "x-api-key", "api-key", "x-goog-api-key")
MANY = 10_000
SLOW = 30.0
"""Seconds of the processor for so many bad keys; generous, because test machines are shared."""
ROOM = 4 * 1024 * 1024
"""Bytes that so many bad keys may leave behind."""


class AuthContract(Contract):
    """`credential` gives a key that is good for the running instance, and `similar` what is like it and is not good."""

    kind = "auth"
    hook = "authenticate"

    @pytest.fixture
    async def auth(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Any]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    async def credential(self, auth: Any) -> str:
        """A good key."""
        raise NotImplementedError

    def similar(self, key: str) -> list[str]:
        """Keys that are not good, from the good one."""
        middle = len(key) // 2
        other = "A" if key[middle] != "A" else "B"
        return [key[:-1], key + "A", key[1:], key.swapcase(), f"{key[:middle]}{other}{key[middle + 1 :]}", "", "x", key[:20] * 3]

    def exchange(self, headers: Mapping[str, str]) -> Exchange:
        return factories.exchange(samples.request("openai.chat", "hello"), headers=headers, served=factories.candidates())

    def bearer(self, key: str) -> Exchange:
        return self.exchange({"authorization": f"Bearer {key}"})

    async def told(self, auth: Any, exchange: Exchange) -> Principal | GatewayError | None:
        """Who it is, or why not."""
        try:
            answer = await call(auth, "authenticate", exchange)
        except GatewayError as error:
            return error
        assert isinstance(answer, Principal | Reject | None)
        return answer.error if isinstance(answer, Reject) else answer

    @pytest.mark.anyio
    async def test_a_good_key_is_known_wherever_clients_put_it(self, auth: Any) -> None:
        key = await self.credential(auth)
        who = await self.told(auth, self.bearer(key))
        assert isinstance(who, Principal)
        assert who.id != "anonymous"
        for place in PLACES:
            assert await self.told(auth, self.exchange({place: key})) == who, place

    @pytest.mark.anyio
    async def test_a_key_of_lynkr_goes_before_a_providers(self, auth: Any) -> None:
        key = await self.credential(auth)
        both = {"x-lynkr-key": key, "authorization": f"Bearer {samples.SECRET}"}
        assert isinstance(await self.told(auth, self.exchange(both)), Principal)
        assert not isinstance(await self.told(auth, self.exchange({"x-lynkr-key": "x", "x-api-key": key})), Principal)

    @pytest.mark.anyio
    async def test_nobody_comes_in_without_a_good_key(self, auth: Any) -> None:
        key = await self.credential(auth)
        for exchange in (
            self.exchange({}),
            self.exchange({"authorization": f"Basic {key}"}),
            *map(self.bearer, self.similar(key)),
        ):
            told = await self.told(auth, exchange)
            assert told is None or (isinstance(told, GatewayError) and told.http_status in (401, 429)), told

    @pytest.mark.anyio
    async def test_a_key_that_is_known_needs_nobody_to_be_asked(self, auth: Any) -> None:
        key = await self.credential(auth)
        await self.told(auth, self.bearer(key))
        assert isinstance(auth.authenticate(self.bearer(key)), Principal)

    @pytest.mark.anyio
    async def test_bad_keys_cost_little_and_leave_nothing(self, auth: Any) -> None:
        key = await self.credential(auth)
        kinds = self.similar(key)
        began = time.process_time()
        tracemalloc.start()
        for number in range(MANY):
            await self.told(auth, self.bearer(f"{kinds[number % len(kinds)]}{number}"))
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < ROOM
        assert time.process_time() - began < SLOW
        assert isinstance(await self.told(auth, self.bearer(key)), Principal)

    @pytest.mark.anyio
    async def test_no_key_is_told(self, tmp_path: Path, capfd: Any, caplog: Any) -> None:
        caplog.set_level(0)
        async with factories.running(self.make(tmp_path)) as auth:
            key = await self.credential(auth)
            told = [await self.told(auth, self.bearer(one)) for one in (key, *self.similar(key))]
            status = msgspec.json.encode(auth.status()).decode() if hasattr(auth, "status") else ""
        printed = capfd.readouterr()
        seen = "\n".join([*map(repr, told), *map(str, told), status, printed.out, printed.err, caplog.text, repr(auth)])
        for one in (key, *[other for other in self.similar(key) if len(other) > len(key) // 2]):
            assert one not in seen

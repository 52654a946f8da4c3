"""Keys from their making to their end, over one store that two processes share."""

import asyncio
import logging

import pytest

from lynkr_auth_keys import Keys, plugin
from lynkr_auth_keys.book import Book
from lynkr_auth_keys.key import KEY, Pepper, id_of, new_record
from lynkr_core.errors import GatewayError, PluginError, RateLimited, Unauthenticated, Unavailable
from lynkr_core.exchange import Principal, Reject
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_core.testing.calls import call

pytestmark = pytest.mark.anyio
BODY = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


class Store(MemoryStore):
    """Counts what is read, and fails when told to."""

    def __init__(self):
        super().__init__()
        self.reads, self.down, self.gate = 0, False, None

    async def get(self, key):
        self.reads += 1
        value = await super().get(key)
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise OSError("the test's store is down")
        return value


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def process(store, clock):
    """Makes instances that share the store, as processes do."""

    def make(**table):
        stores = Stores()
        stores.add("shared", store)
        config = factories.configure(plugin, {"recheck": 10, "grace": 60, **table})
        return Keys(config, factories.context("keys", "auth", stores=stores), clock)

    return make


def showing(key, client=("192.0.2.1", 5)):
    exchange = factories.exchange(BODY, headers={"authorization": f"Bearer {key}"})
    exchange.client = client
    return exchange


async def told(keys, key, client=("192.0.2.1", 5)):
    try:
        answer = await call(keys, "authenticate", showing(key, client))
    except GatewayError as error:
        return error
    return answer.error if isinstance(answer, Reject) else answer


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_principal_has_what_the_key_was_made_with(process):
    keys = process()
    told_of = {"user": "ada", "team": "research", "agent": "bot", "class": "T3", "tags": ("a",), "models": ("x/*",)}
    key, record = await keys._book.create(name="ci", tiers=("simple",), local_only=True, **told_of)
    who = await told(keys, key)
    assert who == Principal(
        id=f"key:{record.id}", key="ci", user="ada", team="research", agent="bot", principal_class="T3", tags=("a",),
        models=("x/*",), tiers=("simple",), local_only=True,
    )  # fmt: skip
    assert KEY.fullmatch(key)
    assert id_of(key) == id_of(f"lk_{record.id}") == id_of(record.id) == record.id


async def test_the_store_has_no_key_and_nothing_that_makes_one(process, store):
    keys = process(pepper="a-pepper-of-this-test")
    key, record = await keys._book.create(name="ci")
    kept = b"\n".join([name.encode() + value for name, value in (await store.scan("")).items()])
    for secret in (key, key[13:-8], "a-pepper-of-this-test"):
        assert secret.encode() not in kept
    assert record.hash not in str((await keys._book.show(record.id)).shown())
    assert Pepper("another-pepper-here").hash(key) != record.hash
    assert not Pepper("another-pepper-here").made(key)


async def test_a_record_that_was_tampered_with_is_nobodys(process, store):
    keys = process()
    key, record = await keys._book.create(name="ci", principal_class=None)
    row = f"auth-keys/key/{record.id}"
    value = await store.get(row)
    for changed in (value.replace(b'"ci"', b'"cx"'), value[16:], b"", value[:16] + b"{}", value + b" "):
        await store.set(row, changed, 60)
        assert isinstance(await told(process(), key), Unauthenticated)
    other, other_record = await keys._book.create(name="b")
    await store.set(f"auth-keys/key/{other_record.id}", value, 60)
    assert isinstance(await told(process(), other), Unauthenticated)


async def test_a_revocation_holds_at_once_here_and_soon_elsewhere(process, clock):
    here, there = process(), process()
    key, record = await here._book.create()
    assert isinstance(await told(here, key), Principal)
    assert isinstance(await told(there, key), Principal)
    await here._book.revoke(record.id)
    here._known.forget(record.id)
    assert isinstance(await told(here, key), Unauthenticated)
    assert isinstance(await told(there, key), Principal)
    clock.now += 10
    assert isinstance(await told(there, key), Unauthenticated)


async def test_a_revocation_is_not_undone_by_a_look_up_that_began_before_it(process, store):
    keys = process()
    key, record = await keys._book.create()
    await keys._book.pepper()
    store.gate = asyncio.Event()
    asking = asyncio.ensure_future(told(keys, key))
    before = store.reads
    await until(lambda: store.reads > before)
    gate, store.gate = store.gate, None
    await keys._book.revoke(record.id)
    keys._known.forget(record.id)
    gate.set()
    assert isinstance(await asking, Unauthenticated)


async def test_a_revocation_outlives_a_rotation_that_did_not_see_it(process, store):
    keys = process()
    key, record = await keys._book.create()
    await keys._book.revoke(record.id)
    pepper = await keys._book.pepper()
    await keys._book._write(pepper, record)
    assert isinstance(await told(process(), key), Unauthenticated)


async def test_both_keys_are_good_after_a_rotation_until_the_grace_is_over(process, clock, monkeypatch):
    now = 1_800_000_000.0
    monkeypatch.setattr("time.time", lambda: now + clock.now)
    keys = process()
    old, record = await keys._book.create()
    new, rotated = await keys._book.rotate(record.id, 100)
    assert (await told(keys, old)).id == (await told(keys, new)).id == f"key:{rotated.id}"
    assert old != new
    clock.now += 99
    assert isinstance(await told(keys, old), Principal)
    clock.now += 1
    assert isinstance(await told(keys, old), Unauthenticated)
    assert isinstance(await told(keys, new), Principal)


async def test_an_expired_key_is_refused_to_the_second_though_it_is_known(process, clock, monkeypatch):
    now = 1_800_000_000.0
    monkeypatch.setattr("time.time", lambda: now + clock.now)
    keys = process()
    key, _ = await keys._book.create(expires=now + clock.now + 4)
    assert isinstance(await told(keys, key), Principal)
    clock.now += 4
    assert isinstance(await told(keys, key), Unauthenticated)


async def test_the_same_words_for_every_key_that_is_not_good(process, monkeypatch):
    keys = process()
    revoked, record = await keys._book.create()
    expired, _ = await keys._book.create(expires=1.0)
    await keys._book.revoke(record.id)
    pepper = await keys._book.pepper()
    never = pepper.minted(new_record().id)
    words = {str(await told(keys, key)) for key in (revoked, expired, never, "lk_x", revoked[:-1] + "_")}
    assert len(words) == 1
    assert "lynkr keys create" in words.pop()


async def test_a_made_up_key_never_reaches_the_store(process, store):
    keys = process()
    key, _ = await keys._book.create()
    async with keys:
        before = store.reads
        for number in range(1000):
            assert isinstance(await told(keys, f"lk_{number:061d}"), GatewayError)
        assert store.reads == before
        assert len(keys._known.entries) == 0
        assert isinstance(await told(keys, key), Principal)


async def test_a_known_key_is_asked_for_beside_the_requests(process, store, clock):
    keys = process()
    key, _ = await keys._book.create()
    await told(keys, key)
    await keys._used.close()
    before = store.reads
    clock.now += 6
    assert isinstance(keys.authenticate(showing(key)), Principal)
    await until(lambda: store.reads > before and not keys._known._asking)
    clock.now += 5
    assert isinstance(keys.authenticate(showing(key)), Principal)


async def test_many_who_show_one_key_cause_one_look_up(process, store):
    keys = process()
    key, _ = await keys._book.create()
    before = store.reads
    found = await asyncio.gather(*[told(keys, key) for _ in range(100)])
    assert {who.id for who in found} == {found[0].id}
    assert store.reads - before < 10


async def test_the_memory_is_bounded(process):
    keys = process(cache=3)
    made = [(await keys._book.create())[0] for _ in range(9)]
    for key in made:
        assert isinstance(await told(keys, key), Principal)
    assert len(keys._known.entries) == 3


# a store that is down
async def test_known_keys_go_on_for_the_grace_and_others_get_503(process, store, clock):
    keys = process(recheck=10, grace=60)
    known, _ = await keys._book.create()
    other, _ = await keys._book.create()
    await told(keys, known)
    store.down = True
    clock.now += 69
    assert isinstance(await told(keys, known), Principal)
    assert isinstance(await told(keys, other), Unavailable)
    clock.now += 2
    assert isinstance(await told(keys, known), Unavailable)
    assert keys.status()["store"] == "down"
    store.down = False
    clock.now += 2
    assert isinstance(await told(keys, known), Principal)
    assert isinstance(await told(keys, other), Principal)
    assert keys.status()["store"] == "ok"


async def test_without_grace_everything_is_refused(process, store, clock):
    keys = process(grace=0)
    key, _ = await keys._book.create()
    await told(keys, key)
    store.down = True
    clock.now += 11
    assert isinstance(await told(keys, key), Unavailable)


async def test_a_key_that_was_refused_gets_503_when_nobody_can_say(process, store, clock):
    keys = process()
    key, record = await keys._book.create()
    await keys._book.revoke(record.id)
    assert isinstance(await told(keys, key), Unauthenticated)
    store.down = True
    clock.now += 11
    assert isinstance(await told(keys, key), Unavailable)


async def test_a_store_that_is_down_is_not_asked_by_each_request(process, store, clock):
    keys = process()
    key, _ = await keys._book.create()
    store.down = True
    before = store.reads
    for _ in range(100):
        assert isinstance(await told(keys, key), Unavailable)
    assert store.reads - before < 6


async def test_a_store_that_is_down_at_the_start_is_waited_for(process, store, clock):
    maker = process(pepper="a-pepper-of-this-test")
    key, _ = await maker._book.create()
    store.down = True
    async with process(pepper="a-pepper-of-this-test") as keys:
        assert isinstance(await told(keys, key), Unavailable)
        assert isinstance(await told(keys, "lk_made-up"), Unauthenticated)
        store.down = False
        clock.now += 2
        assert isinstance(await told(keys, key), Principal)


async def test_another_pepper_is_not_started_with(process):
    await process(pepper="a-pepper-of-this-test")._book.create()
    with pytest.raises(PluginError, match="another pepper"):
        async with process(pepper="not-the-same-pepper"):
            pass
    with pytest.raises(PluginError, match="at least 16"):
        process(pepper="short")


# failures
async def test_failures_of_one_address_are_limited_and_good_keys_are_not(process, clock):
    keys = process(failures=5)
    key, _ = await keys._book.create()
    for _ in range(5):
        assert isinstance(await told(keys, "lk_x"), Unauthenticated)
    refused = await told(keys, "lk_x")
    assert isinstance(refused, RateLimited)
    assert 0 < refused.retry_after <= 60
    assert isinstance(await told(keys, key), Principal)
    assert isinstance(await told(keys, "lk_x", ("198.51.100.7", 1)), Unauthenticated)
    clock.now += 60
    assert isinstance(await told(keys, "lk_x"), Unauthenticated)


async def test_one_ipv6_network_is_one_source_and_sources_are_bounded(process, monkeypatch):
    monkeypatch.setattr("lynkr_auth_keys.failures.MAX_SOURCES", 4)
    keys = process(failures=3)
    answers = [await told(keys, "lk_x", (f"2001:db8::{n}", 1)) for n in range(4)]
    assert isinstance(answers[-1], RateLimited)
    for n in range(100):
        await told(keys, "lk_x", (f"192.0.2.{n}", 1))
    await told(keys, "lk_x", None)
    assert len(keys._failures._sources) <= 4


# the last use
async def test_the_last_use_is_written_beside_and_seldom(process, clock):
    keys = process()
    key, record = await keys._book.create()
    for _ in range(20):
        await told(keys, key)
    await keys._used.close()
    first = (await keys._book.show(record.id)).used
    assert first is not None
    await keys._book.used(record.id, 1.0)
    await told(keys, key)
    await keys._used.close()
    assert (await keys._book.show(record.id)).used == 1.0
    clock.now += 301
    await told(keys, key)
    await keys._used.close()
    assert (await keys._book.show(record.id)).used >= first


async def test_two_books_that_make_their_first_key_agree_on_the_pepper(store):
    first, second = Book(store, None), Book(store, None)
    await first.create()
    other, record = await second.create()
    assert (await first.pepper()).made(other)
    assert (await first.find(record.id)).hash == record.hash
    assert len(await second.listed()) == 2


async def test_nothing_is_logged_of_a_store_that_quotes(process, store, clock, caplog):
    caplog.set_level(logging.DEBUG)
    keys = process()
    key, _ = await keys._book.create()

    async def quoting(name):
        raise OSError(f"cannot read {name} of {key}")

    store.get = quoting
    answer = await told(keys, key)
    assert isinstance(answer, Unavailable)
    assert key not in caplog.text + str(answer)

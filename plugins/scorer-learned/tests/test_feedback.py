from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lynkr_core.errors import GatewayError, InvalidRequest
from lynkr_core.exchange import Principal
from lynkr_core.routes import RouteRequest
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_scorer_learned import Learned

pytestmark = pytest.mark.anyio
ASK = "reconcile the ledger with the bank"


async def send(scorer: Learned, body: Any, principal: str = "ann") -> Any:
    (route,) = scorer.register_routes()
    assert (route.method, route.path) == ("POST", "/v1/feedback")
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    reply = await route.endpoint(RouteRequest(params={}, headers={}, body=raw, principal=Principal(id=principal)))
    return msgspec.json.decode(reply.body)


async def test_a_thumb_is_believed_and_may_be_changed(learned, happen):
    scorer = learned()
    id = happen(scorer, ASK).id
    slot = scorer.memory.slots[id]
    assert await send(scorer, {"id": id, "thumb": "down"}) == {"object": "feedback", "id": id, "thumb": "down"}
    assert (bool(scorer.memory.good[slot]), float(scorer.memory.weights[slot])) == (False, 1.0)
    await send(scorer, {"id": id, "thumb": "up"})
    assert scorer.memory.good[slot]


async def test_a_thumb_outweighs_that_the_same_was_asked_again(learned, happen):
    scorer = learned()
    id = happen(scorer, ASK).id
    await send(scorer, {"id": id, "thumb": "up"})
    happen(scorer, ASK)
    assert scorer.memory.good[scorer.memory.slots[id]]


async def test_thumbs_teach(learned, happen, ask_of):
    scorer = learned()
    before = [happen(scorer, f"{ASK} {number}").id for number in range(20)]
    easy = scorer.score(ask_of(ASK))
    for id in before:
        await send(scorer, {"id": id, "thumb": "down"})
    hard = scorer.score(ask_of(ASK))
    assert easy is not None
    assert hard is not None
    assert hard.value > 25 > easy.value
    assert hard.weight > easy.weight


@pytest.mark.parametrize(("id", "principal"), [("req_none", "ann"), (None, "bob")])
async def test_nobody_judges_what_is_not_his(learned, happen, id, principal):
    scorer = learned()
    own = happen(scorer, ASK).id
    with pytest.raises(GatewayError) as caught:
        await send(scorer, {"id": id or own, "thumb": "down"}, principal)
    assert (caught.value.status, caught.value.param) == (404, "id")
    assert scorer.memory.good[scorer.memory.slots[own]]


@pytest.fixture
def stores() -> Stores:
    """With one that several processes could share."""
    made = Stores()
    made.add("shared", MemoryStore())
    return made


async def answered(scorer: Any, exchange: Any) -> str:
    scorer.score(exchange)
    await scorer.post_response(exchange, factories.outcome(chosen=exchange.candidates[0]))
    return exchange.id


async def test_a_thumb_may_come_to_another_process_than_the_one_that_answered(learned, ask_of, stores):
    one, other = learned(stores), learned(stores)
    id = await answered(one, ask_of(ASK))
    await send(other, {"id": id, "thumb": "down"})
    slot = other.memory.slots[id]
    assert (bool(other.memory.good[slot]), float(other.memory.weights[slot])) == (False, 1.0)
    assert other.memory.owner(id) == one.memory.owner(id)


@pytest.mark.parametrize(("id", "principal"), [("req_none", "ann"), (None, "bob"), ("req_\0", "ann"), ("x" * 500, "ann")])
async def test_nor_there_does_anybody_judge_what_is_not_his(learned, ask_of, stores, id, principal):
    other = learned(stores)
    own = await answered(learned(stores), ask_of(ASK))
    with pytest.raises(GatewayError) as caught:
        await send(other, {"id": id or own, "thumb": "down"}, principal)
    assert caught.value.status == 404
    assert len(other.memory) == 0


async def test_a_store_that_fails_shows_nothing_and_harms_nobody(learned, ask_of, stores, monkeypatch):
    async def fails(*args: object) -> None:
        raise OSError("gone")

    one = learned(stores)
    for name in ("get", "set"):
        monkeypatch.setattr(stores.key_value(), name, fails)
    id = await answered(one, ask_of(ASK))
    await send(one, {"id": id, "thumb": "down"})
    with pytest.raises(GatewayError):
        await send(learned(stores), {"id": id, "thumb": "down"})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", {"id": "x"}, {"id": 1, "thumb": "up"}, {"id": "x", "thumb": "sideways"}, b"\xff", b"x" * 2_000]
)
async def test_bad_bodies_are_refused_with_the_reason(learned, body):
    with pytest.raises(InvalidRequest):
        await send(learned(), body)

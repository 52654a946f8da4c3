from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lynkr_core.errors import GatewayError, InvalidRequest
from lynkr_core.exchange import Principal
from lynkr_core.routes import RouteRequest
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


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", {"id": "x"}, {"id": 1, "thumb": "up"}, {"id": "x", "thumb": "sideways"}, b"\xff", b"x" * 2_000]
)
async def test_bad_bodies_are_refused_with_the_reason(learned, body):
    with pytest.raises(InvalidRequest):
        await send(learned(), body)

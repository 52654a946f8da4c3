"""Requests: each cell of the matrix is carried, expressed differently or told to be lost; none is silent."""

from __future__ import annotations

import pytest

from lynkr_core.testing.canned import CANNED

from .asking import Gateways
from .cells import COLUMNS, DIFFERENT, FRONTS, REFUSED, TOLD, requests

pytestmark = pytest.mark.anyio
CELLS = list(requests())


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_what_is_asked_for(gateways: Gateways, cell, stream):
    upstream, client = gateways[cell.column.name]
    upstream.reset().always(cell.column.answers["text"])
    body = {"model": "up/m", **cell.front.base, **cell.front.asked[cell.feature], "stream": stream}
    answer = await client.post(cell.front.path, json=body)
    told = answer.headers.get("x-lynkr-losses", "")
    if cell.verdict == REFUSED:
        assert (answer.status, len(upstream.requests)) == (400, 0)
        assert cell.how in answer.text
        return
    assert answer.status == 200, answer.text
    if cell.front.name == cell.column.name:
        sent = upstream.last.json()
        sent.pop("stream_options", None)  # lynkr asks for the usage
        assert ({**sent, "model": "up/m"}, told) == (body, "")
    elif cell.verdict == TOLD:
        assert cell.how in told
    else:
        assert cell.find(upstream.last.json()) == cell.value
        assert told == "" or cell.verdict == DIFFERENT


def test_every_front_is_a_column_too():
    """So that the way of the same API on both sides is in the matrix."""
    assert {front.name for front in FRONTS} <= {column.name for column in COLUMNS}
    assert {column.name for column in COLUMNS if column.name in CANNED} >= {front.name for front in FRONTS}

"""Every cell of the table."""

import pytest

from .table import ALONE, CELLS
from .verdicts import bench

pytestmark = pytest.mark.anyio


def named(cells):
    return [pytest.param(*cell, id=f"{cell[0].name}-{cell[1].name}") for cell in cells]


@pytest.mark.parametrize(("row", "route", "verdict"), named(CELLS))
async def test_cell(row, route, verdict):
    async with bench(route, patience=row.patience) as made:
        made.breaks(row.script(route), row.fault(route))
        await verdict(made)


@pytest.mark.parametrize(("row", "route", "verdict"), named(ALONE))
async def test_cell_when_nobody_else_could_answer(row, route, verdict):
    async with bench(route, patience=row.patience) as made:
        made.breaks(row.script(route), row.fault(route))
        await verdict(made)

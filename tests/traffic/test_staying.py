"""Staying while it pays never costs more than staying always or switching always."""

import pytest

from tests.traffic.conversations import FOLDERS
from tests.traffic.staying import PRICES, totals


@pytest.mark.anyio
@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder.exists()], ids=lambda folder: folder.name)
@pytest.mark.parametrize("prices", PRICES)
async def test_the_total_is_never_above_staying_and_switching(folder, prices):
    spent = await totals(folder, prices)
    assert 0 < spent["sticky"].usd <= spent["stay"].usd
    assert spent["sticky"].usd <= spent["switch"].usd
    assert 0 < spent["sticky"].switches <= spent["switch"].switches
    if folder.name != "sample":  # a few conversations, in which both switch as often
        assert spent["sticky"].switches < spent["switch"].switches

"""The real Presidio, with its patterns and a blank model; nothing here asks anybody over the network."""

import msgspec
import pytest

from lynkr_core.errors import PluginError

pytest.importorskip("presidio_analyzer", reason="the extra `presidio` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
COIN = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
TABLE = """
requests = { personal = "mask" }
[policy.guardrails.detector.presidio]
entities = ["CRYPTO", "US_SSN", "EMAIL_ADDRESS"]
"""


@pytest.mark.anyio
async def test_what_presidio_finds_is_masked_and_comes_back(guarded):
    async with guarded(TABLE) as gateway:
        mask = await gateway.masked(f"für Ärzte 🦆 {COIN}", "CRYPTO")
        gateway.says("Pay to ", mask[:10], mask[10:])
        text, _ = await gateway.streamed(f"Pay {COIN}, or mail to eva.lindqvist@fjordlabs.io")
        sent = msgspec.json.decode(gateway.sent)["messages"][0]["content"]
    assert text == f"Pay to {COIN}"
    assert COIN not in sent
    assert "MASKED_EMAIL_" in sent  # by the rule built in, which comes first
    assert "MASKED_EMAIL_ADDRESS_" not in sent


@pytest.mark.parametrize(
    ("table", "told"),
    [("entities = ['NO_SUCH']", "NO_SUCH: unknown"), ("language = 5", "language"), ("model = 'xx_no_such'", "xx_no_such")],
)
def test_what_cannot_be_is_said_at_start(guarded, table, told):
    with pytest.raises(Exception, match=told) as error:
        guarded(f"[policy.guardrails.detector.presidio]\n{table}")
    assert "policy.guardrails" in str(error.value) or isinstance(error.value, PluginError)

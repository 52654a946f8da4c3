"""What of a request reaches a provider, and what its caller is told."""

import pytest

pytestmark = pytest.mark.anyio
MAIL = "eva.lindqvist@fjordlabs.io"
KEY = "AKIAZ7Q3XK2M5NWP4RTB"


async def test_what_is_masked_stays_here_and_comes_back(guarded):
    async with guarded() as gateway:
        answer = await gateway.ask(f"Write to {MAIL} with key {KEY}.")
    assert answer.status == 200
    assert MAIL.encode() not in gateway.sent
    assert KEY.encode() not in gateway.sent
    assert b"MASKED_EMAIL_" in gateway.sent
    assert b"MASKED_AWS_ACCESS_KEY_" in gateway.sent
    assert answer.headers["x-lynkr-guardrails"] == "mask: email 1, aws_access_key 1"

from base64 import b64decode
from typing import cast
from urllib.parse import parse_qs

import pytest

from lynkr_core import Secret, UpstreamError
from lynkr_core.oauth import ClientCredentials
from lynkr_core.testing.recording import RecordingTransport
from lynkr_core.upstream import Transport

pytestmark = pytest.mark.anyio
SECRET = "s3cret&=+"


def asking(body: bytes, status: int = 200) -> tuple[RecordingTransport, ClientCredentials]:
    transport = RecordingTransport(body, status)
    ask = ClientCredentials(
        cast(Transport, transport), "https://login.example.com/t1/token", id="app-1", secret=Secret(SECRET), scope="all"
    )
    return transport, ask


async def test_the_form_is_what_the_rfc_says():
    transport, ask = asking(b'{"access_token":"t1","token_type":"Bearer","expires_in":1800}')
    token = await ask()
    assert (token.value.reveal(), token.lifetime) == ("t1", 1800.0)
    endpoint, headers, body = transport.sent[0]
    assert (endpoint.url, headers[b"content-type"]) == (
        "https://login.example.com/t1/token",
        b"application/x-www-form-urlencoded",
    )
    assert parse_qs(body.decode()) == {
        "grant_type": ["client_credentials"], "scope": ["all"], "client_id": ["app-1"], "client_secret": [SECRET],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "lifetime"), [(b"", 3600.0), (b',"expires_in":"599"', 599.0), (b',"expires_in":null', 3600.0), (b',"x":1', 3600.0)]
)
async def test_the_lifetime_may_be_missing_or_a_string(said, lifetime):
    _, ask = asking(b'{"access_token":"t1"' + said + b"}")
    assert (await ask()).lifetime == lifetime


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"\xff", b'{"access_token":"a\\r\\nb"}', b'{"access_token":""}', b"[]"])
async def test_an_answer_without_a_token_is_unavailable(body):
    with pytest.raises(UpstreamError, match=r"login\.example\.com sent no token") as caught:
        await asking(body)[1]()
    assert caught.value.kind == "unavailable"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "auth"), (401, "auth"), (403, "auth"), (429, "unavailable"), (500, "unavailable")]
)
async def test_a_refusal_says_why_and_never_the_secret(status, kind):
    body = b'{"error":"invalid_client","error_description":"the secret s3cret&=+ is wrong"}'
    with pytest.raises(UpstreamError) as caught:
        await asking(body, status)[1]()
    assert (caught.value.kind, caught.value.status) == (kind, status)
    assert str(caught.value) == "login.example.com gave no token for the client id: invalid_client: the secret *** is wrong"


async def test_a_refusal_that_is_no_json_tells_its_status():
    with pytest.raises(UpstreamError, match=r"no token for the client id: status 502"):
        await asking(b"<html>", 502)[1]()


async def test_with_basic_the_pair_is_in_the_header_and_not_in_the_form():
    transport = RecordingTransport(b'{"access_token":"t1"}')
    ask = ClientCredentials(
        cast(Transport, transport), "https://x/token", id="a:1", secret=Secret("s/ä"), scope="all", basic=True
    )
    await ask()
    _, headers, body = transport.sent[0]
    assert b64decode(headers[b"authorization"].removeprefix(b"Basic ")) == b"a%3A1:s%2F%C3%A4"
    assert parse_qs(body.decode()) == {"grant_type": ["client_credentials"], "scope": ["all"]}

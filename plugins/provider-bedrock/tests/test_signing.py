from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lynkr_core import PluginError, Secret, UpstreamError
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_core.upstream import Endpoint
from lynkr_provider_bedrock import Config, plugin
from lynkr_provider_bedrock.signing import Keys, Signing, sign

NOW = datetime(2026, 11, 21, 7, 30, 5, tzinfo=UTC)
JSON = ((b"content-type", b"application/json"), (b"accept-encoding", b"identity"))
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
MODELS = [
    "amazon.nova-pro-v1:0",
    "us.anthropic.claude-opus-4-8",
    ARN,
    "with space+plus",
    "ü/漢~'*()!@$&=;,",
    "a%2Fb",
    ".a..",
    "a//b",
]
TOKENS = [None, "IQoJb3JpZ2luX2VjE+/=="]


def by_botocore(url: str, method: str, body: bytes, token: str | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
    request = AWSRequest(method=method, url=url, data=body or None, headers={"content-type": "application/json"})
    botocore.auth.SigV4Auth(Credentials("AKID", "secret/+", token), "bedrock", "eu-west-1").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@pytest.mark.parametrize("token", TOKENS, ids=["fixed", "session"])
@pytest.mark.parametrize("model", MODELS)
def test_the_signature_is_botocores(model: str, token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{quote(model, safe='')}/converse-stream"
    body = '{"messages":["ü"]}'.encode()
    found = {
        n.decode(): v.decode() for n, v in sign(Endpoint(url, JSON), body, Keys("AKID", "secret/+", token), "eu-west-1", NOW)
    }
    expected = by_botocore(url, "POST", body, token, monkeypatch)
    assert found == {name: value for name, value in expected.items() if name != "content-type"}


@pytest.mark.parametrize("path", ["/foundation-models", "/inference-profiles?type=SYSTEM_DEFINED&maxResults=1000", ""])
def test_listings_are_signed_too(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:8999" + path
    found = dict(sign(Endpoint(url, JSON, method="GET"), b"", Keys("AKID", "secret/+"), "eu-west-1", NOW))
    assert found[b"authorization"].decode() == by_botocore(url, "GET", b"", None, monkeypatch)["authorization"]


def test_an_api_key_goes_first_and_nothing_is_signed() -> None:
    config = Config(api_key=Secret("bedrock-key"), access_key_id="AKID", secret_access_key=Secret("s"))
    headers = calling(config).headers
    assert headers[b"authorization"] == b"Bearer bedrock-key"
    assert b"x-amz-date" not in headers


def calling(config: Config, model: str = ARN, stream: bool = False) -> Any:
    return sent(plugin, config, "bedrock.converse", model=model, stream=stream)


def test_the_path_has_the_whole_arn_quoted_and_the_region_is_in_the_host() -> None:
    signed = calling(Config(region="eu-west-3", access_key_id="AKID", secret_access_key=Secret("s")), stream=True)
    assert signed.endpoint.host == "bedrock-runtime.eu-west-3.amazonaws.com"
    assert signed.endpoint.target == f"/model/{quote(ARN, safe='')}/converse-stream"
    assert b"/eu-west-3/bedrock/aws4_request" in signed.headers[b"authorization"]
    assert sorted(signed.headers) == [b"accept-encoding", b"authorization", b"content-type", b"x-amz-date"]


def test_a_configured_authorization_is_left_alone() -> None:
    config = Config(access_key_id="AKID", secret_access_key=Secret("s"), headers={"Authorization": Secret("Custom")})
    headers = calling(config).headers
    assert headers[b"authorization"] == b"Custom"
    assert b"x-amz-date" not in headers


@pytest.mark.parametrize("half", [{"access_key_id": "AKID"}, {"secret_access_key": Secret("s")}])
def test_half_a_key_is_a_mistake(half: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match="secret_access_key"):
        recorded(plugin, Config(**half))


def test_without_keys_and_without_botocore_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkr_provider_bedrock.credentials.find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"lynkr-provider-bedrock\[credentials\]"):
        recorded(plugin, Config())


def test_what_aws_repeats_of_the_keys_is_taken_out() -> None:
    config = Config(access_key_id="AKID", secret_access_key=Secret("s3cret"), session_token=Secret("IQoJb3"))
    text = recorded(plugin, config).redacted("canonical: x-amz-security-token:IQoJb3 s3cret")
    assert text == "canonical: x-amz-security-token:*** ***"


class Slow:
    """Keys that take a while."""

    def __init__(self, error: UpstreamError | None = None) -> None:
        self.gate, self.error = asyncio.Event(), error

    def ready(self) -> Keys | None:
        return None

    async def fetch(self) -> Keys:
        await self.gate.wait()
        if self.error:
            raise self.error
        return Keys("AKID", "s")


ENDPOINT = Endpoint("https://x.example/model/m/converse", JSON)


@pytest.mark.anyio
async def test_a_call_begins_when_its_keys_have_come() -> None:
    transport, source = RecordingTransport(b"{}"), Slow()
    call = Signing(cast("Any", transport), source, "eu-west-1").send(ENDPOINT, (), b"{}")
    waiting = asyncio.ensure_future(call.response())
    await asyncio.sleep(0)
    assert transport.sent == []
    source.gate.set()
    assert await (await waiting).read() == b"{}"
    assert b"Credential=AKID/" in transport.sent[0].headers[b"authorization"]


@pytest.mark.anyio
async def test_a_call_that_is_aborted_while_it_waits_is_cut() -> None:
    transport = RecordingTransport()
    call = Signing(cast("Any", transport), Slow(), "eu-west-1").send(ENDPOINT, (), b"{}")
    waiting = asyncio.ensure_future(call.response())
    await asyncio.sleep(0)
    call.abort()
    with pytest.raises(UpstreamError) as caught:
        await waiting
    assert caught.value.kind == "cut"
    assert transport.sent == []


@pytest.mark.anyio
async def test_keys_that_do_not_come_are_the_calls_error() -> None:
    source = Slow(UpstreamError("auth", "no keys"))
    call = Signing(cast("Any", RecordingTransport()), source, "eu-west-1").send(ENDPOINT, (), b"{}")
    source.gate.set()
    with pytest.raises(UpstreamError, match="no keys"):
        await call.response()


def test_keys_show_nothing() -> None:
    assert "s3cret" not in repr(Keys("AKID", "s3cret", "tok")) + str(vars(Signing(cast("Any", None), Slow(), "x")))

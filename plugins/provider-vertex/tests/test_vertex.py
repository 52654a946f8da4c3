from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.errors import PluginError, UpstreamError
from lynkr_core.exchange import Candidate
from lynkr_core.kernel import Kernel
from lynkr_core.secret import Secret
from lynkr_core.testing import factories
from lynkr_core.testing.calls import Gap
from lynkr_core.testing.canned import CANNED, Script, encoded
from lynkr_core.testing.client import Client
from lynkr_core.testing.contracts.wire import Wire
from lynkr_core.testing.recording import recorded
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import least
from lynkr_core.upstream.http1 import Http1Transport
from lynkr_provider_vertex import VERSION, Config, host, plugin, tokens

MESSAGE = {"model": "claude-x@1", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
GRANT = Script(body=encoded({"access_token": "ya29.secret", "expires_in": 3599, "token_type": "Bearer"}))


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("europe-west4", "https://europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_each_location_has_its_host(location: str, expected: str) -> None:
    assert host(location) == expected
    config = Config(project="p", location=location, access_token=Secret("t"))
    endpoint = recorded(plugin, config).addressed("gemini", "gemini-3-pro", True)
    assert endpoint.url.startswith(f"{expected}/v1/projects/p/locations/{location}/publishers/google/models/gemini-3-pro:stream")


def test_what_a_model_speaks_follows_from_its_name() -> None:
    vertex = recorded(plugin, Config(project="p", access_token=Secret("t")))
    assert vertex.dialects_of("claude-sonnet-4-5@20250929") == ("anthropic.messages", "anthropic.count_tokens")
    assert vertex.dialects_of("gemini-3-pro") == ("gemini", "gemini.count_tokens")
    assert set(vertex.dialects) == {*vertex.dialects_of("claude-x"), *vertex.dialects_of("gemini-x")}


def test_a_request_for_claude_has_its_version_and_no_model() -> None:
    vertex = recorded(plugin, Config(project="p", access_token=Secret("t")))
    candidate = Candidate(provider=vertex, model="claude-x@1")
    fields: dict[str, Any] = dict(MESSAGE)
    assert vertex.adapt(fields, candidate, SimpleNamespace(name="anthropic.messages"), [])
    assert "model" not in fields
    assert fields["anthropic_version"] == "vertex-2023-10-16"
    counted: dict[str, Any] = dict(MESSAGE)
    vertex.adapt(counted, candidate, SimpleNamespace(name="anthropic.count_tokens"), [])
    assert counted["model"] == "claude-x@1"


def test_what_is_to_be_counted_stands_at_the_top() -> None:
    vertex = recorded(plugin, Config(project="p", access_token=Secret("t")))
    fields: dict[str, Any] = {"generateContentRequest": {"contents": [], "systemInstruction": {"parts": []}}}
    candidate = Candidate(provider=vertex, model="gemini-3-pro")
    assert vertex.adapt(fields, candidate, SimpleNamespace(name="gemini.count_tokens"), [])
    assert fields == {"contents": [], "systemInstruction": {"parts": []}}


@pytest.mark.anyio
async def test_one_gateway_asks_each_model_in_its_own_dialect() -> None:
    async with ScriptedProvider() as upstream:
        config = parse(f'[provider.vertex]\nproject="p"\naccess_token="t"\nbase_url="{upstream.url}"', {})
        async with Client(Application(Kernel.from_config(config, {}))) as client:
            asked = {key: value for key, value in MESSAGE.items() if key != "model"}
            for path in ("/v1/chat/completions", "/v1/messages"):
                upstream.then(CANNED["anthropic.messages"])
                answer = await client.post(path, json={**asked, "model": "vertex/claude-x"})
                assert (answer.status, upstream.last.path.rpartition("/")[2]) == (200, "claude-x:rawPredict")
                assert upstream.last.json() | {"messages": 0} == {"max_tokens": 9, "messages": 0, "anthropic_version": VERSION}
            upstream.then(Script(body=b'{"candidates":[{"content":{"parts":[{"text":"ja"}]},"finishReason":"STOP"}]}'))
            answer = await client.post("/v1/messages", json={**asked, "model": "vertex/gemini-3-pro"})
            assert (answer.json()["content"][0]["text"], upstream.last.path.rpartition("/")[2]) == (
                "ja",
                "gemini-3-pro:generateContent",
            )


def test_an_api_key_needs_no_project() -> None:
    vertex = recorded(plugin, Config(api_key=Secret("k")))
    assert vertex.addressed("gemini", "gemini-3-pro", False).url.endswith(
        "/v1/publishers/google/models/gemini-3-pro:generateContent"
    )
    assert vertex.auth() == ((b"x-goog-api-key", b"k"),)
    with pytest.raises(PluginError, match="needs a project"):
        recorded(plugin, Config(access_token=Secret("t")))


def service_account(directory: Path, token_url: str) -> str:
    """A service account's file with a new key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = {
        "type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": pem.decode(),
        "client_email": "lynkr@p.iam.example", "client_id": "1", "token_uri": token_url,
    }  # fmt: skip
    path = directory / "account.json"
    path.write_text(json.dumps(account))
    return str(path)


@pytest.mark.anyio
async def test_a_service_account_gets_a_token_once_beside_the_loop(tmp_path: Path) -> None:
    transport = Http1Transport()
    async with ScriptedProvider() as upstream:
        upstream.always(CANNED["anthropic.messages"])
        table = {"project": "p", "base_url": upstream.url, "credentials": service_account(tmp_path, upstream.url + "/token")}

        async def stood_still() -> float:
            upstream.requests.clear()
            upstream.then(GRANT)
            vertex = factories.build(plugin, table, factories.context("vertex", "provider", transport=transport))
            wire = Wire(vertex, factories.find_dialect("anthropic.messages"), "claude-x@1")
            async with Gap() as gap:
                for _ in range(2):
                    await (await wire.answer(MESSAGE)).read()
            return gap.longest

        assert await least(stood_still, 0.5) < 0.5
        token, first, second = upstream.requests
        assert token.path == "/token"
        assert b"assertion=" in token.body
        assert first.headers["authorization"] == second.headers["authorization"] == "Bearer ya29.secret"
        assert first.path == "/v1/projects/p/locations/global/publishers/anthropic/models/claude-x%401:rawPredict"
    await transport.aclose()


@pytest.mark.anyio
async def test_a_refused_service_account_is_an_auth_error(tmp_path: Path) -> None:
    async with ScriptedProvider() as upstream:
        upstream.always(
            Script(status=400, body=encoded({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}))
        )
        fetch = tokens.GoogleCredentials(service_account(tmp_path, upstream.url + "/token"))
        with pytest.raises(UpstreamError, match="Invalid JWT") as refused:
            await fetch()
    assert refused.value.kind == "auth"
    with pytest.raises(UpstreamError) as gone:
        await fetch()
    assert gone.value.kind == "unavailable"


@pytest.mark.anyio
async def test_credentials_that_are_none_are_an_auth_error(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text("{}")
    with pytest.raises(UpstreamError) as refused:
        await tokens.GoogleCredentials(str(path))()
    assert refused.value.kind == "auth"


def test_without_google_auth_the_configuration_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "google.auth", None)
    with pytest.raises(PluginError, match=r"lynkr-provider-vertex\[auth\]"):
        recorded(plugin, Config(project="p"))


def test_no_secret_is_seen_in_any_repr() -> None:
    config = Config(project="p", access_token=Secret("ya29.hidden"))
    vertex = recorded(plugin, config)
    assert "ya29.hidden" not in repr(config) + repr(vertex) + repr(vertex.addressed("gemini", "m", False))
    assert vertex.redacted("token ya29.hidden is bad") == "token *** is bad"

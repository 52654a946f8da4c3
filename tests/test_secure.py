"""What no caller can make the gateway do: call somebody who is not configured, or hand on what is nobody else's business."""

import asyncio
import json
from urllib.parse import unquote

import pytest

from lynkr_core.plugins import installed, manifest
from lynkr_core.provider import HTTPConfig
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.process import lynkr
from tests.test_end_to_end import FRONTS, fronts, post, question, wire

pytestmark = pytest.mark.anyio
MARK = "do-not-hand-on"
PRIVATE = (
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie", "proxy-authorization", "proxy-connection",
    "proxy-authenticate", "x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "referer", "origin", "x-amz-security-token",
    "openai-organization", "openai-project", "x-lynkr-session", "x-lynkr-agent", "user-agent", "trailer", "upgrade", "keep-alive",
)  # fmt: skip
"""Headers of a caller that concern lynkr, what stands before it, or this connection; each is sent with a value that is then looked for."""
EXTRA = {"bedrock": {"region": "eu-central-1"}, "vertex": {"project": "p", "location": "eu", "access_token": "upstreams-own-key"}}
"""Settings that some need besides an address and a key."""
OWN = "upstreams-own-key"


def http_providers():
    """Every installed provider that is reached over HTTP."""
    return [name for name in sorted(installed("provider")) if issubclass(manifest("provider", name).config, HTTPConfig)]


PROVIDERS = http_providers()


@pytest.fixture(scope="module")
def everyone(serve_all, session_provider):
    """A gateway with all of them in front of one upstream, each under its own name."""
    lines = ["[server]", "list_models = false", "[routing]", "retries = 0"]
    for name in PROVIDERS:
        lines += [f"[provider.{name}]", f'base_url = "{session_provider.url}/v1"']
        lines += [f'api_key = "{OWN}"'] if "access_token" not in EXTRA.get(name, {}) else []
        lines += [f"{key} = {json.dumps(value)}" for key, value in EXTRA.get(name, {}).items()]
    return serve_all("\n".join(lines))


def telling(script):
    """An answer with headers that are for lynkr alone."""
    return script.but(headers={**script.headers, **{name: MARK for name in PRIVATE if name not in ("trailer", "upgrade")}})


def test_there_are_many_providers():
    assert len(PROVIDERS) >= 25


@fronts
@pytest.mark.parametrize("name", PROVIDERS)
async def test_private_headers_go_neither_way(everyone, provider, name, front):
    provider.always(telling(CANNED[FRONTS[front]]))
    private = [f"{header}: {MARK}" for header in PRIVATE]
    async with wire(everyone) as caller:
        for stream in (False, True):
            caller.writer.write(post(front, question(front, f"{name}/m", stream=stream), *private, "cookie: a=b"))
            _, headers, _ = await caller.answer()
            assert MARK not in str(headers)
            assert {"set-cookie", "www-authenticate", "proxy-authenticate", "keep-alive", "upgrade"}.isdisjoint(headers)
    assert provider.requests
    for received in provider.requests:
        told = {header: value for header, value in received.headers.items() if MARK in value or header == "cookie"}
        assert told == {}, received.path
        assert MARK.encode() not in received.body
        assert OWN in str(received.headers) or "access_token" in EXTRA.get(name, {}) or OWN in received.path


@pytest.mark.parametrize("name", PROVIDERS)
async def test_what_is_passed_on_has_no_private_headers_either(everyone, provider, name):
    provider.always(telling(Script(body=b"{}")))
    private = [f"{header}: {MARK}" for header in PRIVATE if header != "user-agent"]
    async with wire(everyone) as caller:
        caller.writer.write(post(f"/v1/{name}/its/own", b"{}", *private, "cookie: a=b"))
        _, headers, _ = await caller.answer()
    assert MARK not in str(headers)
    assert not [
        received.headers for received in provider.requests if MARK in str(received.headers) or "cookie" in received.headers
    ]


# nobody is called who is not configured
class Stranger:
    """Listens at `url` and counts who comes."""

    def __init__(self, port):
        self.port, self.url, self.came = port, f"http://127.0.0.1:{port}", 0


@pytest.fixture
async def stranger(anyio_backend):
    def came(reader, writer):
        found.came += 1
        writer.close()

    server = await asyncio.start_server(came, "127.0.0.1", 0)
    found = Stranger(server.sockets[0].getsockname()[1])
    yield found
    assert found.came == 0
    server.close()
    await server.wait_closed()


def inputs(url):
    """For each front, messages whose parts name an address."""
    chat = [{"type": "image_url", "image_url": {"url": f"{url}/a.png"}}, {"type": "file", "file": {"file_id": f"{url}/a.pdf"}}]
    messages = [{"type": kind, "source": {"type": "url", "url": f"{url}/a"}} for kind in ("image", "document")]
    responses = [{"type": "input_image", "image_url": f"{url}/a.png"}, {"type": "input_file", "file_url": f"{url}/a.pdf"}]
    return {
        "/v1/chat/completions": [{"messages": [{"role": "user", "content": [part]}]} for part in chat],
        "/v1/messages": [{"max_tokens": 9, "messages": [{"role": "user", "content": [part]}]} for part in messages],
        "/v1/responses": [{"input": [{"role": "user", "content": [part]}]} for part in responses],
    }  # fmt: skip


@fronts
@pytest.mark.parametrize("name", PROVIDERS)
async def test_addresses_of_images_and_files_are_never_called(everyone, provider, stranger, name, front):
    async with wire(everyone) as caller:
        for body in inputs(stranger.url)[front]:
            caller.writer.write(post(front, json.dumps({"model": f"{name}/m", **body}).encode()))
            status, _, _ = await caller.answer()
            assert status < 600
    assert {received.headers["host"] for received in provider.requests} <= {f"127.0.0.1:{provider.port}"}


@fronts
@pytest.mark.parametrize("name", PROVIDERS)
async def test_no_word_of_a_request_chooses_whom_to_call(everyone, provider, stranger, name, front):
    words = dict.fromkeys(
        ("base_url", "api_base", "api_url", "endpoint", "url", "proxy", "host", "region", "location"), stranger.url
    )
    there = f"127.0.0.1:{stranger.port}"
    headers = [f"{header}: {there}" for header in ("x-forwarded-host", "x-host", "forwarded", "x-lynkr-base-url", "x-base-url")]
    models = [
        f"{name}/..",
        f"{name}/.",
        f"{name}/a/../b",
        f"{name}/@{there}/",
        f"{name}//{there}/m",
        f"{name}/../../{there}",
        f"{name}/{stranger.url}",
        f"{name}/m?x@{there}#",
    ]
    async with wire(everyone) as caller:
        for model in models:
            for stream in (False, True):
                caller.writer.write(post(front, question(front, model, stream=stream, **words), *headers))
                status, _, _ = await caller.answer()
                assert status < 600
        caller.writer.write(post(f"{stranger.url}{front}", question(front, f"{name}/m")))  # as one asks a proxy
        assert (await caller.answer())[0] < 600
    assert {received.headers["host"] for received in provider.requests} <= {f"127.0.0.1:{provider.port}"}
    assert not [
        received.path
        for received in provider.requests
        if {".", ".."} & set(unquote(received.path).split("?")[0].split("/")) or not received.path.startswith("/")
    ]


@pytest.mark.parametrize(
    "method", ["CONNECT 127.0.0.1:{port}", "GET http://127.0.0.1:{port}/", "POST //127.0.0.1:{port}/v1/messages"]
)
async def test_it_is_no_proxy(everyone, stranger, method):
    async with wire(everyone) as caller:
        caller.writer.write(f"{method.format(port=stranger.port)} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
        first = await asyncio.wait_for(caller.reader.readline(), 30)
    assert int(first.split()[1]) in (200, 400, 404, 405)


# who may reach it
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.test"])
@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("check",)], ids=["serve", "check"])
def test_another_address_is_refused_when_nobody_asks_who_calls(tmp_path, host, command):
    (tmp_path / "lynkr.toml").write_text(f'[server]\nhost = "{host}"\n[provider.echo]\n')
    done = lynkr(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "allow_anonymous = true" in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_is_not_refused_when_it_is_meant(tmp_path):
    (tmp_path / "lynkr.toml").write_text('[server]\nhost = "0.0.0.0"\nallow_anonymous = true\n[provider.echo]\n')
    assert lynkr("check", cwd=tmp_path).returncode == 0
    for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost"):
        (tmp_path / "lynkr.toml").write_text(f'[server]\nhost = "{host}"\n[provider.echo]\n')
        assert lynkr("check", cwd=tmp_path).returncode == 0, host

import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import trustme

from lynkr_core.upstream import Endpoint, Timeouts, Transport
from lynkr_core.upstream.http1 import Http1Transport
from lynkr_core.upstream.httpx import HttpxTransport


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest):
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def http1() -> AsyncIterator[Http1Transport]:
    transport = Http1Transport()
    yield transport
    await transport.aclose()


@pytest.fixture(params=[Http1Transport, HttpxTransport], ids=["http1", "httpx"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    transport = request.param()
    yield transport
    await transport.aclose()


@pytest.fixture
def endpoint() -> Callable[..., Endpoint]:
    def make(server, target="/v1/chat", headers=(), *, method="POST", connect=30.0, silence=30.0, tls=None) -> Endpoint:
        timeouts = Timeouts(connect=connect, silence=silence)
        return Endpoint(server.url + target, headers, method=method, timeouts=timeouts, tls=tls)

    return make


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context

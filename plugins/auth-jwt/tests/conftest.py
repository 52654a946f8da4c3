"""An issuer with real keys, made here, and a server that tells them."""

import asyncio
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from lynkr_auth_jwt import Tokens, plugin
from lynkr_core.testing import factories
from lynkr_core.upstream.http1 import Http1Transport

MADE = {
    "RS256": (rsa.generate_private_key(public_exponent=65537, key_size=2048), RSAAlgorithm),
    "ES256": (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm),
}


def public(algorithm, id, **more):
    private, kind = MADE[algorithm]
    return {**json.loads(kind.to_jwk(private.public_key())), "kid": id, **more}


class Issuer:
    """Serves a discovery document and a key set; `asked` counts by path. `answers` overrules what is told at a path."""

    def __init__(self):
        self.keys = [public(name, name) for name in MADE]
        self.answers, self.asked, self.status = {}, {}, 200

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        self.asked[path] = self.asked.get(path, 0) + 1
        told = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": self.keys},
        }
        body = json.dumps(self.answers.get(path, told.get(path))).encode()
        writer.write(b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (self.status, len(body), body))
        await writer.drain()
        writer.close()

    def private(self, algorithm):
        return MADE[algorithm][0]

    def token(self, algorithm="RS256", id=None, key=None, headers=None, **claims):
        said = {"iss": self.url, "aud": "lynkr", "sub": "ada", "exp": time.time() + 600, **claims}
        said = {name: value for name, value in said.items() if value is not ...}
        return jwt.encode(said, key or MADE[algorithm][0], algorithm, {"kid": id or algorithm, **(headers or {})})


@pytest.fixture
async def issuer(anyio_backend):
    made = Issuer()
    await made.start()
    yield made
    made.server.close()
    await made.server.wait_closed()


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def make(issuer, clock):
    """Makes instances of the plugin that ask the issuer."""
    transport = Http1Transport()
    made = []

    def make(**table):
        config = factories.configure(plugin, {"issuer": issuer.url, "audience": ["lynkr"], **table})
        made.append(Tokens(config, factories.context("jwt", "auth", transport=transport), clock))
        return made[-1]

    yield make
    for tokens in made:
        await tokens.__aexit__(None, None, None)
    await transport.aclose()

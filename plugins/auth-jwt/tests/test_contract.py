"""Tokens as an auth plugin: with a shared secret, since a contract's plugin reaches nobody."""

import time
from typing import Any

import jwt

from lynkr_auth_jwt import plugin
from lynkr_core.testing.contracts.auth import AuthContract

SECRET = "a-shared-secret-of-this-test-with-enough-bytes-for-all-of-them-0123456789"


class TestJWT(AuthContract):
    plugin = plugin
    table = {"issuer": "https://login.example", "audience": ["lynkr"], "secret": SECRET}

    async def credential(self, auth: Any) -> str:
        claims = {"iss": "https://login.example", "aud": "lynkr", "sub": "ada", "exp": int(time.time()) + 600}
        return jwt.encode(claims, SECRET, "HS256")

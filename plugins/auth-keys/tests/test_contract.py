"""Keys as an auth plugin."""

from typing import Any

from lynkr_auth_keys import plugin
from lynkr_core.testing.contracts.auth import AuthContract


class TestKeys(AuthContract):
    plugin = plugin

    async def credential(self, auth: Any) -> str:
        key, _ = await auth._book.create(name="contract")
        return key


class TestMaster(AuthContract):
    plugin = plugin
    table = {"master_key": "the-masters-key-of-this-test-0123456789"}

    async def credential(self, auth: Any) -> str:
        return self.table["master_key"]

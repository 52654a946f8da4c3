from __future__ import annotations

from lynkr_core.testing.contracts.extension import ExtensionContract
from lynkr_extension_mcp import plugin as entry


class TestMcp(ExtensionContract):
    plugin = entry

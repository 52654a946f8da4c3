from __future__ import annotations

from lynkr_core.testing.contracts.extension import ExtensionContract
from lynkr_extension_responses import plugin


class TestContract(ExtensionContract):
    plugin = plugin

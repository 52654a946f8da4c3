from __future__ import annotations

from lynkr_core.testing.contracts.extension import ExtensionContract
from lynkr_extension_bypass import plugin as entry


class TestBypass(ExtensionContract):
    plugin = entry

from __future__ import annotations

from lynkr_core.testing.contracts.extension import ExtensionContract
from lynkr_extension_verify import plugin as entry


class TestVerify(ExtensionContract):
    plugin = entry

from __future__ import annotations

from lynkr_core.testing.contracts.extension import ExtensionContract
from lynkr_extension_dashboard import plugin as entry


class TestDashboard(ExtensionContract):
    plugin = entry

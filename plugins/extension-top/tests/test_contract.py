from __future__ import annotations

from lynkr_core.testing.contracts.extension import ExtensionContract
from lynkr_extension_top import plugin as entry


class TestTop(ExtensionContract):
    """It has a command, and no part in any request."""

    plugin = entry

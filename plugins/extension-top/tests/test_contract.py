from __future__ import annotations

from lynkr_core.testing.contracts.base import Contract
from lynkr_extension_top import plugin as entry


class TestTop(Contract):
    """It has a command and no part in any request, so the suite for extensions has nothing to look at."""

    kind = "extension"
    hook = "register_commands"
    plugin = entry

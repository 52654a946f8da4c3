from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.errors import KINDS
from lynkr_core.testing.contracts.offline import OfflineProviderContract
from lynkr_provider_echo import Echo, plugin


class TestContract(OfflineProviderContract):
    plugin = plugin
    dialects = Echo.dialects
    provoked: ClassVar[Mapping[str, str | None]] = {
        "slow": "[[echo: delay 5]]",
        "long": "[[echo: chunks 50 every 0.1]] hi",
        "broken": "[[echo: cut 3]] one two three four five",
        "tool": '[[echo: tool get_weather {"city": "Zürich"}]]',
        **{kind: f"[[echo: error {kind}]]" for kind in KINDS},
    }

    def check_said(self, said: str, dialect: str) -> None:
        assert said == "You said: hi", dialect

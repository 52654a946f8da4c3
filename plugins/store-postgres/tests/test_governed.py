"""A whole gateway over a real server, which is frozen, killed and started again under load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lynkr_core.testing.contracts.governed import GovernedContract


class TestGoverned(GovernedContract):
    @pytest.fixture
    def server(self, own_server: Any) -> Any:
        return own_server

    def store(self, server: Any, folder: Path) -> str:
        return f'[store.postgres]\nurl = "{server.url}"\ndeadline = 1.5\nspill = "{folder}/spill"\n'

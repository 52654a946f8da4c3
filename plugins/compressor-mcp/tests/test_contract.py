from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lynkr_compressor_mcp import plugin as entry
from lynkr_core.request import Request
from lynkr_core.testing.contracts.compressor import CompressorContract


class TestWithoutItsServer(CompressorContract):
    """A server that cannot be reached: everything goes as it came."""

    plugin = entry
    table = {"start": 0.0, "servers": {"box": {"url": "http://127.0.0.1:9/mcp", "allow": ["everyone"]}}}

    def expand(self, request: Request) -> Request:
        return request


class TestMcpTools(CompressorContract):
    plugin = entry
    changes = frozenset({"tools"})
    always = True
    remembers = True

    @pytest.fixture(autouse=True)
    def served(self, box: Any) -> None:
        type(self).url = box.url

    def make_table(self, directory: Path) -> Mapping[str, Any]:
        return {"start": 60.0, "servers": {"box": {"url": self.url, "allow": ["everyone"]}}}

    def expand(self, request: Request) -> Request:
        return request

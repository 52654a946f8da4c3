from __future__ import annotations

from lynkr_compressor_stubs import plugin as entry
from lynkr_core.testing.contracts.compressor import CompressorContract


class TestStubs(CompressorContract):
    plugin = entry
    table = {"min_tokens": 500, "tools": ["*"]}
    changes = frozenset({"tools"})
    lossless = False
    always = True

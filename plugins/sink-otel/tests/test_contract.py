from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from lynkr_core.testing.contracts.sink import SinkContract
from lynkr_sink_otel import plugin


class TestContract(SinkContract):
    plugin = plugin
    table: ClassVar[Mapping[str, Any]] = {"endpoint": "http://127.0.0.1:9", "identity": True}

    async def written(self, sink: Any, directory: Path) -> str:
        waiting = b"".join(sink._spans._waiting)
        return waiting.decode("utf-8", "replace") + await super().written(sink, directory)

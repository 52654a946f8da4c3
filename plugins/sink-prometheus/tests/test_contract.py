from __future__ import annotations

from pathlib import Path
from typing import Any

from lynkr_core.routes import RouteRequest
from lynkr_core.testing.contracts.sink import SinkContract
from lynkr_sink_prometheus import plugin


class TestContract(SinkContract):
    plugin = plugin

    async def written(self, sink: Any, directory: Path) -> str:
        told = await sink.tell(RouteRequest(params={}, headers={}, body=b"", principal=None))
        return told.body.decode() + await super().written(sink, directory)

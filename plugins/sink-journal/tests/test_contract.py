from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.contracts.sink import SinkContract
from lynkr_sink_journal import plugin


class TestContract(SinkContract):
    plugin = plugin


class TestWithTexts(SinkContract):
    plugin = plugin
    table: ClassVar[Mapping[str, bool]] = {"texts": True}
    records_text = True

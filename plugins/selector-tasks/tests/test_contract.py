from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_tasks import plugin as entry


class TestTasks(SelectorContract):
    plugin = entry
    table = {"code": ["cloud/large", "local"], "queries": "simple", "content": "other"}

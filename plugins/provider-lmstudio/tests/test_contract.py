from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_lmstudio import PATHS, plugin


class TestContract(ProviderContract):
    plugin = plugin
    base_path = "/v1"
    paths: ClassVar[Mapping[str, str]] = dict(PATHS)

"""Bounded concurrency as a policy."""

from typing import Any, ClassVar

from lynkr_core.testing.contracts.policy import PolicyContract
from lynkr_policy_concurrency import plugin


class TestConcurrency(PolicyContract):
    plugin = plugin


class TestOfOneProvider(PolicyContract):
    plugin = plugin
    table: ClassVar[dict[str, Any]] = {"concurrent": 2, "queue": 0, "providers": {"local": {"concurrent": 1}}}

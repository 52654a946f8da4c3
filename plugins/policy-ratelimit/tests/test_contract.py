"""Rates as a policy."""

from lynkr_core.testing.contracts.policy import PolicyContract
from lynkr_policy_ratelimit import plugin


class TestRateLimit(PolicyContract):
    plugin = plugin
    table = {"limit": [{"scope": "everyone", "requests": 10**9, "tokens": 10**12, "concurrent": 2}]}

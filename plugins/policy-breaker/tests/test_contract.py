"""The breaker as a policy."""

from lynkr_core.testing.contracts.policy import PolicyContract
from lynkr_policy_breaker import plugin


class TestBreaker(PolicyContract):
    plugin = plugin

"""Caps as a policy."""

from lynkr_core.testing.contracts.policy import PolicyContract
from lynkr_policy_caps import plugin


class TestCaps(PolicyContract):
    plugin = plugin
    table = {"limit": [{"max_tokens": 1000, "messages": 100, "tool_turns": 5, "steps": 10}], "drift": "all"}

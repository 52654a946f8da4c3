"""Budgets as a policy."""

from lynkr_core.testing.contracts.policy import PolicyContract
from lynkr_policy_budget import plugin


class TestBudget(PolicyContract):
    plugin = plugin
    table = {"limit": [{"scope": "everyone", "usd": 1_000_000, "requests": 1_000_000}], "run": {"usd": 1000}}


class TestBudgetOfRuns(PolicyContract):
    plugin = plugin
    table = {"limit": [{"scope": "model:*", "per": "month", "tokens": 10**12}], "run": {"seconds": 3600.0, "calls": 10**6}}

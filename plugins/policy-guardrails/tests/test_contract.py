"""Guardrails as a policy, at their strictest that still lets a greeting pass."""

from lynkr_core.testing.contracts.policy import PolicyContract
from lynkr_policy_guardrails import plugin

STRICT = {"secret": "block", "personal": "local", "network": "warn"}


class TestGuardrails(PolicyContract):
    plugin = plugin
    table = {"requests": STRICT, "tools": STRICT, "answers": {"secret": "mask"}, "injection": "block"}

"""Classes as a policy."""

from lynkr_core.testing.contracts.policy import PolicyContract
from lynkr_policy_access import plugin


class TestAccess(PolicyContract):
    plugin = plugin
    table = {"default": "all", "classes": {"all": {}}, "agents": {"scout": "all"}}

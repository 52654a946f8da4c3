from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_jobs import plugin


class TestJobsProvider(ProviderContract):
    plugin = plugin
    paths = {"openai.chat": "/chat/completions"}


def test_it_listens_on_this_machine_unless_told_otherwise():
    assert plugin.config().base_url == "http://127.0.0.1:8000/v1"

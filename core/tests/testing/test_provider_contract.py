"""The provider suite passes for a plain HTTP provider and fails for broken ones."""

import pytest

SUITE = """
from lynkr_core.errors import UpstreamError
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.testing.contracts.provider import ProviderContract

class Good(HTTPProvider):
    paths: ClassVar = {"anthropic.messages": "/v1/messages", "anthropic.count_tokens": "/v1/messages/count_tokens"}

    def auth(self):
        return ((b"x-api-key", self.config.api_key.reveal().encode()),)

class TestGood(ProviderContract):
    plugin = plugin_of(Good, HTTPConfig)
    paths: ClassVar = {"anthropic.messages": "/v1/messages", "anthropic.count_tokens": "/v1/messages/count_tokens"}
    key_header = "x-api-key"
"""
KEY = "self.config.api_key.reveal()"
MORE = "\nclass TestGood"


def test_a_good_provider_passes(run_suite):
    recorder = run_suite(SUITE)
    assert recorder.failed == set()
    assert [name for name, result in recorder.results.items() if result == "skipped"] == ["test_embeddings_arrive"]


@pytest.mark.parametrize(
    ("good", "bad", "test"),
    [
        ('(b"x-api-key", ', '(b"api-key", ', "test_the_request_goes_to_its_path_with_the_model_and_the_key"),
        (KEY, f"{KEY}[:-1]", "test_the_request_goes_to_its_path_with_the_model_and_the_key"),
        ('"/v1/messages",', '"/messages",', "test_the_request_goes_to_its_path_with_the_model_and_the_key"),
        ("return ((", "print(self.config.api_key.reveal()); return ((", "test_the_key_is_never_shown"),
        (MORE, "\n    def __repr__(self): return str(self.auth())\n" + MORE, "test_the_key_is_never_shown"),
        (MORE, "\n    def adapt(self, fields, *rest): return fields.pop('tools', None)\n" + MORE, "test_tools_go_through"),
        (
            MORE,
            "\n    def adapt(self, fields, *rest): fields['model'] = 'x'; return True\n" + MORE,
            "test_the_request_goes_to_its_path_with_the_model_and_the_key",
        ),
        (
            MORE,
            "\n    def classify(self, *rest): return UpstreamError('invalid', 'no')\n" + MORE,
            "test_an_error_is_called_by_its_kind",
        ),
        (
            MORE,
            "\n    def classify(self, d, s, h, b): e = super().classify(d, s, h, b); e.message += str(self.auth()); return e\n"
            + MORE,
            "test_an_error_is_called_by_its_kind",
        ),
        (MORE, "\n    async def list_models(self): return [None]\n" + MORE, "test_models_are_listed"),
    ],
)
def test_a_broken_provider_fails(run_suite, good, bad, test):
    assert good in SUITE
    source = SUITE.replace(good, bad, 1)
    assert test in run_suite(source, test).failed


def test_a_call_that_cannot_be_aborted_fails(run_suite):
    deaf = """
    def send(self, *args):
        call = super().send(*args)
        class Deaf:
            def abort(self): pass
            async def response(self): return await call.response()
        return Deaf()
"""
    failed = run_suite(SUITE.replace(MORE, deaf + MORE)).failed
    assert failed == {"test_aborting_before_the_answer_closes_the_connection"}

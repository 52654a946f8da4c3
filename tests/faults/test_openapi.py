"""schemathesis asks what the published OpenAPI document allows, and what it does not: no 5xx, no crash, no hang, no surprise."""

import warnings

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from schemathesis import GenerationMode

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
CONFIG = """
[tiers]
simple = ["echo/echo"]
[scorer.heuristic]
[selector.tiers]
[store.sqlite]
path = "{folder}/lynkr.db"
[sink.journal]
[provider.echo]
"""
PATHS = [
    "/", "/health/live", "/health/ready", "/v1/models", "/v1/models/{id}", "/v1/chat/completions", "/v1/responses", "/v1/embeddings",
    "/v1/messages", "/v1/messages/count_tokens", "/v1/route", "/v1/decisions/{id}",
]  # fmt: skip
BODIES = PATHS[5:11]
HURRIED = settings(
    max_examples=15, deadline=None, derandomize=True, database=None, verbosity=Verbosity.quiet,
    suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate),
)  # fmt: skip


@pytest.fixture(scope="module")
def served(serve_all, tmp_path_factory):
    return serve_all(CONFIG.format(folder=tmp_path_factory.mktemp("openapi")))


@pytest.fixture(scope="module")
def document(served):
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


def operations(document):
    return {result.ok().path: result.ok() for result in document.get_all_operations()}


def test_every_path_that_is_served_is_in_it(document):
    assert list(operations(document)) == PATHS


@pytest.mark.parametrize("path", PATHS)
def test_what_the_document_allows_is_answered_as_it_says(document, served, path):
    hurl(operations(document)[path], served, GenerationMode.POSITIVE)


@pytest.mark.parametrize("path", BODIES)
def test_what_it_does_not_allow_does_no_harm(document, served, path):
    hurl(operations(document)[path], served, GenerationMode.NEGATIVE)


def hurl(operation, served, mode):
    def ask(case):
        answer = case.call(timeout=60)
        asked.append(answer.status_code)
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=CHECKS)

    asked = []
    HURRIED(given(case=operation.as_strategy(generation_mode=mode))(ask))()
    assert asked
    assert served.process.poll() is None
    assert "Traceback" not in served.text

from __future__ import annotations

from types import SimpleNamespace

import pytest
from msgspec import Raw

from lynkr_core import Secret
from lynkr_core.testing.recording import recorded, sent
from lynkr_provider_lmstudio import ANY_OBJECT, PATHS, Config, plugin

OBJECT = {"type": "json_object"}


def adapted(wanted, dialect="openai.chat"):
    fields = {"response_format": wanted}
    changed = recorded(plugin, Config()).adapt(fields, None, SimpleNamespace(name=dialect), [])
    return changed, fields["response_format"]


def test_each_dialect_has_its_path_and_a_key_only_when_there_is_one():
    for dialect, path in PATHS.items():
        endpoint, headers, _ = sent(plugin, Config(), dialect)
        assert endpoint.url == "http://127.0.0.1:1234/v1" + path
        assert b"authorization" not in headers
        assert sent(plugin, Config(api_key=Secret("k")), dialect)[1][b"authorization"] == b"Bearer k"


@pytest.mark.parametrize("wanted", [OBJECT, Raw(b'{ "type": "json_object" }')])
def test_json_without_a_schema_has_the_schema_of_any_object(wanted):
    assert adapted(wanted) == (True, ANY_OBJECT)


@pytest.mark.parametrize("wanted", [{"type": "text"}, Raw(b'{"type":"json_schema","json_schema":{}}'), Raw(b"null"), Raw(b"7")])
def test_other_formats_are_left_alone(wanted):
    assert adapted(wanted) == (False, wanted)
    assert adapted(OBJECT, "openai.responses") == (False, OBJECT)

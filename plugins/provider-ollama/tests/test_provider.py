from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from msgspec import Raw

from lynkr_core import Secret, UpstreamError
from lynkr_core.candidates import Target
from lynkr_core.exchange import ANONYMOUS, Candidate
from lynkr_core.routes import RouteRequest
from lynkr_core.testing import factories
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_ollama import LAYERS, NATIVE, Config, plugin
from lynkr_provider_ollama.routes import Models

PATHS = NATIVE | LAYERS


def adapted(config, fields, dialect="ollama"):
    """Whether it was changed, what goes out, and what was lost."""
    losses = []
    changed = recorded(plugin, config).adapt(fields, None, SimpleNamespace(name=dialect), losses)
    return changed, msgspec.json.decode(msgspec.json.encode(fields)), losses


@pytest.mark.parametrize(("dialect", "path"), PATHS.items())
def test_each_dialect_has_its_path_and_needs_no_key(dialect, path):
    endpoint, headers, _ = sent(plugin, Config(), dialect)
    assert endpoint.url == "http://127.0.0.1:11434" + path
    assert b"authorization" not in headers
    assert endpoint.timeouts.silence == 300


def test_a_key_for_the_cloud_is_a_bearer_token():
    config = Config(base_url="https://ollama.com", api_key=Secret("k1"))
    assert sent(plugin, config, "ollama")[1][b"authorization"] == b"Bearer k1"
    assert "k1" not in repr(config)


def test_the_anthropic_layer_gets_the_callers_version_or_ours():
    name = b"anthropic-version"
    assert sent(plugin, Config(), "anthropic.messages")[1][name] == b"2023-06-01"
    assert sent(plugin, Config(), "anthropic.messages", {name: b"2026-10-21"}, (name,))[1][name] == b"2026-10-21"
    assert name not in sent(plugin, Config(), "openai.chat")[1]


@pytest.mark.parametrize(
    ("config", "layers"),
    [
        (Config(), list(LAYERS)),
        (Config(think=False), list(LAYERS)),
        (Config(layers=["openai.chat"]), ["openai.chat"]),
        (Config(layers=[]), []),
        (Config(num_ctx=8192), []),
        (Config(keep_alive=-1), []),
        (Config(truncate=False), []),
        (Config(num_ctx=8192, layers=["openai.embeddings"]), ["openai.embeddings"]),
    ],
)
def test_layers_are_used_unless_something_can_only_be_said_natively(config, layers):
    assert recorded(plugin, config).dialects == (*NATIVE, *layers)


def test_what_is_set_is_said_where_the_caller_says_nothing():
    config = Config(num_ctx=8192, keep_alive="30m", truncate=False)
    expected = {"model": "m", "keep_alive": "30m", "truncate": False, "options": {"num_ctx": 8192}}
    assert adapted(config, {"model": "m"}) == (True, expected, [])
    options = Raw(b'{"temperature":0.50}')
    assert adapted(config, {"options": options})[1]["options"] == {"temperature": 0.5, "num_ctx": 8192}
    assert adapted(config, {"options": Raw(b"null")}, "ollama.embeddings")[1]["options"] == {"num_ctx": 8192}


def test_what_the_caller_says_wins():
    said = {"keep_alive": Raw(b"0"), "truncate": Raw(b"true"), "options": Raw(b'{"num_ctx":1.0e3}')}
    changed, fields, losses = adapted(Config(num_ctx=8192, keep_alive="30m", truncate=False), dict(said))
    assert (changed, losses) == (False, [])
    assert fields == {"keep_alive": 0, "truncate": True, "options": {"num_ctx": 1000.0}}
    assert adapted(Config(), dict(said))[0] is False


def test_thinking_can_be_left_out():
    assert adapted(Config(think=False), {"think": True, "model": "m"}) == (
        True, {"model": "m"}, ["think: `think` of [provider.test] takes it out"],
    )  # fmt: skip
    assert adapted(Config(think=False), {"model": "m"}) == (False, {"model": "m"}, [])


@pytest.mark.parametrize(
    ("layer", "fields", "after", "lost"),
    [
        ("openai.chat", {"max_completion_tokens": 5}, {"max_tokens": 5}, []),
        ("openai.chat", {"max_tokens": 5}, {"max_tokens": 5}, []),
        (
            "openai.chat",
            {"tool_choice": "auto", "n": 1, "logprobs": False},
            {"tool_choice": "auto", "n": 1, "logprobs": False},
            [],
        ),
        ("openai.chat", {"tool_choice": "required", "tools": [1], "n": 2}, {"tools": [1]}, ["tool_choice", "n"]),
        ("openai.chat", {"tool_choice": "none", "tools": [1]}, {}, []),
        ("openai.responses", {"truncation": "auto", "user": None}, {"user": None}, ["truncation"]),
        ("anthropic.messages", {"tool_choice": {"type": "any"}, "metadata": {}}, {}, ["tool_choice", "metadata"]),
        ("anthropic.messages", {"tool_choice": {"type": "none"}, "tools": [1]}, {}, []),
        ("openai.embeddings", {"user": "u"}, {"user": "u"}, []),
    ],
)
def test_what_a_layer_passes_over_is_taken_out_and_told(layer, fields, after, lost):
    for values in (dict(fields), {key: Raw(msgspec.json.encode(value)) for key, value in fields.items()}):
        changed, found, losses = adapted(Config(), values, layer)
        assert (changed, found) == (fields != after, after)
        assert [line.partition(":")[0] for line in losses] == lost


def test_wrong_settings_are_refused():
    for table in ({"num_ctx": 0}, {"layers": ["ollama"]}, {"keep_alive": 1.5}, {"truncate": "no"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(table, Config)


@pytest.mark.anyio
async def test_models_are_those_that_were_pulled():
    # hand-made from Ollama's API reference: GET /api/tags
    transport = RecordingTransport(b'{"models":[{"name":"llama3.2:latest","size":1},{"name":"qwen3:8b"}]}')
    assert await recorded(plugin, Config(), transport).list_models() == ["llama3.2:latest", "qwen3:8b"]
    endpoint, _, _ = transport.sent[0]
    assert (endpoint.method, endpoint.url) == ("GET", "http://127.0.0.1:11434/api/tags")


@pytest.mark.anyio
async def test_a_server_that_lists_nothing_readable_is_an_upstream_error():
    provider = recorded(plugin, Config(), RecordingTransport(b'{"data":[]}'))
    with pytest.raises(UpstreamError, match="/api/tags"):
        await provider.list_models()


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "told"), [(200, b'{"capabilities":["vision"]}'), (404, None)])
async def test_what_ollama_tells_of_a_model_is_told(status, told):
    transport = RecordingTransport(b'{"capabilities":["vision"]}', status)
    assert await recorded(plugin, Config(), transport).show("qwen3:8b") == told
    endpoint, _, body = transport.sent[0]
    assert (endpoint.method, endpoint.target, body) == ("POST", "/api/show", b'{"model":"qwen3:8b"}')


@pytest.mark.anyio
async def test_a_model_is_described_by_its_ollama_or_by_what_lynkr_knows():
    transport = RecordingTransport(b'{"capabilities":["vision"]}')
    served = Candidate(provider=recorded(plugin, Config(), transport), model="m")
    known = {
        "far/m": (served,),
        "other": (factories.candidate("x/m", context_window=9), factories.candidate("x/n", context_window=8)),
    }
    targets = {name: Target("exact" if len(found) == 1 else "alias", None, found) for name, found in known.items()}
    models = Models(SimpleNamespace(catalog=SimpleNamespace(resolve=targets.get)))

    async def show(body):
        reply = await models.show(RouteRequest(params={}, headers={}, body=body, principal=ANONYMOUS))
        return reply.status, msgspec.json.decode(reply.body)

    assert await show(b'{"model":"far/m"}') == (200, {"capabilities": ["vision"]})
    assert (await show(b'{"name":"other"}'))[1]["model_info"] == {"general.architecture": "lynkr", "lynkr.context_length": 8}
    assert await show(b'{"model":"none"}') == (404, {"error": "model 'none' not found"})
    assert [(await show(body))[0] for body in (b"{}", b"[]", b"x", b'{"model":7}')] == [400] * 4


@pytest.mark.parametrize(
    ("base_url", "model", "local"),
    [
        ("http://127.0.0.1:11434", "llama3.2", True),
        ("http://127.0.0.1:11434", "gpt-oss:120b-cloud", False),
        ("http://127.0.0.1:11434", "kimi-k2:cloud", False),
        ("https://ollama.com", "llama3.2", False),
    ],
)
def test_models_that_it_passes_on_to_the_cloud_are_not_local(base_url, model, local):
    assert recorded(plugin, Config(base_url=base_url)).is_local(model) is local

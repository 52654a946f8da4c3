"""`lynkr import`: what other gateways' files come to."""

from __future__ import annotations

import pytest

from lynkr_core.cli.importing import import_, litellm, node
from lynkr_core.cli.importing.known import KEYS, LITELLM, NODE
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import installed
from lynkr_core.testing.process import lynkr

# written from the reference of LiteLLM's proxy configuration, 1.109
CONFIG = """
model_list:
  - model_name: gpt-4o
    litellm_params:
      {model: azure/my-deployment, api_base: os.environ/AZURE_API_BASE, api_key: os.environ/AZURE_API_KEY, api_version: "2025-01-01", rpm: 60}
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, weight: 3}
    model_info: {input_cost_per_token: 0.0000025, output_cost_per_token: 0.00001}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-5-5, api_key: sk-ant-real-secret, mock_response: hi}
  - model_name: mine
    litellm_params: {model: openai/llama, api_base: "http://10.0.0.5:8000/v1", api_key: other-secret, tpm: 5000}
  - model_name: "openai/*"
    litellm_params: {model: "openai/*"}
  - model_name: odd
    litellm_params: {model: sagemaker/thing}
litellm_settings:
  num_retries: 3
  request_timeout: 30
  drop_params: true
  cache: true
  cache_params: {type: redis, host: os.environ/REDIS_HOST, port: 6380, password: redis-secret, ttl: 600}
  fallbacks: [{gpt-4o: [claude]}]
  max_budget: 10
  budget_duration: 1d
  success_callback: [langfuse]
router_settings:
  routing_strategy: least-busy
  model_group_alias: {gpt-4: gpt-4o, ghost: nobody}
  enable_pre_call_checks: true
general_settings:
  master_key: sk-1234
  database_url: os.environ/DATABASE_URL
  alerting: [slack]
"""
SECRETS = ("sk-ant-real-secret", "other-secret", "redis-secret", "sk-1234")


def from_litellm(tmp_path, text=CONFIG):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return litellm.drafted(file)


def test_litellm_deployments_become_providers_and_names(tmp_path):
    draft = from_litellm(tmp_path)
    assert draft.tables["models"] == {
        "gpt-4o": ["azure-openai/my-deployment", "openai/gpt-4o", "anthropic/claude-sonnet-5-5"],
        "claude": ["anthropic/claude-sonnet-5-5"],
        "mine": ["openai-compatible/llama"],
        "gpt-4": ["azure-openai/my-deployment", "openai/gpt-4o", "anthropic/claude-sonnet-5-5"],
    }
    assert draft.tables["provider.azure-openai"] == {
        "base_url": "${AZURE_API_BASE}", "api_key": "${AZURE_API_KEY}", "api_version": "2025-01-01", "api": "classic",
    }  # fmt: skip
    assert draft.tables["provider.openai"] == {"api_key": "${OPENAI_API_KEY}"}
    assert draft.tables["provider.openai-compatible"]["base_url"] == "http://10.0.0.5:8000/v1"
    assert draft.tables["prices"] == {"openai/gpt-4o": {"input": 2.5, "output": 10.0}}


def test_litellm_settings_have_their_counterparts(tmp_path):
    draft = from_litellm(tmp_path)
    assert draft.tables["routing"] == {"retries": 3, "unsupported": "drop"}
    assert draft.tables["routing.limits"] == {"attempt": 30.0}
    assert draft.tables["selector.weighted"] == {"strategy": "least_busy"}
    assert draft.tables["cache.exact"] == {"ttl": 600.0}
    assert draft.tables["store.redis"] == {"url": "redis://:${REDIS_PASSWORD}@${REDIS_HOST}:6380/0"}
    assert draft.tables["store.postgres"] == {"url": "${DATABASE_URL}"}
    assert draft.lists["policy.budget.limit"] == [{"scope": "everyone", "usd": 10.0, "per": "day"}]


def test_what_has_no_counterpart_in_litellms_file_is_told(tmp_path):
    missing = from_litellm(tmp_path).missing
    for word in (
        "mock_response", "sagemaker", "openai/*", "langfuse", "ghost", "enable_pre_call_checks", "alerting", "master_key",
    ):  # fmt: skip
        assert [told for told in missing if word in told], word


def test_what_is_written_is_a_good_file_without_the_keys_that_stood_in_the_other(tmp_path, monkeypatch, capsys):
    draft = from_litellm(tmp_path)
    monkeypatch.chdir(tmp_path)
    import_("litellm", tmp_path / "config.yaml")
    text = (tmp_path / "lynkr.toml").read_text()
    told = capsys.readouterr().out
    assert [secret for secret in SECRETS if secret in text + told] == []
    assert sorted(draft.keys) == ["ANTHROPIC_API_KEY", "LYNKR_ADMIN_KEY", "PROVIDER_API_KEY", "REDIS_PASSWORD"]
    for name in draft.keys:
        assert f"  set {name}, which stood in config.yaml" in told
    assert "lynkr.toml: [" not in told.replace("lynkr.toml: [cache.exact]: the cache plugin 'exact' is not installed", "")
    with pytest.raises(ConfigError, match="already there"):
        import_("litellm", tmp_path / "config.yaml")


@pytest.mark.parametrize("text", ["a: [", "[1, 2]", "model_list: []", "just words", "\x00"])
def test_what_is_no_configuration_of_litellms_is_refused(tmp_path, text):
    with pytest.raises(ConfigError):
        from_litellm(tmp_path, text)


@pytest.mark.parametrize("name", sorted({*LITELLM.values(), *KEYS, *[entry["plugin"] for entry in NODE.values()]}))
def test_providers_of_the_tables_are_plugins(name):
    assert name in installed("provider")


ENV = "ANTHROPIC_API_KEY='sk-real'\nexport OLLAMA_MODEL=llama3.2 # local\nOLLAMA_ENDPOINT=http://localhost:11434/\n# TIER_SIMPLE=x:y\n"
FOUR = "TIER_SIMPLE=ollama:a\nTIER_MEDIUM=ollama:b\nTIER_COMPLEX=anthropic:c\nTIER_REASONING=anthropic:d\n"


def from_env(tmp_path, text):
    file = tmp_path / ".env"
    file.write_text(ENV + text)
    return node.drafted(file)


@pytest.mark.parametrize(("text", "tiers"), [
    ("MODEL_PROVIDER=ollama\n", ["ollama/llama3.2"] * 4),
    (FOUR, ["ollama/a", "ollama/b", "anthropic/c", "anthropic/d"]),
    (f"MODEL_PROVIDER=ollama\n{FOUR}", ["ollama/a", "ollama/b", "anthropic/c", "anthropic/d"]),
    ("TIER_SIMPLE=ollama:a\nTIER_COMPLEX=anthropic:c\n", ["ollama/a", "ollama/a", "anthropic/c", "anthropic/c"]),
    ("TIER_COMPLEX=anthropic:c\n", ["anthropic/c"] * 4),
    ("TIER_MEDIUM=ollama:b\nTIER_REASONING=anthropic:d\n", ["ollama/b", "ollama/b", "ollama/b", "anthropic/d"]),
    ("MODEL_PROVIDER=ollama\nTIER_SIMPLE=\nTIER_COMPLEX=\n", ["ollama/llama3.2"] * 4),
    ("MODEL_PROVIDER=ollama\nTIER_COMPLEX=piratecloud:x\n", ["ollama/llama3.2"] * 4),
    ("MODEL_PROVIDER=ollama\nTIER_COMPLEX=anthropic:c\n", ["ollama/llama3.2", "ollama/llama3.2", "anthropic/c", "ollama/llama3.2"]),
])  # fmt: skip
def test_the_truth_table_of_provider_and_tiers(tmp_path, text, tiers):
    """Asked of the kernel that the file makes, which is what fills in tiers that are missing."""
    written = from_env(tmp_path, text).text()
    assert "sk-real" not in written
    kernel = Kernel.from_config(parse(written, {"ANTHROPIC_API_KEY": "k"}), {})
    assert [kernel.catalog.tiers.candidates(tier)[0].id for tier in node.TIERS] == tiers
    asked = kernel.catalog.resolve("a-name-that-a-tool-came-with")
    assert {candidate.id for candidate in asked.candidates} == set(tiers), "whatever is asked for goes there"


def test_the_fallback_stands_behind_each_tier_unless_it_is_switched_off(tmp_path):
    text = "MODEL_PROVIDER=ollama\nFALLBACK_PROVIDER=anthropic\nANTHROPIC_MODEL=claude-haiku-5-5\n"
    assert from_env(tmp_path, text).tables["tiers"]["simple"] == ["ollama/llama3.2", "anthropic/claude-haiku-5-5"]
    assert from_env(tmp_path, text + "FALLBACK_ENABLED=false\n").tables["tiers"]["simple"] == ["ollama/llama3.2"]


def test_what_has_no_counterpart_in_the_variables_is_told(tmp_path):
    missing = from_env(
        tmp_path, "MODEL_PROVIDER=ollama\nMEMORY_ENABLED=true\nTIER_REASONING=piratecloud:x\nTIER_COMPLEX=openai\n"
    ).missing
    assert "MEMORY_ENABLED: has no counterpart" in missing
    assert "the provider piratecloud: has no plugin" in missing
    assert "openai: say a model, as in openai:MODEL, or OPENAI_MODEL" in missing


def test_variables_that_name_nothing_to_serve_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="names no MODEL_PROVIDER"):
        from_env(tmp_path, "")


def test_what_is_made_of_the_variables_is_a_good_file_and_all_that_is_left_to_do_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / ".env").write_text(ENV + f"{FOUR}PORT=8099\nMEMORY_ENABLED=true\n")
    monkeypatch.chdir(tmp_path)
    import_("lynkr-env", tmp_path / ".env")
    text, told = (tmp_path / "lynkr.toml").read_text(), capsys.readouterr().out
    assert parse(text, {"ANTHROPIC_API_KEY": "k"}).server.port == 8099
    assert "sk-real" not in text + told
    assert "MEMORY_ENABLED" in told
    assert "set ANTHROPIC_API_KEY" in told


def test_it_is_a_command(tmp_path):
    (tmp_path / "config.yaml").write_text("model_list: [{model_name: mine, litellm_params: {model: ollama/llama3.2}}]")
    done = lynkr("import", "litellm", "config.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "[provider.ollama]" in (tmp_path / "lynkr.toml").read_text()

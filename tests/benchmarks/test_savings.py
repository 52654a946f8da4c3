"""The figures of a few recorded conversations: bounds that any sound compressor keeps, whatever the count of tokens."""

from pathlib import Path

import msgspec
import pytest

from lynkr_core.cli.compressing import compressors, tables
from lynkr_core.cli.compressing.bills import Figures
from lynkr_core.cli.compressing.running import evaluate
from lynkr_core.cli.compressing.tables import by_plugin
from lynkr_core.errors import ConfigError, LynkrError, PluginError
from lynkr_core.tokens import Tokens

SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture(scope="module")
def corpora() -> dict[str, Figures]:
    return evaluate(SAMPLE, tables("", Path("none.toml")), Tokens()).figures


@pytest.fixture(scope="module", params=("claude_code_entire", "tau_airline"))
def figures(request: pytest.FixtureRequest, corpora: dict[str, Figures]) -> Figures:
    return corpora[request.param]


def test_the_bill_gets_smaller(figures: Figures):
    assert figures.ours.cached < 0.97 * figures.client.cached
    assert figures.ours.cached < 0.4 * figures.client.plain


def test_every_prefix_stays_as_it_was(figures: Figures):
    assert figures.ours.kept == figures.ours.could
    assert figures.client.kept == figures.client.could


def test_what_the_agent_needed_is_there(figures: Figures):
    for kind, (count, verbatim, folded) in figures.needles.items():
        assert count == verbatim + folded, kind
    assert figures.needles["used"][1] == figures.needles["used"][0]


def test_each_plugin_has_its_share_of_what_is_saved(figures: Figures):
    first, *plugins, last = by_plugin(figures, 3.0)
    assert [name for name, *_ in (*plugins, last)] == ["json", "tool-results"]
    assert sum(saved for *_, saved in (*plugins, last)) == pytest.approx(first[2] - last[2])
    assert last[3] > 0


def test_without_compressors_nothing_changes():
    figures = evaluate(SAMPLE, (), Tokens()).figures["all"]
    assert figures.ours.cached == figures.client.cached


TOOL = {"name": "read", "description": "Reads a file.", "input_schema": {"type": "object", "properties": {}}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "\n".join(f"     {n}\tvalue = {n}" for n in range(1, 400))}
MESSAGES = [
    {"role": "user", "content": "look at it"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "read", "input": {}}]},
    {"role": "user", "content": [RESULT]},
    {"role": "assistant", "content": "I have."},
]


def write(folder, **record):
    (folder / "mine.jsonl").write_bytes(msgspec.json.encode({"messages": MESSAGES, "format": "anthropic", **record}) + b"\n")
    return folder


def told(capsys, folder, **options):
    compressors(folder, **{"config": folder / "none.toml", **options})
    return capsys.readouterr().out


def test_a_conversation_of_ones_own_needs_no_more_than_messages(capsys, tmp_path):
    report = msgspec.json.decode(told(capsys, write(tmp_path, tools=[TOOL]), json=True, price=10))["mine"]
    alone, _, folded = report["plugins"]
    assert (alone["plugin"], folded["plugin"]) == ("client alone", "tool-results")
    assert folded["tokens"] < 0.8 * alone["tokens"]
    assert folded["saved_usd"] == pytest.approx(alone["usd"] - folded["usd"])
    assert alone["usd"] < alone["tokens"] * 1.25 * 10 / 1e6 + 1e-9
    assert report["prefix_kept"] == 1


def test_the_command_prints_a_table(capsys):
    table = told(capsys, SAMPLE, limit=1)
    assert all(
        word in table for word in ("against caching only", "prefix kept", "client alone", "tool-results", "needles", "cold")
    )


def test_those_that_are_configured_are_taken_as_they_are_configured(capsys, tmp_path):
    (tmp_path / "lynkr.toml").write_text('[provider.echo]\n[compressor.mine]\nuse = "tool-results"\nenabled = false\n')
    with pytest.raises(ConfigError, match="enabled"):
        told(capsys, write(tmp_path), config=tmp_path / "lynkr.toml")
    (tmp_path / "lynkr.toml").write_text('[provider.echo]\n[compressor.mine]\nuse = "tool-results"\n')
    assert "  mine  " in told(capsys, write(tmp_path), config=tmp_path / "lynkr.toml")


def test_mistakes_are_told(capsys, tmp_path):
    with pytest.raises(LynkrError, match="not a folder"):
        told(capsys, tmp_path / "none")
    with pytest.raises(LynkrError, match="no conversations"):
        told(capsys, tmp_path)
    with pytest.raises(LynkrError, match=r"mine\.jsonl:1: no conversation"):
        told(capsys, write(tmp_path, format="gemini"))
    with pytest.raises(LynkrError, match=r"tools/lost\.json has no tools"):
        told(capsys, write(tmp_path, tools_ref=["lost"]))
    with pytest.raises(PluginError, match="not installed"):
        told(capsys, write(tmp_path), plugins="tool-result")
    (tmp_path / "mine.jsonl").write_text("{}\n[]\n")
    with pytest.raises(LynkrError, match=r"mine\.jsonl:1: no conversation"):
        told(capsys, tmp_path)
    (tmp_path / "mine.jsonl.gz").write_bytes(b"no gzip")
    (tmp_path / "mine.jsonl").unlink()
    with pytest.raises(LynkrError, match=r"mine\.jsonl\.gz"):
        told(capsys, tmp_path)

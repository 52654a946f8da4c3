"""The template for new plugins: what it writes installs beside the core, passes its suite, and decides and serves requests."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from xml.etree import ElementTree

import httpx2
import pytest
import yaml
from copier import run_copy

from lynkr_core import order
from lynkr_core.cli.new_plugin import kinds, new_plugin, render
from lynkr_core.errors import ConfigError
from lynkr_core.testing.process import Gateway, environment, gateway, lynkr
from lynkr_core.testing.waiting import PATIENCE

ROOT = Path(__file__).parent.parent
NAMES = {
    "auth": "guests", "cache": "brief", "catalog": "house", "compressor": "trim", "dialect": "house-api", "extension": "tally",
    "policy": "few-at-a-time", "provider": "my-server", "scorer": "shouting", "selector": "cheapest", "sink": "my-2nd-log",
    "store": "lines", "tokens": "by-length",
}  # fmt: skip
KINDS = sorted(NAMES)
CORE = ("core", "plugins/provider-echo", "plugins/selector-tiers", "plugins/cache-exact", "plugins/sink-journal")
TOOLS = ("pytest", "hypothesis", "ruff", "basedpyright")
UV = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv/bin/uv")
PLUGINS = """
[tiers]
simple = ["{provider}/small"]
reasoning = ["{provider}/large"]
[scorer.shouting]
points = 90
[selector.tiers]
[sink.my-2nd-log]
"""
ECHO = "[provider.echo]\n" + PLUGINS.format(provider="echo")
SERVER = '[provider.my-server]\nbase_url = "{url}/v1"\n' + PLUGINS.format(provider="my-server")
EVERYTHING = """
[auth.guests]
keys = { ann = "a-key-for-ann" }
[cache.brief]
[catalog.house]
vendor = "acme"
[compressor.trim]
[dialect.house-api]
[extension.tally]
[policy.few-at-a-time]
most = 1
[selector.cheapest]
[sink.journal]
[store.lines]
[tokens.by-length]
"""
KEY = {"x-lynkr-key": "a-key-for-ann"}
ASK = {"model": "auto", "messages": [{"role": "user", "content": "please"}]}
CALLED = {"id": "c1", "type": "function", "function": {"name": "build", "arguments": "{}"}}
BLANKS = {"role": "tool", "tool_call_id": "c1", "content": "one    \ntwo    \n" * 50}
RESULT = {"model": "auto", "messages": [*ASK["messages"], {"role": "assistant", "content": None, "tool_calls": [CALLED]}, BLANKS]}


def run(*command: str, cwd: Path = ROOT) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def copier(kind: str, name: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Renders with copier as its own README line says, but for the questions' defaults."""
    command = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", "./plugin-template", str(out)]
    return subprocess.run(
        [*command, "-d", f"kind={kind}", "-d", f"name={name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a plugin of each kind, written by copier."""
    out = tmp_path_factory.mktemp("rendered")
    for kind, name in NAMES.items():
        run_copy(str(ROOT / "plugin-template"), out / f"{kind}-{name}", {"kind": kind, "name": name}, defaults=True, quiet=True)
    return out


@pytest.fixture(scope="module")
def fresh(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of a new virtual environment with the core, a few plugins, the written ones and tools, none of them editable."""
    python = str(tmp_path_factory.mktemp("fresh") / "venv/bin/python")
    run(UV, "venv", "-q", "--python", sys.executable, str(Path(python).parent.parent))
    ours = [str(ROOT / name) for name in CORE]
    run(UV, "pip", "install", "-q", "--no-sources", "--python", python, *ours, *map(str, rendered.iterdir()), *TOOLS)
    return python


def test_there_is_a_template_for_each_kind_in_both_ways():
    questions = yaml.safe_load((ROOT / "plugin-template/copier.yml").read_text())
    assert kinds() == sorted(questions["kind"]["choices"]) == KINDS == sorted(order.KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_copier_and_the_command_write_the_same(kind, rendered, tmp_path):
    new_plugin(kind, NAMES[kind], into=tmp_path)
    written = files(tmp_path / f"{kind}-{NAMES[kind]}")
    assert written == files(rendered / f"{kind}-{NAMES[kind]}")
    assert not any("{" + mark in text for text in written.values() for mark in "{%")


def test_copier_is_called_as_its_file_says(rendered, tmp_path):
    assert copier("scorer", "shouting", tmp_path / "out").returncode == 0
    assert files(tmp_path / "out") == files(rendered / "scorer-shouting")


def test_what_is_written_pleases_ruff(rendered, tmp_path):
    """With the shortest and the longest name, too."""
    for kind in KINDS:
        for name in ("a", "very-long-" * 4):
            new_plugin(kind, name.strip("-"), into=tmp_path)
    for folder in (rendered, tmp_path):
        run(sys.executable, "-m", "ruff", "check", "--no-cache", ".", cwd=folder)
        run(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".", cwd=folder)


def test_the_types_of_all_of_them_are_strict(rendered, fresh, tmp_path):
    settings = {"typeCheckingMode": "strict", "include": [str(folder / "src") for folder in rendered.iterdir()]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    said = run(fresh, "-m", "basedpyright", "--pythonpath", fresh, "--outputjson", cwd=tmp_path)
    summary = json.loads(said)["summary"]
    assert (summary["filesAnalyzed"], summary["errorCount"], summary["warningCount"]) == (len(KINDS), 0, 0)


def test_all_their_suites_pass_where_they_are_installed(rendered, fresh, tmp_path):
    """Contract suites, own tests, and `lynkr check`; ruff and types were asked for all of them at once."""
    tests = [str(folder / "tests") for folder in sorted(rendered.iterdir())]
    report = tmp_path / "report.xml"
    without = "not types and not ruff and not formatted"
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        "--import-mode=importlib",
        "-p",
        "lynkr_core.testing.plugin",
        "-k",
        without,
        f"--junit-xml={report}",
    ]
    run(fresh, "-m", "pytest", *options, *tests, cwd=tmp_path)
    cases = [case for case in ElementTree.parse(report).iter("testcase") if case.find("skipped") is None]
    for kind in KINDS:
        own = [case.get("name") for case in cases if f"test_{kind}" in case.get("classname")]
        assert len(own) >= 8, f"{kind}: {own}"
    checked = [case for case in cases if case.get("name").startswith("test_lynkr_check")]
    assert len(checked) == len(KINDS)


def test_one_command_checks_everything(rendered, fresh, tmp_path):
    """What its README says, in a copy that is spoilt: everything that is wrong with it is found, and nothing else."""
    folder = tmp_path / "selector-cheapest"
    shutil.copytree(rendered / "selector-cheapest", folder)
    assert "`python -m pytest`" in (folder / "README.md").read_text()
    with (folder / "src/lynkr_selector_cheapest/__init__.py").open("a") as source:
        source.write("import os\nx: int = 'a'\n")
    command = [fresh, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    failed = re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.MULTILINE)
    assert failed == ["test_ruff_has_nothing_to_say", "test_it_is_formatted", "test_its_types_are_right"], done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) >= 12


def test_the_command_works_from_a_wheel(fresh, tmp_path):
    done = lynkr("new-plugin", "scorer", "of-mine", "--into", "here", cwd=tmp_path, python=fresh)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "here/scorer-of-mine") == render("scorer", "of-mine")
    assert "&& pip install -q -U pip && pip install -e . --group dev &&" in done.stdout  # that of Python 3.11 knows no --group


def test_the_scorer_decides(fresh, tmp_path):
    (tmp_path / "lynkr.toml").write_text(ECHO)
    assert "scorer.shouting" in lynkr("check", cwd=tmp_path, python=fresh).stdout
    for prompt, score, tier, model in (("PROVE IT", 90.0, "reasoning", "large"), ("please", 20.0, "simple", "small")):
        done = lynkr("route", prompt, "--json", cwd=tmp_path, python=fresh)
        told = json.loads(done.stdout)
        assert (told["score"], told["tier"], told["provider"], told["model"]) == (score, tier, "echo", model)
        assert told["scores"][0]["plugin"] == "scorer.shouting"


def test_the_plugins_serve_requests(fresh, tmp_path):
    """The written provider asks a gateway with the echo provider, each with the written scorer and sink."""
    for name in ("inner", "outer"):
        (tmp_path / name).mkdir()
    (tmp_path / "inner/lynkr.toml").write_text(ECHO)
    with gateway(cwd=tmp_path / "inner", python=fresh) as inner:
        (tmp_path / "outer/lynkr.toml").write_text(SERVER.format(url=inner.url))
        with gateway(cwd=tmp_path / "outer", python=fresh) as outer:
            answer = ask(outer.url, "PROVE IT")
            calm = ask(outer.url, "please")
            assert outer.stop() == 0
    assert answer.json()["choices"][0]["message"]["content"] == "You said: PROVE IT"
    told = {name: answer.headers[f"x-lynkr-{name}"] for name in ("provider", "model", "tier", "score")}
    assert told == {"provider": "my-server", "model": "large", "tier": "reasoning", "score": "90"}
    assert calm.headers["x-lynkr-model"] == "small"
    assert f"{answer.headers['x-lynkr-request-id']}: ok from my-server/large" in outer.said


def ask(url: str, prompt: str) -> httpx2.Response:
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    return httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=60).raise_for_status()


@pytest.fixture(scope="module")
def all_at_once(fresh, tmp_path_factory) -> Iterator[Gateway]:
    """A gateway with a plugin of every kind, before one with the echo provider."""
    inner, outer = tmp_path_factory.mktemp("inner"), tmp_path_factory.mktemp("outer")
    (inner / "lynkr.toml").write_text(ECHO)
    with gateway(cwd=inner, python=fresh) as upstream:
        (outer / "lynkr.toml").write_text(SERVER.format(url=upstream.url) + EVERYTHING)
        with gateway(cwd=outer, python=fresh) as running:
            running.folder = outer
            yield running


def post(running: Gateway, body: object, path: str = "/v1/chat/completions", headers: dict[str, str] = KEY) -> httpx2.Response:
    return httpx2.post(f"{running.url}{path}", json=body, headers=headers, timeout=60)


def told(running: Gateway, plugin: str) -> dict[str, int]:
    return httpx2.get(f"{running.url}/health/ready", timeout=60).json()["plugins"][plugin]


def test_the_auth_plugin_lets_in_whom_it_knows(all_at_once):
    assert post(all_at_once, ASK, headers={}).status_code == 401
    assert post(all_at_once, ASK, headers={"authorization": "Bearer a-key-for-bob"}).status_code == 401
    assert post(all_at_once, ASK, headers={"authorization": "Bearer a-key-for-ann"}).status_code == 200


def test_the_compressor_acts_on_what_the_provider_is_sent(all_at_once):
    answer = post(all_at_once, RESULT).raise_for_status()
    assert answer.json()["choices"][0]["message"]["content"] == "Tool said: " + "one\ntwo\n" * 50
    assert int(answer.headers["x-lynkr-saved-tokens"]) == 100


def test_the_cache_answers_the_second_time(all_at_once):
    body = {"model": "my-server/large", "messages": [{"role": "user", "content": "once only"}]}
    answers = [post(all_at_once, body).raise_for_status() for _ in range(2)]
    assert [answer.headers["x-lynkr-cache"] for answer in answers] == ["miss", "hit"]


def test_the_policy_refuses_one_more_than_may_be_under_way(all_at_once):
    slow = {"model": "my-server/large", "messages": [{"role": "user", "content": "[[echo: delay 600]]"}]}
    with closing(HTTPConnection(all_at_once.address)) as first:
        first.request("POST", "/v1/chat/completions", json.dumps(slow), KEY)
        wait_for(lambda: told(all_at_once, "policy.few-at-a-time")["under_way"] == 1)
        refused = post(all_at_once, {**ASK, "user": "one more"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (429, "rate_limit_error")
    assert "1 requests under way" in refused.json()["error"]["message"]
    wait_for(lambda: told(all_at_once, "policy.few-at-a-time")["under_way"] == 0)
    assert post(all_at_once, {**ASK, "user": "later"}).status_code == 200


def test_the_dialect_is_a_front_of_its_own(all_at_once):
    answer = post(all_at_once, ASK, "/house-api/chat").raise_for_status()
    assert answer.json()["choices"][0]["message"]["content"] == "You said: please"


def test_the_extension_counts_and_the_store_keeps_what_was_served(all_at_once):
    id = post(all_at_once, ASK).raise_for_status().headers["x-lynkr-request-id"]
    journal = all_at_once.folder / "lines.jsonl"
    wait_for(lambda: journal.exists() and id in journal.read_text())
    counts = httpx2.get(f"{all_at_once.url}/tally", headers=KEY, timeout=60).json()
    assert counts["ok"] >= 1
    assert told(all_at_once, "extension.tally")["ok"] >= counts["ok"]
    assert httpx2.get(f"{all_at_once.url}/tally", timeout=60).status_code == 401


def wait_for(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["Loud", "my_plugin", "2nd", "-x", "x-", "a--b", "", "x" * 41, "../up", "a b", "ä", "x\n"])
def test_a_bad_name_is_refused_in_both_ways(name, tmp_path):
    with pytest.raises(ConfigError, match="lower-case letters and digits"):
        new_plugin("scorer", name, into=tmp_path)
    with pytest.raises(ValueError, match="lower-case letters and digits"):
        run_copy(str(ROOT / "plugin-template"), tmp_path / "out", {"kind": "scorer", "name": name}, defaults=True, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_every_mistake_is_told_with_a_suggestion(tmp_path):
    done = lynkr("new-plugin", "scorerr", "My Thing", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'did you mean "scorer"?' in done.stderr
    assert 'did you mean "my-thing"?' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_overwritten(tmp_path):
    (tmp_path / "scorer-x").mkdir()
    (tmp_path / "sink-x").symlink_to(tmp_path / "nowhere")
    for kind in ("scorer", "sink"):
        with pytest.raises(ConfigError, match="already there"):
            new_plugin(kind, "x", into=tmp_path)
    assert list((tmp_path / "scorer-x").iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written: Not a directory"):
        new_plugin("scorer", "x", into=tmp_path / "file")


def test_the_scorer_is_the_one_of_the_readme():
    block = re.search(r"```python\n(from msgspec.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    written = render("scorer", "shouting")["src/lynkr_scorer_shouting/__init__.py"]
    assert written == '"""shouting: a scorer plugin for lynkr."""\n\n' + block

"""Through the plugin as the gateway runs it: a survey in a process of its own, then scores from memory."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import asynccontextmanager

import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel
from lynkr_core.testing import factories
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import until
from lynkr_scorer_codegraph import plugin
from lynkr_scorer_codegraph.index import Index
from lynkr_scorer_codegraph.survey import Order

pytestmark = pytest.mark.anyio
PLANTED = "planted_7f3a9c1e"
SIMPLE = "x = 1\n"
KNOTTED = f'''
import shop.prices
{PLANTED} = "secret"
def total(a, b):
    """{PLANTED}"""
    for x in a:
        if x and b or not x:
            while b:
                try:
                    b -= 1
                except ValueError:
                    return [y for y in a if y]
    return a if b else None
''' + "".join(f"def f{n}(a):\n    if a: return {n}\n" for n in range(40))


def ask(text, dialect="openai.chat"):
    return factories.exchange({"model": "auto", "messages": [{"role": "user", "content": text}]}, dialect=dialect)


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "work"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop/prices.py").write_text(SIMPLE)
    (folder / "shop/orders.py").write_text(KNOTTED)
    return folder


@asynccontextmanager
async def scoring(workspace, **more):
    table = {"workspace": str(workspace), "wait": 60, **more}
    async with factories.running(factories.build(plugin, table, factories.context("codegraph", "scorer"))) as scorer:
        yield scorer


async def test_an_intricate_file_counts_more_than_a_simple_one(workspace):
    async with scoring(workspace) as scorer:
        hard, easy = scorer.score(ask("Fix shop/orders.py:12, please.")), scorer.score(ask("Fix `shop/prices.py`."))
    assert hard.value > easy.value + 20
    assert hard.reason == "1 files named: 93 lines, 48 branches, imported by 0"
    assert easy.reason == "1 files named: 1 lines, 0 branches, imported by 1"
    assert hard.weight > easy.weight > 0
    assert sum(hard.points.values()) == pytest.approx(hard.value)


@pytest.mark.parametrize("text", ["hi", "What of prices.txt?", "fix other.py", "e.g. this", "", "shop/", "x" * 100_000 + ".py"])
async def test_nothing_is_said_of_what_names_no_file(workspace, text):
    async with scoring(workspace) as scorer:
        assert scorer.score(ask(text)) is None


@pytest.mark.parametrize(
    "name", ["orders.py", "./shop/orders.py", "shop\\orders.py", "/home/jo/copy/shop/orders.py", "({root}/shop/orders.py)"]
)
async def test_a_file_is_found_by_what_it_may_be_called(workspace, name):
    async with scoring(workspace) as scorer:
        assert scorer.score(ask(f"Look at {name.replace('{root}', str(workspace))} again")) is not None


async def test_a_name_that_two_files_have_says_nothing(workspace):
    (workspace / "orders.py").write_text(SIMPLE)
    (workspace / "old").mkdir()
    (workspace / "old/orders.py").write_text(SIMPLE)
    async with scoring(workspace) as scorer:
        assert scorer.index.find("lost/orders.py") is None
        assert scorer.index.find("orders.py") == "orders.py"
        assert scorer.index.find("old/orders.py") == "old/orders.py"


async def test_nothing_outside_of_the_workspace_is_ever_known(workspace, tmp_path):
    (tmp_path / "outside.py").write_text(KNOTTED)
    (tmp_path / "beyond").mkdir()
    (tmp_path / "beyond/deep.py").write_text(KNOTTED)
    (workspace / "link.py").symlink_to(tmp_path / "outside.py")
    (workspace / "folder").symlink_to(tmp_path / "beyond")
    (workspace / "shop/back").symlink_to(workspace)
    os.mkfifo(workspace / "pipe.py")
    async with scoring(workspace) as scorer:
        assert set(scorer.index.files) == {"shop/prices.py", "shop/orders.py"}
        for name in ("../outside.py", f"{tmp_path}/outside.py", "shop/../../outside.py", "link.py", "folder/deep.py", "pipe.py"):
            assert scorer.score(ask(f"fix {name}")) is None, name
        assert scorer.score(ask(f"fix {workspace}/../outside.py")) is None
        assert scorer.score(ask("fix shop/../shop/orders.py")) is None


async def test_a_workspace_behind_a_link_is_the_operators_wish(workspace, tmp_path):
    (tmp_path / "current").symlink_to(workspace)
    async with scoring(tmp_path / "current") as scorer:
        assert scorer.score(ask("fix shop/orders.py")) is not None


async def test_hidden_folders_and_other_peoples_code_are_left_out(workspace):
    for name in (".venv/a.py", ".git/b.py", "node_modules/c.js", "vendor/d.go"):
        (workspace / name).parent.mkdir()
        (workspace / name).write_text(SIMPLE)
    async with scoring(workspace) as scorer:
        assert set(scorer.index.files) == {"shop/prices.py", "shop/orders.py"}


async def test_it_is_bounded(workspace):
    for number in range(30):
        (workspace / f"m{number:02}.py").write_text(SIMPLE)
    (workspace / "large.py").write_text(SIMPLE * 1000)
    async with scoring(workspace, max_files=10, max_bytes=1000) as scorer:
        assert len(scorer.index.files) == 10
        assert not scorer.index.whole
        assert "large.py" not in scorer.index.files


async def test_a_survey_out_of_time_goes_on_the_next_time(workspace):
    async with scoring(workspace, seconds=1e-9) as scorer:
        assert scorer.index.files == {}
        assert scorer.score(ask("fix shop/orders.py")) is None
        scorer.index.order.seconds = 60
        await scorer.index.survey()
        assert scorer.index.whole
        assert scorer.score(ask("fix shop/orders.py")) is not None


async def test_a_file_is_read_again_only_when_it_has_changed(workspace):
    file = workspace / "shop/prices.py"
    async with scoring(workspace) as scorer:
        state = file.stat()
        file.write_text("\n" * len(SIMPLE))
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
        await scorer.index.survey()
        assert scorer.index.files["shop/prices.py"].lines == 1  # same time, same size
        file.write_text("\n" * 50)
        await scorer.index.survey()
        assert scorer.index.files["shop/prices.py"].lines == 50
        file.unlink()
        await scorer.index.survey()
        assert "shop/prices.py" not in scorer.index.files


async def test_a_request_that_names_a_file_leads_to_a_new_survey(workspace):
    async with scoring(workspace, refresh=1) as scorer:
        (workspace / "fresh.py").write_text(KNOTTED)
        await until(lambda: scorer.score(ask("fix fresh.py")) is not None)


async def test_no_text_of_a_file_is_told(workspace, caplog, capfd):
    caplog.set_level(0)
    (workspace / "broken.py").write_text(f"def ({PLANTED}\n")
    (workspace / "odd.py").write_text(f'"\\q {PLANTED}"\n')
    async with scoring(workspace) as scorer:
        told = [scorer.score(ask(f"fix {name}")) for name in scorer.index.files]
        shown = msgspec.json.encode(told).decode() + caplog.text + "".join(capfd.readouterr()) + repr(scorer.index.files)
    assert len(told) == 4
    assert PLANTED not in shown
    assert "orders" not in msgspec.json.encode(told).decode()


BREAKING = {
    "nested": "(" * 5000 + ")" * 5000,
    "chained": "x" + ".a" * 50_000,
    "deep": "\n".join(" " * n + "if x:" for n in range(90)) + "\n" + " " * 90 + "pass",
    "nulls": "\0" * 1000,
    "latin": "# coding: no-such\nx = 1",
    "sums": "+".join(["1"] * 40_000),
    "empty": "",
}


async def test_what_breaks_parsers_has_lines_only(workspace):
    for name, text in BREAKING.items():
        (workspace / f"{name}.py").write_text(text)
    (workspace / "bytes.py").write_bytes(bytes(range(256)) * 100)
    async with scoring(workspace) as scorer:
        found = scorer.index.files
        assert {"shop/orders.py", *(f"{name}.py" for name in BREAKING)} <= set(found)
        assert found["nulls.py"].branches == 0
        assert found["empty.py"].lines == 0


LANGUAGES = {
    "go": 'package a\nimport "shop/prices"\nfunc f(a int) {\n\tif a > 1 && a < 3 {\n\t} else if a > 5 {\n\t}\n}\n',
    "ts": "import x from '../shop/prices';\nfunction f(a: number) {\n  if (a > 1 && a < 3) {} else if (a > 5) {}\n}\n",
    "js": "const x = (a) => {\n  if (a > 1 && a < 3) {} else if (a > 5) {}\n}\n",
    "tsx": "const X = (a: any) => {\n  if (a > 1 && a < 3) {} else if (a > 5) {}\n  return <b/>\n}\n",
    "rs": "use crate::shop::prices;\nfn f(a: i32) {\n  if a > 1 && a < 3 {} else if a > 5 {}\n}\n",
    "java": "import shop.prices;\nclass A {\n  void f(int a) { if (a > 1 && a < 3) {} else if (a > 5) {} }\n}\n",
    "c": '#include "shop/prices.h"\nvoid f(int a) {\n  if (a > 1 && a < 3) {} else if (a > 5) {}\n}\n',
    "cpp": '#include "shop/prices.h"\nvoid f(int a) {\n  if (a > 1 && a < 3) {} else if (a > 5) {}\n}\n',
    "rb": "def f(a)\n  if a > 1 && a < 3\n    1\n  elsif a > 5\n    2\n  end\nend\n",
}
IMPORTING = ("go", "ts", "rs", "java", "c", "cpp")


@pytest.mark.parametrize("ending", LANGUAGES)
async def test_other_languages_are_counted_alike(tmp_path, ending):
    pytest.importorskip("tree_sitter")
    (tmp_path / "shop").mkdir()
    (tmp_path / "other").mkdir()
    target = "h" if ending in ("c", "cpp") else ending
    (tmp_path / f"shop/prices.{target}").write_text("\n")
    (tmp_path / f"other/file.{ending}").write_text(LANGUAGES[ending])
    async with scoring(tmp_path) as scorer:
        found = scorer.index.files[f"other/file.{ending}"]
        assert (found.functions, found.branches, found.worst, found.depth) == (1, 3, 3, 2)
        assert scorer.index.files[f"shop/prices.{target}"].importers == (1 if ending in IMPORTING else 0)


async def test_without_a_grammar_there_are_lines_only(tmp_path, monkeypatch):
    (tmp_path / "site/tree_sitter").mkdir(parents=True)
    (tmp_path / "site/tree_sitter/__init__.py").write_text("raise ImportError\n")
    (tmp_path / "a.go").write_text(LANGUAGES["go"])
    context = factories.context("codegraph", "scorer", environ={"PYTHONPATH": str(tmp_path / "site")})
    async with factories.running(factories.build(plugin, {"workspace": str(tmp_path), "wait": 60}, context)) as scorer:
        assert (scorer.index.files["a.go"].lines, scorer.index.files["a.go"].branches) == (7, 0)


async def test_a_survey_that_comes_to_nothing_leaves_what_was_known(workspace, caplog, monkeypatch):
    async with scoring(workspace) as scorer:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with caplog.at_level(logging.WARNING):
            await scorer.index.survey()
        assert "came to nothing" in caplog.text
        assert scorer.score(ask("fix shop/orders.py")) is not None
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        await scorer.index.survey()
        assert scorer.score(ask("fix shop/orders.py")) is not None


async def test_a_survey_that_hangs_is_ended(workspace, monkeypatch, tmp_path, caplog):
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/id\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    monkeypatch.setattr("lynkr_scorer_codegraph.index.GRACE", 0.5)
    index = Index(Order(str(workspace), 10, 1000, 0.1), 60, {})
    await index.survey()
    assert "came to nothing: TimeoutError" in caplog.text
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "id").read_text()), 0)


async def test_when_the_gateway_stops_the_survey_does(workspace, monkeypatch, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/id\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    async with scoring(workspace, wait=0):
        await until(lambda: (tmp_path / "id").exists() and (tmp_path / "id").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "id").read_text()), 0)


async def test_a_survey_knows_no_keys(workspace, monkeypatch, tmp_path):
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\nenv > {tmp_path}/env\n")
    spy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(spy))
    await Index(Order(str(workspace), 10, 1000, 5), 60, {"PATH": "/bin:/usr/bin", "SOME_API_KEY": PLANTED}).survey()
    assert PLANTED not in (tmp_path / "env").read_text()


async def test_nothing_of_the_workspace_is_imported(workspace, monkeypatch):
    (workspace / "msgspec.py").write_text("raise SystemExit\n")
    monkeypatch.chdir(workspace)
    async with scoring(workspace) as scorer:
        assert "msgspec.py" in scorer.index.files


@pytest.mark.parametrize("table", [{}, {"workspace": ""}, {"workspace": ".", "max_files": 0}, {"workspace": ".", "refresh": 0}])
def test_settings_that_cannot_be(table):
    with pytest.raises(ConfigError):
        factories.build(plugin, table, factories.context())


def test_a_workspace_that_is_not_there_is_told_at_start(tmp_path):
    text = f'[scorer.codegraph]\nworkspace = "{tmp_path}/none"\n'
    with pytest.raises(ConfigError, match="is not a folder"):
        Kernel.from_config(parse(text, {}), {})


async def test_in_the_gateway(workspace):
    async with ScriptedProvider() as upstream:
        text = f"""
[provider.up]
use = "openai-compatible"
base_url = "{upstream.url}/v1"
[tiers]
simple = ["up/small"]
complex = ["up/large"]
[scorer.codegraph]
workspace = "{workspace}"
wait = 60
[selector.tiers]
"""
        async with Client(Application(Kernel.from_config(parse(text, {}), os.environ))) as client:
            many = [{"role": "user", "content": "fix shop/orders.py"}]
            answers = await asyncio.gather(
                *[client.post("/v1/chat/completions", json={"model": "auto", "messages": many}) for _ in range(20)]
            )
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["x-lynkr-score"] for answer in answers} == {"28"}

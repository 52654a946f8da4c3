"""The command `lynkr`, run as people run it."""

import inspect
import json
import re
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path

import docstring_parser
import httpx2
import pytest
from cyclopts import App

from lynkr_core.cli import COMMANDS
from lynkr_core.testing.process import gateway, lynkr

GOOD = """
[provider.echo]
[tiers]
simple = ["echo/small"]
complex = ["echo/large"]
"""
QUESTION = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
OLLAMA = 11434


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lynkr.toml").write_text(GOOD)
    return tmp_path


def ask(url: str, **more: object) -> httpx2.Response:
    return httpx2.post(f"{url}/v1/chat/completions", json=QUESTION | more, timeout=60)


def scorer_installed(folder: Path) -> dict[str, str]:
    """An installed scorer, `broken` because its module cannot be imported; gives the environment in which it is found."""
    info = folder / "site/lynkr_scorer_broken-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lynkr-scorer-broken\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[lynkr.scorer]\nbroken = lynkr_scorer_broken:plugin\n")
    (folder / "site/lynkr_scorer_broken.py").write_text("import no_such_module\n")
    return {"PYTHONPATH": str(folder / "site")}


def no_ollama_here() -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", OLLAMA)) == 0:
            pytest.skip("an Ollama listens on this machine")


@pytest.mark.parametrize(("name", "target"), [(name, target) for name, target, _ in COMMANDS])
def test_every_command_is_there_and_says_what_it_does(name, target):
    module, _, function = target.partition(":")
    found = getattr(import_module(module), function)
    assert found.help if isinstance(found, App) else found.__doc__, name


def leaves(app, path=()):
    """Every command below it, with its words."""
    if path and app.default_command is not None:
        yield path, app.default_command
    for name in app:
        if not name.startswith("-"):
            yield from leaves(app[name], (*path, name))


def test_help_tells_what_every_parameter_is():
    app = App(name="lynkr")
    for name, target, text in COMMANDS:
        app.command(target, name=name, help=text)
    told = dict(leaves(app))
    assert len(told) >= len(COMMANDS)
    for path, function in told.items():
        texts = {one.arg_name for one in docstring_parser.parse(inspect.getdoc(function)).params if one.description}
        assert texts == set(inspect.signature(function).parameters), path


def test_a_good_file_is_called_good(folder):
    done = lynkr("check", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("lynkr.toml: good. Enabled: provider.echo\n")
    assert "  medium: echo/small\n" in done.stdout


def test_every_mistake_is_told_at_once(folder):
    (folder / "lynkr.toml").write_text(
        '[server]\nprot = 1\nport = "x"\n[tiers]\nsimple = ["ecko/a"]\n[nonsense]\n[provider.echo]\n'
    )
    done = lynkr("check", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        'lynkr.toml: [server] $.prot: unknown key; did you mean "port"?',
        "lynkr.toml: [server] $.port: expected int, got str",
        "lynkr.toml: [nonsense]: unknown section",
        "lynkr.toml: [tiers] $.simple: 'ecko/a': there is no [provider.ecko]; did you mean \"echo\"?",
    ]


EVERYTHING_WRONG = """
[server]
prot = 1
max_body = -1
[nonsense]
[provder.cloud]
use = "openai"
api_kei = "x"
[provider.local]
use = "openai-compatible"
base_url = "${NO_SUCH_URL}"
time_out = 3
[provider.where]
use = 7
[provider.echo]
[scorer.broken]
[scorer.ekho]
[scorer.heuristic]
wieghts = 1
[store.sqlite]
paht = "x.db"
[sink.journal]
store = "sqlite"
[auth.keys]
store = "sqlite"
[cache.exact]
store = "sqlite"
ttl = "x"
[models]
auto = ["local/x"]
fast = "echo/a"
slow = ["ecko/a", "echo"]
[tiers]
simpel = ["echo/a"]
simple = ["cloud/a", "where/b", "nobody/b"]
bounds = [50, 25, 75]
"""
EVERYTHING_TOLD = """\
[server] $.prot: unknown key; did you mean "port"?
[server] $.max_body: expected int >= 1
[nonsense]: unknown section
[provder]: unknown section; did you mean "provider"?
[provider.local] $.base_url: the environment variable NO_SUCH_URL is not set; set it, or write ${NO_SUCH_URL:-default}
[provider.where] $.use: expected a plugin's name
[models] $.fast: expected array, got str
[tiers] $.simpel: unknown key; did you mean "simple"?
[tiers] $.simple: 'nobody/b': there is no [provider.nobody]; known: cloud, local, where, echo
[models] $.slow: 'ecko/a': there is no [provider.ecko]; did you mean "echo"?
[models] $.slow: 'echo': expected provider/model
[tiers] $.bounds: must rise, as in [25, 50, 75]
[models] $.auto: 'auto' has a meaning of its own; take another name
[store.sqlite] $.paht: unknown key; did you mean "path"?
[provider.cloud] $.api_kei: unknown key; did you mean "api_key"?
[provider.local] $.time_out: unknown key; did you mean "timeout"?
[cache.exact] $.ttl: expected float, got str
[scorer.broken]: the scorer plugin 'broken' cannot be imported: ModuleNotFoundError: No module named 'no_such_module'
[scorer.ekho]: the scorer plugin 'ekho' is not installed; known: broken, codegraph, heuristic, learned; pip install lynkr-scorer-ekho
[scorer.heuristic] $.wieghts: unknown key; did you mean "weights"?
"""


@pytest.mark.parametrize("command", [("check",), ("serve",), ("serve", "--workers", "2"), ("route", "Hello")], ids=" ".join)
def test_mistakes_of_all_kinds_hide_none_of_the_others_and_bring_none_along(folder, command):
    """The store cannot be had and a section's name is wrong: who refers to them makes no mistake."""
    (folder / "lynkr.toml").write_text(EVERYTHING_WRONG)
    done = lynkr(*command, cwd=folder, env=scorer_installed(folder))
    assert (done.returncode, done.stdout) == (2, "")
    told = [line.removeprefix("lynkr.toml: ") for line in done.stderr.splitlines()]
    assert sorted(told) == sorted(EVERYTHING_TOLD.splitlines())


def test_a_plugin_that_is_not_installed_is_told_with_the_remedy(folder):
    (folder / "lynkr.toml").write_text(GOOD + "[scorer.ekho]\n[provider.gecho]\n")
    done = lynkr("check", cwd=folder)
    assert done.returncode == 2
    assert "pip install lynkr-scorer-ekho" in done.stderr
    assert "'gecho' is not installed; did you mean \"echo\"?; pip install lynkr-provider-gecho" in done.stderr


def test_a_plugin_that_cannot_be_imported_is_named_beside_the_other_mistakes(folder):
    (folder / "lynkr.toml").write_text(GOOD + "[scorer.broken]\n[sink.none]\n")
    done = lynkr("check", cwd=folder, env=scorer_installed(folder))
    assert done.returncode == 2
    broken, missing = done.stderr.splitlines()
    assert broken == (
        "lynkr.toml: [scorer.broken]: the scorer plugin 'broken' cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert missing.startswith("lynkr.toml: [sink.none]: the sink plugin 'none' is not installed; known: ")
    assert "journal" in missing
    assert missing.endswith("; pip install lynkr-sink-none")


def test_a_broken_plugin_that_is_not_enabled_disturbs_nothing(folder):
    env = scorer_installed(folder)
    assert lynkr("check", cwd=folder, env=env).returncode == 0
    assert "lynkr_scorer_broken" not in lynkr("schema", cwd=folder, env=env).stdout
    rows = json.loads(lynkr("plugins", "--json", cwd=folder, env=env).stdout)
    assert [row["package"] for row in rows if row["plugin"] == "broken"] == ["lynkr-scorer-broken"]


COMMANDING = """
from lynkr_core import Plugin
from lynkr_core.plugins import NoConfig

class Hello:
    def register_commands(self, cli):
        cli.command(lambda name: print("hello", name), name="hello")

plugin = Plugin(api=1, config=NoConfig, create=Hello)
"""


def test_a_plugin_that_is_enabled_brings_its_commands(folder):
    env = scorer_installed(folder)
    (folder / "site/lynkr_scorer_broken.py").write_text(COMMANDING)
    assert lynkr("hello", "you", cwd=folder, env=env).returncode == 2
    (folder / "lynkr.toml").write_text(GOOD + "[scorer.broken]\n")
    assert lynkr("hello", "you", cwd=folder, env=env).stdout == "hello you\n"
    assert "hello" in lynkr("--help", cwd=folder, env=env).stdout


@pytest.mark.parametrize(
    "words", [("--config", "{}", "hello", "you"), ("hello", "you", "--config={}"), ("hello", "--config", "{}", "you")]
)
def test_commands_of_plugins_take_another_file(folder, tmp_path_factory, words):
    env = scorer_installed(folder)
    (folder / "site/lynkr_scorer_broken.py").write_text(COMMANDING)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "other.toml").write_text(GOOD + "[scorer.broken]\n")
    words = [word.format(folder / "other.toml") for word in words]
    assert lynkr(*words, cwd=elsewhere, env=env).stdout == "hello you\n"


@pytest.mark.parametrize("words", [("--config",), ("--config=", "you"), ("--config", "nowhere.toml", "you")])
def test_another_file_that_is_not_there_is_told(folder, words):
    done = lynkr("hello", *words, cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("lynkr: --config: there is no file '")


def test_help_is_given_whatever_lynkr_toml_says(folder):
    (folder / "lynkr.toml").write_text("[scorer.broken")
    done = lynkr("--help", cwd=folder)
    assert done.returncode == 0
    assert "new-plugin" in done.stdout
    assert done.stderr == "lynkr: lynkr.toml has mistakes, so commands of plugins are missing; `lynkr check` tells them\n"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[provider", None])
def test_a_file_that_cannot_be_read_is_told_in_a_line(tmp_path, content):
    if content is not None:
        (tmp_path / "lynkr.toml").write_bytes(content)
    done = lynkr("check", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("lynkr.toml: ")
    assert done.stderr.count("\n") == 1


def test_plugins_are_listed_as_json_and_as_a_table(folder):
    (folder / "lynkr.toml").write_text(f"[server]\nport = 1\n{GOOD}")
    rows = json.loads(lynkr("plugins", "--json", cwd=folder).stdout)
    (echo,) = [row for row in rows if (row["kind"], row["plugin"]) == ("provider", "echo")]
    assert echo == {
        "kind": "provider", "plugin": "echo", "package": "lynkr-provider-echo", "version": "0.1.0", "enabled": ["provider.echo"],
        "state": {}, "hooks": {},
    }  # fmt: skip
    table = lynkr("plugins", cwd=folder).stdout
    assert all(row["package"] in table for row in rows)
    assert "No gateway answers at 127.0.0.1 port 1:" in table


SCORE = {"calls": 5, "errors": 5, "mean_us": 10.0, "state": "off", "left": 12.0}
RESERVE = {"calls": 3, "errors": 0, "mean_us": 30.0, "state": "on", "left": 0.0}


def test_plugins_tell_what_a_running_server_says_of_them(folder):
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self):
            told = {"plugins": {"provider.echo": {"up1/m": {"state": "open"}}}}
            told["hooks"] = {"provider.echo": {"score": SCORE, "reserve": RESERVE}}
            body = json.dumps(
                told if self.headers["x-lynkr-key"] == "0123456789abcdef" else {"plugins": told["plugins"]}
            ).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever).start()
        (folder / "lynkr.toml").write_text(f"[server]\nport = {server.server_port}\nadmin_key = '0123456789abcdef'\n{GOOD}")
        rows = json.loads(lynkr("plugins", "--json", cwd=folder).stdout)
        table = lynkr("plugins", cwd=folder).stdout
        server.shutdown()
    (echo,) = [row for row in rows if (row["kind"], row["plugin"]) == ("provider", "echo")]
    assert echo["state"] == {"provider.echo": {"up1/m": {"state": "open"}}}
    assert '"state":"open"' in table
    assert echo["hooks"] == {"provider.echo": {"score": SCORE, "reserve": RESERVE}}
    assert re.search(r"provider\.echo +8 +5 +17\.5 µs +off in score for 12 s ", table)


def test_the_schema_knows_sections_and_plugins(tmp_path):
    schema = json.loads(lynkr("schema", cwd=tmp_path).stdout)
    sections = schema["properties"]
    assert {"server", "routing", "tiers", "models", "prices", "order", "provider"} <= set(sections)
    assert schema["additionalProperties"] is False
    reference = sections["provider"]["properties"]["echo"]["anyOf"][0]["$ref"]
    echo = schema["$defs"][reference.removeprefix("#/$defs/")]
    assert set(echo["properties"]) == {"models", "prefix", "directives", "use"}
    assert "use" not in schema["$defs"]["Server"]["properties"]


def test_the_schema_refers_to_nothing_that_is_not_there(tmp_path):
    text = lynkr("schema", cwd=tmp_path).stdout
    names = {part.partition('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert names <= set(json.loads(text)["$defs"])


def test_init_without_anything_serves_echo(tmp_path):
    no_ollama_here()
    assert lynkr("init", cwd=tmp_path).stdout == "wrote lynkr.toml for echo\n"
    assert lynkr("check", cwd=tmp_path).returncode == 0


def test_init_takes_the_keys_it_finds_and_writes_none_of_them(tmp_path):
    env = {"OPENAI_API_KEY": "sk-test-1234"}
    assert "openai" in lynkr("init", cwd=tmp_path, env=env).stdout
    text = (tmp_path / "lynkr.toml").read_text()
    assert 'api_key = "${OPENAI_API_KEY}"' in text
    assert "sk-test" not in text
    assert "[provider.echo]" not in text
    assert "[catalog.default]" in text
    assert "[policy.breaker]" in text
    assert 'simple = ["openai/' in text
    assert lynkr("check", cwd=tmp_path, env=env).returncode == 0


def test_check_names_the_models_that_end(folder):
    ended = '[provider.openai]\napi_key = "k"\n[catalog.default]\n[models]\nold = ["openai/gpt-4-turbo", "openai/gpt-6-astra"]\n'
    (folder / "lynkr.toml").write_text(ended)
    done = lynkr("check", cwd=folder)
    assert done.returncode == 0
    assert "  warning: openai/gpt-4-turbo: the model openai/gpt-4-turbo ended on 2026-10-23\n" in done.stdout
    assert "gpt-6-astra: the model" not in done.stdout


def test_route_tells_whom_it_left_out(folder):
    tables = '[provider.openai]\napi_key = "k"\n[catalog.default]\n[models]\nm = ["openai/gpt-4", "openai/gpt-6-astra"]\n'
    (folder / "lynkr.toml").write_text(tables)
    done = lynkr("route", "word " * 20_000, "--model", "m", cwd=folder)
    assert done.stdout.startswith("openai/gpt-6-astra\n")
    assert "  removed  openai/gpt-4: prompt is too long: about" in done.stdout


def test_init_overwrites_only_when_told_to(folder):
    refused = lynkr("init", cwd=folder)
    assert (refused.returncode, refused.stderr) == (2, "lynkr.toml is already there; --force overwrites it\n")
    assert (folder / "lynkr.toml").read_text() == GOOD
    assert lynkr("init", "--force", cwd=folder).returncode == 0
    assert (folder / "lynkr.toml").read_text() != GOOD


def test_init_into_a_place_that_is_none_is_told(tmp_path):
    done = lynkr("init", "--config", "none/lynkr.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "none/lynkr.toml: cannot be written: No such file or directory\n")


def test_route_tells_where_a_prompt_would_go(folder):
    told = json.loads(lynkr("route", "Hello", "--json", cwd=folder).stdout)
    assert (told["provider"], told["model"], told["model_asked"]) == ("echo", "small", "auto")
    assert told["order"] == ["echo/small", "echo/large"]
    lines = lynkr("route", "Hello", "--model", "complex", cwd=folder).stdout.splitlines()
    assert lines[0] == "echo/large"


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "--port", "abc"], ["route"], ["check", "--confg", "x"]])
def test_a_mistyped_command_ends_with_2_and_no_traceback(folder, arguments):
    done = lynkr(*arguments, cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_up_with_nothing_at_all_answers_and_ends_with_ctrl_c(tmp_path):
    no_ollama_here()
    with gateway("up", cwd=tmp_path) as running:
        answer = ask(running.url)
        assert answer.json()["choices"][0]["message"]["content"] == "You said: Hello"
        assert answer.headers["x-lynkr-provider"] == "echo"
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 10  # it does not wait for `[server] drain`
    assert "Only the offline echo provider is enabled" in running.said
    assert "Traceback" not in running.said
    with pytest.raises(httpx2.ConnectError):
        ask(running.url)


def test_a_stream_in_flight_is_finished_before_the_end(folder):
    (folder / "lynkr.toml").write_text(GOOD.replace("[provider.echo]", '[provider.echo]\ndirectives = ["chunks 7 every 0.1"]'))
    question = {"stream": True, "messages": [{"role": "user", "content": "one two three"}]}
    with gateway(cwd=folder) as running, httpx2.Client(timeout=60) as client:
        with client.stream("POST", f"{running.url}/v1/chat/completions", json=QUESTION | question) as stream:
            lines = stream.iter_lines()
            next(lines)
            running.process.send_signal(signal.SIGTERM)
            rest = list(lines)
        assert running.process.wait(60) == 0
    assert "data: [DONE]" in rest


def test_explain_tells_of_the_past(folder):
    (folder / "lynkr.toml").write_text(GOOD + '[store.sqlite]\npath = "journal.db"\n[sink.journal]\n')
    with gateway(cwd=folder) as running:
        request_id = ask(running.url).headers["x-lynkr-request-id"]
        assert running.stop() == 0
    told = json.loads(lynkr("explain", request_id, "--json", cwd=folder).stdout)
    assert (told["id"], told["provider"], told["status"]) == (request_id, "echo", "ok")
    lines = lynkr("explain", request_id, cwd=folder).stdout
    assert lines.startswith("echo/small\n")
    assert re.search(r"^  attempt  echo/small: answered, after [\d.]+ s, 1 tokens in, \d+ out", lines, re.MULTILINE), lines
    assert re.search(r"^  ended    ok, [\d.]+ s, 1 tokens in, \d+ out, ", lines, re.MULTILINE), lines
    unknown = lynkr("explain", "req_none", cwd=folder)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)
    assert unknown.stderr.startswith("lynkr: no record of req_none")


def test_a_port_in_use_is_told_in_a_line(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = lynkr("serve", "--port", str(port), cwd=folder)
    assert done.returncode == 1
    assert done.stderr == f"lynkr: cannot listen on 127.0.0.1 port {port}: Address already in use; --port 0 takes a free one\n"


@pytest.mark.parametrize(("option", "value"), [("--host", "203.0.113.1"), ("--port", "99999")])
def test_an_address_that_cannot_be_had_is_told_in_a_line(folder, option, value):
    (folder / "lynkr.toml").write_text(GOOD + "[server]\nallow_anonymous = true\n")
    done = lynkr("serve", option, value, cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("lynkr: cannot listen on ")
    assert value in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["route", "Hello"], ["explain", "req_1"]])
def test_a_plugin_that_cannot_start_is_told_in_a_line(folder, command):
    (folder / "lynkr.toml").write_text(GOOD + '[store.sqlite]\npath = "none/journal.db"\n[sink.journal]\n')
    done = lynkr(*command, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("[store.sqlite] $.path: cannot open ")
    assert done.stderr.count("\n") == 1


def test_it_runs_as_a_module_and_as_a_script(tmp_path):
    script = Path(sys.executable).with_name("lynkr")
    assert script.exists()
    assert lynkr("--version", cwd=tmp_path).stdout == "0.1.0\n"


@pytest.mark.parametrize(("kind", "name"), [("provider", "echo"), ("scorer", "heuristic")])
def test_a_new_plugin_takes_the_name_of_no_installed_one(tmp_path, kind, name):
    done = lynkr("new-plugin", kind, name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is installed already" in done.stderr
    assert not list(tmp_path.iterdir())

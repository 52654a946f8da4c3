"""`lynkr doctor` without asking anybody."""

import json
import os
import socket
import sys

import pytest

from lynkr_core.cli.doctor import examine, report
from lynkr_core.cli.doctor.finding import broken, good
from lynkr_core.testing.process import gateway, lynkr

pytestmark = pytest.mark.anyio

ECHO = "[provider.echo]\n[tiers]\nsimple = ['echo/small']\n[server]\nport = 0\n"
CANARY = "canary-5f0c1e77aa"
KEYED = '[provider.openai]\napi_key = "${OPENAI_API_KEY}"\n[catalog.default]\n[server]\nport = 0\n'


async def examined(folder, text, environ=None, live=False):
    (folder / "lynkr.toml").write_text(text)
    (folder / "lynkr.toml").chmod(0o600)
    return await examine(folder / "lynkr.toml", environ or {}, live)


def about(report, where, level=None):
    return [one for one in report.findings if one.where == where and level in (None, one.level)]


def only(report, where, level):
    (one,) = about(report, where, level)
    return one


async def test_a_good_file_has_nothing_broken(tmp_path):
    report = await examined(tmp_path, ECHO)
    assert report.status == 0
    assert {one.level for one in report.findings} == {"good"}
    assert "no key" in only(report, "provider.echo", "good").what
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lynkr.toml"]


async def test_everything_that_is_not_good_says_what_to_do(tmp_path):
    text = KEYED.replace("${OPENAI_API_KEY}", "") + '[models]\nm = ["openai/gpt-4-turbo", "openai/gpt-none"]\n'
    report = await examined(tmp_path, text)
    bad = [one for one in report.findings if one.level != "good"]
    assert len(bad) >= 4
    assert all(one.do and one.where for one in bad)


async def test_a_missing_variable_is_named_and_the_file_cannot_be_used(tmp_path):
    report = await examined(tmp_path, KEYED)
    assert report.status == 2
    assert "OPENAI_API_KEY is not set" in only(report, "provider.openai", "broken").what


async def test_all_mistakes_are_told_at_once_beside_the_rest(tmp_path):
    report = await examined(tmp_path, KEYED + "prot = 1\n[provider.ecko]\n[nonsense]\n")
    assert report.status == 2
    assert 'did you mean "port"' in only(report, "server", "broken").do
    assert [one.where for one in report.findings if one.level == "broken"] == [
        "provider.openai",
        "server",
        "nonsense",
        "provider.ecko",
    ]
    assert about(report, "packages")


async def test_a_key_that_is_there_is_told_by_its_variable_only(tmp_path):
    report = await examined(tmp_path, KEYED, {"OPENAI_API_KEY": f'"{CANARY}"'})
    good, stray = about(report, "provider.openai")
    assert good.what == "api_key is set, from the environment variable OPENAI_API_KEY"
    assert "quotation mark" in stray.what
    assert CANARY not in repr(report)


async def test_a_provider_elsewhere_without_a_key_is_a_warning_one_nearby_is_not(tmp_path):
    report = await examined(tmp_path, KEYED.replace("${OPENAI_API_KEY}", "${X:-}") + "[provider.ollama]\n")
    assert only(report, "provider.openai", "warning").do == "set X"
    assert "own machines" in only(report, "provider.ollama", "good").what


async def test_models_that_end_or_that_nobody_knows_are_named(tmp_path):
    text = KEYED + '[models]\nm = ["openai/gpt-4-turbo", "openai/gpt-9x", "openai/gpt-6-astra"]\n'
    report = await examined(tmp_path, text, {"OPENAI_API_KEY": "k" * 20})
    assert report.status == 0
    assert "ended on 2026-10-23" in only(report, "openai/gpt-4-turbo", "warning").what
    assert "no catalogue knows it" in only(report, "openai/gpt-9x", "warning").what
    assert about(report, "openai/gpt-6-astra") == []
    assert "of openai/gpt-9x:" in only(report, "prices", "warning").what


async def test_a_price_of_ones_own_is_a_price(tmp_path):
    text = KEYED + '[models]\nm = ["openai/gpt-9x"]\n[prices]\n"openai/gpt-9x" = { input = 1.0, output = 2.0 }\n'
    assert about(await examined(tmp_path, text, {"OPENAI_API_KEY": "k" * 20}), "prices") == []


async def test_without_a_catalogue_that_is_said_once(tmp_path):
    text = KEYED.replace("[catalog.default]\n", "") + '[models]\nm = ["openai/a", "openai/b"]\n'
    report = await examined(tmp_path, text, {"OPENAI_API_KEY": "k" * 20})
    assert "[catalog.default]" in only(report, "models", "warning").do
    assert about(report, "openai/a") == []


@pytest.mark.skipif(os.name != "posix", reason="there are no such permissions")
async def test_a_secret_that_others_can_read_is_a_warning(tmp_path):
    (tmp_path / "secret").write_text(CANARY)
    (tmp_path / "secret").chmod(0o644)
    text = f'[provider.openai]\napi_key = "file:{tmp_path}/secret"\n[server]\nport = 0\nadmin_key = "{CANARY}"\n'
    await examined(tmp_path, text)
    (tmp_path / "lynkr.toml").chmod(0o646)
    report = await examine(tmp_path / "lynkr.toml", {})
    written, changeable = about(report, str(tmp_path / "lynkr.toml"), "warning")
    assert "server admin_key" in written.what
    assert "chmod 600" in written.do
    assert "may change it" in changeable.what
    assert "may read" in only(report, str(tmp_path / "secret"), "warning").what
    assert CANARY not in repr(report)


async def test_an_open_address_without_auth_is_broken_and_with_consent_a_warning(tmp_path):
    text = ECHO + 'host = "0.0.0.0"\n'
    report = await examined(tmp_path, text)
    assert (report.status, len(about(report, "server", "broken"))) == (1, 1)
    report = await examined(tmp_path, text + 'allow_anonymous = true\nadmin_key = "short"\n')
    assert (report.status, len(about(report, "server", "warning"))) == (0, 2)


async def test_a_port_that_something_else_has_is_broken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        report = await examined(tmp_path, ECHO.replace("port = 0", f"port = {port}"))
    assert "Address already in use" in only(report, "server", "broken").what


def test_a_port_that_lynkr_has_is_as_it_should_be(tmp_path):
    (tmp_path / "lynkr.toml").write_text(ECHO)
    with gateway(cwd=tmp_path) as running:
        text = ECHO.replace("port = 0", f"port = {running.address.rpartition(':')[2]}")
        (tmp_path / "other.toml").write_text(text)
        done = lynkr("doctor", "--config", "other.toml", cwd=tmp_path)
    assert done.returncode == 0
    assert "warning server: lynkr runs at port" in done.stdout
    assert "-> reload it" in done.stdout


BROKEN = "import no_such_module\n"
OWN = """
from lynkr_core import Plugin
from lynkr_core.plugins import NoConfig

class Own:
    async def doctor(self, live):
        return [{"level": "warning", "what": f"live is {live}", "do": "nothing"}]

class Bad:
    def doctor(self, live):
        raise ValueError("no")

class Odd:
    def doctor(self, live):
        return [{"level": "terrible", "what": "x"}]

own, bad, odd = [Plugin(api=1, config=NoConfig, create=create) for create in (Own, Bad, Odd)]
"""


def plugins_installed(folder, module, names):
    """Scorers in a package of their own; gives the environment in which they are found."""
    info = folder / "site/lynkr_scorer_odd-9.9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lynkr-scorer-odd\nVersion: 9.9\n")
    entries = "".join(f"{name} = lynkr_scorer_odd:{name}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[lynkr.scorer]\n{entries}")
    (folder / "site/lynkr_scorer_odd.py").write_text(module)
    return {"PYTHONPATH": str(folder / "site")}


def test_a_plugin_that_cannot_be_imported_is_found_before_it_is_enabled(tmp_path):
    (tmp_path / "lynkr.toml").write_text(ECHO)
    done = lynkr("doctor", "--json", cwd=tmp_path, env=plugins_installed(tmp_path, BROKEN, ["odd"]))
    findings = {one["where"]: one for one in json.loads(done.stdout)["findings"]}
    assert done.returncode == 0
    assert "No module named 'no_such_module'" in findings["scorer.odd"]["what"]
    assert "lynkr-scorer-odd 9.9" in findings["packages"]["what"]
    (tmp_path / "lynkr.toml").write_text(ECHO + "[scorer.odd]\n")
    done = lynkr("doctor", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site")})
    assert (done.returncode, done.stdout.count("no_such_module")) == (2, 1)


def test_plugins_have_checks_of_their_own_and_a_bad_one_disturbs_no_other(tmp_path):
    (tmp_path / "lynkr.toml").write_text(ECHO + "[scorer.own]\n[scorer.bad]\n[scorer.odd]\n")
    done = lynkr("doctor", cwd=tmp_path, env=plugins_installed(tmp_path, OWN, ["own", "bad", "odd"]))
    assert done.returncode == 1
    assert "warning scorer.own: live is False\n        -> nothing\n" in done.stdout
    assert "broken  scorer.bad: its own check failed: ValueError: no\n" in done.stdout
    assert "broken  scorer.odd: its own check failed: ValidationError" in done.stdout


def test_a_file_that_is_not_there_ends_with_2(tmp_path):
    done = lynkr("doctor", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "`lynkr init` writes one" in done.stderr


def test_a_file_that_is_no_toml_ends_with_2_and_the_rest_is_told(tmp_path):
    (tmp_path / "lynkr.toml").write_text(f'[provider.openai]\napi_key = "{CANARY}\n')
    done = lynkr("doctor", cwd=tmp_path)
    assert done.returncode == 2
    assert "not TOML" in done.stdout
    assert "packages: Python" in done.stdout
    assert CANARY not in done.stdout + done.stderr


SECRETS = f"""
[server]
port = 0
admin_key = "{CANARY}-admin"
[provider.openai]
api_key = "{CANARY}-key"
headers = {{ x-team = "{CANARY}-header" }}
[provider.work]
use = "openai-compatible"
base_url = "http://user:{CANARY}-password@127.0.0.1:9/v1"
api_key = "${{WORK}}"
[provider.bricks]
use = "databricks"
base_url = "http://127.0.0.1:9"
client_id = "id"
client_secret = "${{UNSET:-{CANARY}-default}}"
[provider.bedrock]
access_key_id = "AK"
secret_access_key = "{CANARY}-aws"
session_token = "Bearer ${{WORK}}"
base_url = "http://127.0.0.1:9"
control_url = "http://127.0.0.1:9"
"""


@pytest.mark.parametrize("more", ["", "[nonsense]\n", "[scorer.none]\n"])
@pytest.mark.parametrize("options", [[], ["--live"], ["--json"]])
def test_no_secret_is_ever_printed(tmp_path, more, options):
    (tmp_path / "lynkr.toml").write_text(SECRETS + more)
    env = {"WORK": f"'{CANARY}-environment'"}
    if "--live" in options:
        (tmp_path / "lynkr.toml").write_text(SECRETS.replace('-header" }', '-header" }\nbase_url = "http://127.0.0.1:9"') + more)
    done = lynkr("doctor", *options, cwd=tmp_path, env=env)
    assert done.returncode == (2 if more else 1 if options == ["--live"] else 0), done.stdout
    assert "provider.work" in done.stdout or more
    assert CANARY not in done.stdout + done.stderr


def test_a_terminal_gets_colours_and_the_same_words(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    found = [good("[odd]", "fine"), broken("provider.x", "it [is] off", "switch it [on]")]
    report.show(report.Report(file="lynkr.toml", status=1, findings=found), json=False)
    told = capsys.readouterr().out
    assert "[odd]" in told
    assert "it [is] off" in told
    assert "switch it [on]" in told
    assert "\x1b[" in told
    assert "1 broken, no warnings" in told

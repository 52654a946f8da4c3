"""`lynkr doctor --live` against providers made of scripts."""

import time
from email.utils import formatdate

import pytest

from lynkr_core.cli.doctor import asking, examine
from lynkr_core.testing.canned import GARBAGE, HTML, MODEL, MODELS, NOT_FOUND, OPENAI_FAULTS
from lynkr_core.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.anyio
KEY = "canary-live-1234567"


def table(name, provider):
    return (
        f'[provider.{name}]\nuse = "openai-compatible"\nbase_url = "{provider.url}/v1"\napi_key = "${{KEY_OF_{name.upper()}}}"\n'
    )


async def examined(folder, *tables, more=""):
    (folder / "lynkr.toml").write_text("[server]\nport = 0\n" + "".join(tables) + more)
    (folder / "lynkr.toml").chmod(0o600)
    names = ("WORK", "HOME", "ELSEWHERE")
    return await examine(folder / "lynkr.toml", {f"KEY_OF_{name}": KEY for name in names}, live=True)


def about(report, where):
    """The newest finding there: what was heard comes last."""
    return [one for one in report.findings if one.where == where][-1]


def at(seconds):
    """The list of models from a provider whose clock is ahead by so much."""
    return MODELS.but(headers={"date": formatdate(time.time() + seconds, usegmt=True)})


async def test_a_provider_that_answers_is_good(tmp_path):
    async with ScriptedProvider() as work:
        report = await examined(tmp_path, table("work", work), more=f'[models]\nm = ["work/{MODEL}"]\n')
    assert report.status == 0
    told = about(report, "provider.work")
    assert told.level == "good"
    assert "does not refuse the key and lists 1 models" in told.what
    assert [received.headers["authorization"] for received in work.requests] == [f"Bearer {KEY}"]


async def test_a_model_that_the_provider_does_not_list_is_a_warning_with_the_near_one(tmp_path):
    async with ScriptedProvider() as work:
        report = await examined(tmp_path, table("work", work), more='[models]\nm = ["work/scripted-modle"]\n')
    told = about(report, "work/scripted-modle")
    assert told.level == "warning"
    assert f'did you mean "{MODEL}"' in told.what
    assert report.status == 0


@pytest.mark.parametrize("listed", ["llama3", "llama3:latest"])
async def test_a_name_without_its_tag_is_known(tmp_path, listed):
    async with ScriptedProvider() as work:
        work.always(MODELS.but(body=b'{"data":[{"id":"%b"}]}' % listed.encode()))
        report = await examined(tmp_path, table("work", work), more='[models]\nm = ["work/llama3"]\n')
    assert not [one for one in report.findings if one.where == "work/llama3" and "lists" in one.what]


async def test_a_refused_key_is_broken_and_its_variable_named(tmp_path):
    async with ScriptedProvider() as work:
        work.always(OPENAI_FAULTS["401"].script)
        report = await examined(tmp_path, table("work", work))
    told = about(report, "provider.work")
    assert (report.status, told.level) == (1, "broken")
    assert f"127.0.0.1:{work.port} refused the key" in told.what
    assert "status 401" in told.what
    assert "KEY_OF_WORK" in told.do
    assert KEY not in repr(report)


@pytest.mark.parametrize(
    ("script", "level", "words"),
    [
        (NOT_FOUND, "warning", "has no such list of models"),
        (OPENAI_FAULTS["429"].script, "warning", "too many requests"),
        (OPENAI_FAULTS["500"].script, "broken", "has a fault of its own"),
        (GARBAGE, "broken", "answered what is no list of models"),
        (HTML, "broken", "answered what is no list of models"),
    ],
)
async def test_every_other_answer_is_told_in_words(tmp_path, script, level, words):
    async with ScriptedProvider() as work:
        work.always(script)
        report = await examined(tmp_path, table("work", work))
    told = about(report, "provider.work")
    assert (told.level, words in told.what, bool(told.do)) == (level, True, True)


async def test_one_that_cannot_be_reached_does_not_keep_the_others(tmp_path):
    async with ScriptedProvider() as home:
        async with ScriptedProvider() as work:
            pass
        report = await examined(tmp_path, table("work", work), table("home", home))
    assert "cannot be reached" in about(report, "provider.work").what
    assert (about(report, "provider.work").level, about(report, "provider.home").level) == ("broken", "good")


async def test_one_that_keeps_silent_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "ASK_SECONDS", 0.2)
    async with ScriptedProvider() as work:
        work.always(MODELS.but(delay=60))
        report = await examined(tmp_path, table("work", work))
    assert "no answer within 0.2 s" in about(report, "provider.work").what


async def test_a_provider_without_a_list_is_knocked_at(tmp_path):
    async with ScriptedProvider() as work:
        text = f'[provider.work]\nuse = "azure-anthropic"\nbase_url = "{work.url}"\napi_key = "${{KEY_OF_WORK}}"\n'
        report = await examined(tmp_path, text)
    assert [received.method for received in work.requests] == ["GET"]
    told = about(report, "provider.work")
    assert (told.level, "only a request shows" in told.what) == ("good", True)


async def test_a_clock_that_is_right_is_good(tmp_path):
    async with ScriptedProvider() as work:
        work.always(at(0))
        report = await examined(tmp_path, table("work", work))
    assert about(report, "clock").level == "good"


@pytest.mark.parametrize(("seconds", "word"), [(3600, "behind"), (-3600, "ahead of")])
async def test_a_clock_that_is_wrong_is_a_warning(tmp_path, seconds, word):
    async with ScriptedProvider() as work, ScriptedProvider() as home:
        work.always(at(seconds))
        home.always(at(seconds))
        report = await examined(tmp_path, table("work", work), table("home", home))
    told = about(report, "clock")
    assert told.level == "warning"
    assert f"s {word} what" in told.what
    assert report.status == 0


async def test_a_provider_that_is_wrong_alone_is_named(tmp_path):
    async with ScriptedProvider() as work, ScriptedProvider() as home, ScriptedProvider() as elsewhere:
        work.always(at(0))
        home.always(at(0))
        elsewhere.always(at(7200))
        report = await examined(tmp_path, *[table(*pair) for pair in (("work", work), ("home", home), ("elsewhere", elsewhere))])
    assert about(report, "clock").what.startswith("agrees with 2 of 3")
    assert "its clock differs by" in about(report, "provider.elsewhere").what


def test_an_old_answer_of_a_cache_is_no_wrong_clock():
    headers = {b"date": b"Sat, 21 Nov 2026 10:00:00 GMT", b"age": b"3600"}
    noon = 1_795_255_200.0 + 3600
    assert asking.skew(headers, noon) == pytest.approx(0.0, abs=1)
    assert asking.skew({b"date": b"yesterday"}, noon) is None
    assert asking.skew({}, noon) is None

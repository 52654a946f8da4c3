"""`lynkr record`: what is kept of a live provider's answers, and what must never be."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from msgspec import structs

from lynkr_core import sse
from lynkr_core.cli.recording import Scrubber, recorded
from lynkr_core.cli.recording.takes import scrubbed
from lynkr_core.errors import ConfigError, LynkrError
from lynkr_core.testing.canned import CANNED, TEXT, Script, encoded
from lynkr_core.testing.process import lynkr, play
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.transcript import read, texts

pytestmark = pytest.mark.anyio
KEY = 'wild+key/with "all" of=them'
SECRETS = {
    "key": KEY,
    "organisation in a header": "acme-research-division",
    "organisation": "org-Zq83kdh27Hsk20sd",
    "account": "83729104756",
    "cookie": "__cf_bm=H3kd92jsk2",
    "request id": "req_011CQhd82jdkQ",
    "other request id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "address": "jo.bloggs@acme.example",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "another's key": "sk-proj-9d8f7s9df87s9df8",
    "masked key": "wild+***hem",
    "from the environment": "env-planted-5d2f9a",
    "by word": "Project Nightingale",
    "by field": "customer 42",
}
PLANTED = {
    "request_id": SECRETS["request id"],
    "organization": SECRETS["organisation"],
    "account_id": int(SECRETS["account"]),
    "x": [SECRETS["other request id"], SECRETS["token"], SECRETS["another's key"], SECRETS["from the environment"]],
    "words": f"{SECRETS['address']} {SECRETS['by word']} {SECRETS['masked key']} {KEY} {quote(KEY, safe='')}",
    "inner": json.dumps({"user_id": "user 7 of acme", "key": KEY}),
    "coded": base64.b64encode(f"me:{KEY}".encode()).decode(),
    "tenant": SECRETS["by field"],
}
HEADERS = {
    "set-cookie": SECRETS["cookie"],
    "x-request-id": SECRETS["request id"],
    "openai-organization": SECRETS["organisation"],
    "x-ratelimit-limit-requests": f"60;for={SECRETS['organisation']}",
    "retry-after": "7",
}
CONFIG = """
[provider.live]
use = "openai-compatible"
base_url = "{url}/v1"
api_key = '{key}'
models = ["scripted-model"]
[provider.live.headers]
x-team = "acme-research-division"
"""


def planted(script: Script) -> Script:
    """The answer with every secret in its body, its head and its stream, where each event is cut in the middle."""
    body = encoded({**msgspec.json.decode(script.body), **PLANTED}) if script.body else b""
    whole = b"".join([sse.event(encoded({**json.loads(event[6:]), **PLANTED})) for event in script.events[:-1]])
    whole += b"".join(script.events[-1:])
    pieces = tuple([whole[start : start + 301] for start in range(0, len(whole), 301)])
    return script.but(body=body, events=pieces, headers=HEADERS)


CHAT = CANNED["openai.chat"]
FAULT = Script(status=404, body=encoded({"error": {"message": f"no model for {KEY}", "code": "model_not_found"} | PLANTED}))
ANSWERS = (CHAT, CHAT, CHAT, CHAT, FAULT)


@pytest.fixture
async def upstream(anyio_backend):
    async with ScriptedProvider() as provider:
        yield provider.then(*[planted(answer) if answer.status == 200 else answer.but(headers=HEADERS) for answer in ANSWERS])


@pytest.fixture
def config(tmp_path, upstream):
    file = tmp_path / "lynkr.toml"
    file.write_text(CONFIG.format(url=upstream.url, key=KEY))
    return file


async def made(config, *, environ=None, scrub=(), fields=()):
    scrubber = Scrubber(scrub, fields)
    environ = {"SOME_API_KEY": SECRETS["from the environment"]} if environ is None else environ
    return *await recorded("live", "", ["openai.chat"], 64, scrubber, config, environ), scrubber


async def test_no_secret_is_in_the_file(config, upstream):
    found, refused, scrubber = await made(config, scrub=[SECRETS["by word"]], fields=["tenant"])
    file = texts(found).decode()
    assert not refused
    for name, secret in SECRETS.items():
        for form in (secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret)[1:-1])[1:-1], quote(secret, safe="")):
            assert form not in file, name
    assert base64.b64encode(KEY.encode()).decode()[4:-4] not in file
    assert "user 7" not in file
    assert not scrubber.leaks(file)
    assert any(KEY in header for request in upstream.requests for header in request.headers.values())  # it was really sent


async def test_all_else_is_kept(config, upstream):
    found, _, _ = await made(config)
    assert [(take.name, take.status) for take in found.takes] == [
        ("plain", 200), ("stream", 200), ("tools", 200), ("tools stream", 200), ("error", 404), ("models", 200),
    ]  # fmt: skip
    plain, streamed = found.take("openai.chat", "plain"), found.take("openai.chat", "stream")
    assert plain.said.text == streamed.said.text == TEXT
    assert (plain.said.input_tokens, plain.said.output_tokens) == (12, 7)
    limit = plain.headers.pop("x-ratelimit-limit-requests")
    assert plain.headers == {"content-type": "application/json", "retry-after": "7"}
    assert re.fullmatch("60;for=scrubbed-[0-9]+", limit)
    assert len(streamed.pieces) == len(CHAT.events)
    assert found.take("openai.chat", "error").kind == "not_found"
    assert (found.base_path, plain.path) == ("/v1", "/chat/completions")
    assert msgspec.json.decode(plain.asked)["messages"][0]["role"] == "user"
    assert msgspec.json.decode(found.take("openai.chat", "tools").asked)["tools"]


async def test_what_was_the_same_stays_the_same(config):
    scrubber = Scrubber()
    one = scrubber.text('{"request_id": "abc", "x": "org-Zq83kdh27Hsk20sd"}')
    assert scrubber.text(one) == one
    assert scrubber.text('"organization": "org-Zq83kdh27Hsk20sd"') == '"organization": "scrubbed-2"'


async def test_a_secret_that_a_stream_says_in_pieces_is_noticed(config, upstream):
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    said = [
        {**chunk, "choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]} for part in (KEY[:9], KEY[9:])
    ]
    said.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    events = [sse.event(encoded(one)) for one in said]
    upstream.reset().then(CHAT, Script(events=(*events, sse.event(b"[DONE]"))))
    with pytest.raises(LynkrError, match="in pieces; nothing was written") as raised:
        await made(config)
    assert KEY not in str(raised.value)


async def test_the_parts_of_a_signature_are_secrets_too():
    scrubber = Scrubber()
    scrubber.heed(
        [(b"authorization", b"AWS4-HMAC-SHA256 Credential=MYACCESSKEY12345/20261121/us-east-1, Signature=0123456789abcdef")],
        "http://x.example/",
    )
    found = scrubber.text(
        "the key MYACCESSKEY12345 of arn:aws:bedrock:us-east-1:123456789012:x at x.example may not use us-east-1"
    )
    assert re.sub(r"scrubbed-\d+", "*", found) == "the key * of arn:aws:bedrock:us-east-1:*:x at * may not use us-east-1"
    assert scrubber.count(found) == 3


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0B\n-----END RSA PRIVATE KEY-----", "hkiG9w0B"),
        ("postgres://bob:p4ssw0rdX@db/x", "p4ssw0rdX"),
        (KEY.encode().hex(), KEY.encode().hex()),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_however_it_is_written(text, secret):
    scrubbed = Scrubber([KEY]).text(json.dumps({"content": text}))
    assert secret not in scrubbed
    assert json.loads(scrubbed)["content"].count("scrubbed-") == 1


async def test_a_key_of_somebody_elses_in_pieces_of_a_stream_keeps_all_from_being_written(config, upstream):
    other = "AIzaSyA1234567890abcdefghijklmnopqrstu"
    said = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in (other[:9], other[9:])]
    said.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    events = [sse.event(encoded(one)) for one in said]
    upstream.reset().then(CHAT, Script(events=(*events, sse.event(b"[DONE]"))))
    with pytest.raises(LynkrError, match="in pieces; nothing was written") as raised:
        await made(config)
    assert other not in str(raised.value)


async def test_a_secret_in_binary_data_is_noticed():
    scrubber = Scrubber([KEY])
    with pytest.raises(LynkrError, match="binary"):
        scrubbed(b"\xff\xfe" + KEY.encode(), "application/octet-stream", "stream", scrubber)
    assert scrubbed(b"\xff\xfe", "application/octet-stream", "stream", scrubber) == (("//4=",), True)


async def test_what_the_provider_refuses_is_left_out_and_told(config, upstream):
    none = Script(status=400, body=encoded({"error": {"message": f"no tools, {KEY}"}}))
    upstream.reset().then(CHAT, CHAT, none, none, FAULT)
    found, refused, scrubber = await made(config)
    assert [take.name for take in found.takes] == ["plain", "stream", "error", "models"]
    assert [one.name for one in refused] == ["tools", "tools stream"]
    assert KEY not in scrubber.text(refused[0].why)


async def test_a_stream_that_is_cut_is_left_out(config, upstream):
    upstream.reset().then(CHAT, CHAT.but(cut_events=2), CHAT, CHAT.but(cut_bytes=40), FAULT)
    found, refused, _ = await made(config)
    assert [(one.name, one.why.partition(":")[0]) for one in refused] == [("stream", "cut"), ("tools stream", "cut")]
    assert [take.name for take in found.takes] == ["plain", "tools", "error", "models"]


async def test_a_provider_that_does_not_end_is_given_up(config, upstream, monkeypatch):
    monkeypatch.setattr("lynkr_core.cli.recording.MOST_SECONDS", 0.2)
    upstream.reset().always(CHAT.but(delay=60))
    with pytest.raises(LynkrError, match=r"more than 0\.2 s"):
        await made(config)


@pytest.mark.parametrize("answer", [FAULT, Script(body=b"not json"), Script(body=b"<html>", content_type="text/html")])
async def test_without_a_plain_answer_there_is_nothing_to_record(config, upstream, answer):
    upstream.reset().always(answer)
    with pytest.raises(LynkrError, match="gave no answer to record") as raised:
        await made(config)
    assert KEY not in str(raised.value)


async def test_a_provider_that_is_not_there(config, upstream):
    await upstream.__aexit__()
    with pytest.raises(LynkrError, match="unavailable"):
        await made(config)


async def test_mistakes_are_told(config):
    with pytest.raises(ConfigError, match="did you mean"):
        await recorded("life", "", [], 64, Scrubber(), config, {})
    with pytest.raises(ConfigError, match="does not speak 'openai"):
        await recorded("live", "", ["openai.chap"], 64, Scrubber(), config, {})
    config.write_text(config.read_text().replace('models = ["scripted-model"]', ""))
    with pytest.raises(ConfigError, match="--model"):
        await recorded("live", "", [], 64, Scrubber(), config, {})


async def test_the_command_and_the_suite_that_plays_what_it_wrote(config, upstream, tmp_path):
    environ = {"PLANTED_TOKEN": SECRETS["from the environment"]}
    options = ("--max-tokens", "64", "--dialect", "openai.chat", "--scrub", SECRETS["by word"], "--scrub-field", "tenant")
    ran = await asyncio.to_thread(lynkr, "record", "live", *options, cwd=tmp_path, env=environ)
    assert ran.returncode == 0, ran.stderr
    assert "openai.chat          stream         200" in ran.stdout
    told = (tmp_path / "live.json").read_text() + ran.stdout + ran.stderr
    assert [name for name, secret in SECRETS.items() if secret in told] == []
    recording = (tmp_path / "live.json", "lynkr_provider_openai_compatible")
    played = await asyncio.to_thread(play, *recording, "-k", "not aborting")  # whose times are judged in suites of their own
    assert played.returncode == 0, played.stdout
    spoil(tmp_path / "live.json")
    played = await asyncio.to_thread(play, *recording, "-k", "reads_what_it_read")
    assert played.returncode == 1
    assert "test_it_reads_what_it_read_when_it_was_recorded" in played.stdout


def spoil(file: Path) -> None:
    """As if the plugin had read something else when it was recorded."""
    found = read(file)
    takes = [structs.replace(take, said=take.said and structs.replace(take.said, input_tokens=13)) for take in found.takes]
    file.write_bytes(texts(structs.replace(found, takes=tuple(takes))))


async def test_the_file_is_not_written_when_there_is_nothing_to_record(config, upstream, tmp_path):
    upstream.reset().always(FAULT)
    ran = await asyncio.to_thread(lynkr, "record", "live", "--dialect", "openai.chat", cwd=tmp_path)
    assert ran.returncode == 1
    assert "gave no answer to record: not_found" in ran.stderr
    assert KEY not in ran.stderr
    assert not (tmp_path / "live.json").exists()


@pytest.mark.parametrize(
    "text", ["", "{}", '{"version": 1}', "\xff", '{"version": 9, "use": "a", "model": "m", "max_tokens": 1, "takes": []}']
)
def test_what_is_no_transcript(tmp_path, text):
    (tmp_path / "t.json").write_text(text, encoding="latin-1")
    with pytest.raises(LynkrError, match=r"t\.json is"):
        read(tmp_path / "t.json")

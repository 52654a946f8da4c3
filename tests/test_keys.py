"""Keys as an operator and its callers have them: the command, served processes that share a store, and the official SDKs."""

import json
import time

import anthropic
import httpx2
import openai
import pytest

from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.process import lynkr

CONFIG = """
[server]
list_models = false
workers = {workers}
admin_key = "the-admin-key"
[routing]
retries = 0
[provider.echo]
prefix = ""
[provider.first]
use = "anthropic"
base_url = "{url}"
api_key = "the-operators-key"
caller_keys = ["sk-ant-"]
[provider.second]
use = "openai"
base_url = "{url}/v1"
api_key = "the-operators-key"
[models]
both = ["first/m", "second/m"]
[store.sqlite]
path = "{folder}/lynkr.db"
[auth.keys]
pepper = "a-pepper-of-these-tests"
recheck = 0.5
[sink.journal]
"""
OWN = "sk-ant-oat01-canary-of-a-subscription"
HELLO = [{"role": "user", "content": "hi"}]
PATIENCE = 20.0


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def served(request, serve, provider, tmp_path):
    text = CONFIG.format(url=provider.url, folder=tmp_path, workers=request.param)
    (tmp_path / "lynkr.toml").write_text(text)
    return serve(text)


def command(tmp_path, *args):
    done = lynkr("keys", *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def openai_client(served, key):
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0)


def answered(served, key):
    """Whether the key is good, asked over a connection of its own, so that any worker may answer."""
    with openai_client(served, key) as client:
        try:
            client.chat.completions.create(model="echo/echo", messages=HELLO)
        except openai.AuthenticationError:
            return False
        return True


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_from_its_making_to_its_revocation(served, tmp_path):
    key = command(tmp_path, "create", "ci", "--team", "red", "--model", "echo/*").strip()
    assert key.startswith("lk_")
    assert answered(served, key)
    id = json.loads(command(tmp_path, "list", "--json"))[0]["id"]
    new = json.loads(command(tmp_path, "rotate", id, "--grace", "0s", "--json"))["key"]
    until(lambda: not any(answered(served, key) for _ in range(6)))
    assert answered(served, new)
    command(tmp_path, "revoke", new)
    until(lambda: not any(answered(served, new) for _ in range(6)))
    assert (command(tmp_path, "list"), "revoked" in command(tmp_path, "list", "--all")) != ("", False)
    shown = json.loads(command(tmp_path, "show", id))
    assert (shown["state"], shown["team"], "key" in shown, "hash" in shown) == ("revoked", "red", False, False)
    for secret in (key, new):
        assert secret not in served.text
        assert secret[13:-8].encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("lynkr.db*"))


def test_a_revocation_over_http_reaches_every_worker(served):
    with httpx2.Client(base_url=served.url, headers={"x-api-key": "the-admin-key"}, trust_env=False) as admin:
        made = admin.post("/v1/admin/keys", json={"name": "x"}).json()
        assert all(answered(served, made["key"]) for _ in range(6))
        admin.delete(f"/v1/admin/keys/{made['id']}")
    until(lambda: not any(answered(served, made["key"]) for _ in range(6)))


def test_the_official_clients_with_their_own_headers(served, tmp_path):
    key = command(tmp_path, "create", "sdk").strip()
    with openai_client(served, key) as client:
        assert client.chat.completions.create(model="echo/echo", messages=HELLO).choices[0].message.content == "hi"
        assert client.responses.create(model="echo/echo", input="hi").output_text == "hi"
        assert "echo/echo" in [model.id for model in client.models.list()]
    for credential in ({"api_key": key}, {"auth_token": key}):
        with anthropic.Anthropic(base_url=served.url, max_retries=0, **credential) as client:
            assert client.messages.create(model="echo/echo", max_tokens=9, messages=HELLO).content[0].text == "hi"
    with anthropic.Anthropic(base_url=served.url, max_retries=0, api_key="sk-ant-x") as client:
        with pytest.raises(anthropic.AuthenticationError) as refused:
            client.messages.create(model="echo/echo", max_tokens=9, messages=HELLO)
        assert "key of this gateway" in str(refused.value)


@pytest.mark.anyio
async def test_a_subscription_beside_a_key_of_lynkr(served, provider, tmp_path):
    provider.always(CANNED["anthropic.messages"])
    key = command(tmp_path, "create", "claude").strip()
    headers = {"x-lynkr-key": key}
    async with anthropic.AsyncAnthropic(base_url=served.url, max_retries=0, auth_token=OWN, default_headers=headers) as client:
        await client.messages.create(model="first/m", max_tokens=9, messages=HELLO)
        async with client.messages.stream(model="first/m", max_tokens=9, messages=HELLO) as stream:
            assert await stream.get_final_text()
    for received in provider.requests:
        assert received.headers["authorization"] == f"Bearer {OWN}"
        assert key not in str(received.headers)
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("lynkr.db*"))
    assert OWN.encode() not in kept
    assert OWN not in served.text + command(tmp_path, "list", "--json")


def test_what_cannot_be_done_is_told(tmp_path):
    (tmp_path / "lynkr.toml").write_text("[provider.echo]\n[auth.keys]\n")
    done = lynkr("keys", "create", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "[store.sqlite]" in done.stderr
    (tmp_path / "lynkr.toml").write_text("[provider.echo]\n[store.sqlite]\n[auth.keys]\n")
    for args, told in (
        (("revoke", "0123456789"), "there is no key"),
        (("revoke", "x"), "no id"),
        (("create", "--expires", "soon"), "30d"),
    ):
        done = lynkr("keys", *args, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_an_auth_plugin_lets_lynkr_serve_other_machines(tmp_path):
    for auth in ("[auth.keys]", '[auth.jwt]\nissuer = "https://login.example"\naudience = ["lynkr"]'):
        (tmp_path / "lynkr.toml").write_text(f'[server]\nhost = "0.0.0.0"\n[provider.echo]\n[store.sqlite]\n{auth}\n')
        assert lynkr("check", cwd=tmp_path).returncode == 0
        assert "auth" in lynkr("plugins", cwd=tmp_path).stdout

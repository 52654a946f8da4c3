from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lynkr_core import UpstreamError
from lynkr_provider_bedrock.credentials import Chain

Configure = Callable[[str], None]
SLOW = """
import json, pathlib, sys, time
from datetime import UTC, datetime, timedelta
count = pathlib.Path(sys.argv[1])
number = len(count.read_text()) + 1 if count.exists() else 1
count.write_text("x" * number)
time.sleep(0.5)
until = datetime.now(UTC) + timedelta(seconds=float(sys.argv[2]))
keys = {"AccessKeyId": f"AKID{number}", "SecretAccessKey": "s", "SessionToken": "t"}
print(json.dumps({"Version": 1, **keys, "Expiration": until.isoformat()}))
"""
"""A program that gives keys which expire, as AWS's `credential_process` has it."""


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Writes AWS's configuration file; nothing of this machine counts."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return lambda text: file.write_text(text) and None


def program(tmp_path: Path, seconds: int) -> str:
    (tmp_path / "keys.py").write_text(SLOW)
    return f"[profile slow]\ncredential_process = {sys.executable} {tmp_path}/keys.py {tmp_path}/count {seconds}\n"


@pytest.mark.anyio
async def test_keys_come_from_a_profile_and_are_kept(configure: Configure) -> None:
    configure("[profile work]\naws_access_key_id = AKIDWORK\naws_secret_access_key = s3cret\n")
    chain = Chain("work")
    assert chain.ready() is None
    keys = await chain.fetch()
    assert (keys.id, keys.secret, keys.token) == ("AKIDWORK", "s3cret", None)
    assert chain.ready() is keys


@pytest.mark.anyio
async def test_keys_come_from_the_environment(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure("")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    keys = await Chain(None).fetch()
    assert (keys.id, keys.token) == ("AKIDENV", "t")


@pytest.mark.anyio
async def test_the_loop_runs_on_while_keys_are_fetched_once(configure: Configure, tmp_path: Path) -> None:
    configure(program(tmp_path, 7200))
    chain = Chain("slow")
    fetching = asyncio.gather(*[chain.fetch() for _ in range(5)])
    turns = 0
    while not fetching.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns >= 5
    assert {keys.id for keys in await fetching} == {"AKID1"}
    assert chain.ready() is not None


@pytest.mark.anyio
async def test_keys_about_to_expire_are_renewed(configure: Configure, tmp_path: Path) -> None:
    configure(program(tmp_path, 60))
    chain = Chain("slow")
    first = await chain.fetch()
    assert chain.ready() is None
    assert (await chain.fetch()).id > first.id


@pytest.mark.anyio
@pytest.mark.parametrize(("profile", "told"), [(None, "has none"), ("nobody", "nobody")])
async def test_no_keys_are_an_error_that_says_so(configure: Configure, profile: str | None, told: str) -> None:
    configure("")
    with pytest.raises(UpstreamError, match=told) as caught:
        await Chain(profile).fetch()
    assert caught.value.kind == "auth"

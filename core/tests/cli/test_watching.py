"""A change of a file is noticed, with and without the system telling of it."""

import asyncio
import sys

import pytest

from lynkr_core.cli import watching
from lynkr_core.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["told", "looked for"], autouse=True)
def way(request, monkeypatch):
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.1)
    if request.param == "looked for":
        monkeypatch.setitem(sys.modules, "watchfiles", None)


async def noticed(path, change, within=PATIENCE):
    """Whether a change is noticed."""
    changes = watching.changes(path)
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    change()
    done, _ = await asyncio.wait([waiting], timeout=within)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await changes.aclose()
    return bool(done)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "lynkr.toml").write_text("one")
    return tmp_path / "lynkr.toml"


async def test_a_file_that_is_written(path):
    assert await noticed(path, lambda: path.write_text("two"))


async def test_a_file_in_the_place_of_another(path):
    (path.parent / "new").write_text("two")
    assert await noticed(path, lambda: (path.parent / "new").rename(path))


async def test_a_link_that_is_turned(tmp_path):
    """As Kubernetes does with a ConfigMap: the folder of the file does not change at all."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lynkr.toml").write_text(name)
    (tmp_path / "now").symlink_to("a")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/lynkr.toml").symlink_to("../now/lynkr.toml")

    def turn():
        (tmp_path / "next").symlink_to("b")
        (tmp_path / "next").rename(tmp_path / "now")

    assert await noticed(tmp_path / "here/lynkr.toml", turn)


async def test_a_file_that_comes_back_with_another_text(path):
    path.unlink()
    assert await noticed(path, lambda: path.write_text("two"))


async def test_a_change_after_others_wrote_beside_it(path):
    def act():
        for number in range(3):
            (path.parent / "lynkr.db-wal").write_text(f"{number}")
        asyncio.get_running_loop().call_later(0.5, path.write_text, "two")

    assert await noticed(path, act)


@pytest.mark.parametrize("change", ["touch", "unlink", "other"])
async def test_what_is_no_change(path, change):
    def act():
        if change == "other":
            (path.parent / "journal.db").write_text("x")
        else:
            getattr(path, change)()

    assert not await noticed(path, act, 0.6)

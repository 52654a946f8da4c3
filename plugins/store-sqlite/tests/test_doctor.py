"""What the store finds wrong with its file before it is started."""

import os
import sqlite3

import pytest

from lynkr_core.testing import factories
from lynkr_store_sqlite import plugin


def told(path):
    store = factories.build(plugin, {"path": str(path)}, factories.context("sqlite", "store"))
    return [(one["level"], one["what"]) for one in store.doctor(False)]


async def made(path):
    async with factories.running(factories.build(plugin, {"path": str(path)}, factories.context("sqlite", "store"))):
        pass


def test_a_file_that_is_not_there_stays_so(tmp_path):
    assert told(tmp_path / "new.db") == [("good", f"{tmp_path}/new.db is not there yet; the gateway makes it when it starts")]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_broken(tmp_path):
    ((level, what),) = told(tmp_path / "none/new.db")
    assert (level, "there is no folder" in what) == ("broken", True)


@pytest.mark.anyio
async def test_a_file_that_can_be_written_is_good_and_untouched(tmp_path):
    path = tmp_path / "old.db"
    await made(path)
    before = path.read_bytes()
    ((level, what),) = told(path)
    assert (level, "can be written" in what) == ("good", True)
    assert path.read_bytes() == before
    path.chmod(0o644)
    assert ("warning", f"others may read or change {path}") in told(path)


@pytest.mark.anyio
async def test_a_file_that_somebody_holds_or_that_is_newer_is_broken(tmp_path):
    path = tmp_path / "old.db"
    await made(path)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert told(path)[0] == ("broken", f"{path} cannot be written: database is locked")
        other.execute("ROLLBACK")
        other.execute("PRAGMA user_version = 99")
    other.close()
    assert "has version 99" in told(path)[0][1]


def test_a_file_that_is_no_database_is_broken(tmp_path):
    (tmp_path / "text.db").write_text("not a database at all, but long enough to have a header of one" * 20)
    (tmp_path / "text.db").chmod(0o600)
    assert told(tmp_path / "text.db") == [("broken", f"{tmp_path}/text.db: file is not a database")]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_broken(tmp_path):
    tmp_path.chmod(0o500)
    ((level, what),) = told(tmp_path / "new.db")
    tmp_path.chmod(0o700)
    assert (level, "nothing may be written" in what) == ("broken", True)


def test_records_that_wait_beside_the_file_are_told(tmp_path):
    (tmp_path / "new.db.spill-1-2").write_text("")
    assert ("warning", f"1 files beside {tmp_path}/new.db hold records that could not be written") in told(tmp_path / "new.db")

"""Records that a killed process had not written: with `durable` they are there after the next start."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lynkr_core.stores.ahead import FILE_ROWS, Ahead, adopt
from lynkr_core.stores.outbox import BATCH_ROWS, Outbox
from lynkr_core.stores.spill import Row, Spill, read
from lynkr_core.testing.waiting import until

pytestmark = pytest.mark.anyio
NOW = 1_763_700_000.0
CHILD = """
import sys
from pathlib import Path
from lynkr_core.stores.outbox import Outbox

async def never(rows):
    raise OSError("down")

outbox = Outbox("test", never, 100_000, Path(sys.argv[1]), durable=sys.argv[2] == "True")
for number in range(1200):
    outbox.append({"id": f"r{number}", "created": 1_763_700_000 + number})
print("ready", flush=True)
sys.stdin.read()
"""


class Store:
    """What was written, by id."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.is_down = False

    async def write(self, rows: Sequence[Row]) -> None:
        if self.is_down:
            raise OSError("down")
        await asyncio.sleep(0)
        self.rows |= {row[0]: row[2] for row in rows}


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*ahead-*"))


def row(number: int) -> Row:
    return f"r{number}", NOW + number, b'{"id":"r%d"}' % number


@pytest.mark.parametrize(("durable", "kept"), [(True, 1200), (False, 0)])
async def test_what_a_killed_process_had_not_written_is_there_after_the_next_start(tmp_path, durable, kept):
    command = [sys.executable, "-c", CHILD, str(tmp_path / "box"), str(durable)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        living = Store()
        async with Outbox("test", living.write, 100, tmp_path / "box"):
            pass
        assert living.rows == {}, "what belongs to a process that lives is left alone"
        child.send_signal(signal.SIGKILL)
    store = Store()
    async with Outbox("test", store.write, 100, tmp_path / "box"):
        await until(lambda: len(store.rows) == kept)
    assert len(store.rows) == kept
    assert list(tmp_path.iterdir()) == []


async def test_a_row_is_in_a_file_until_it_is_written_and_no_longer(tmp_path):
    store = Store()
    async with Outbox("test", store.write, 100_000, tmp_path / "box", durable=True) as outbox:
        store.is_down = True
        for number in range(BATCH_ROWS * 3 + 7):
            outbox.append({"id": f"r{number}", "created": NOW + number})
        on_disk = [row for file in files(tmp_path) for row in read(file)]
        assert [row[0] for row in on_disk] == list(outbox.waiting)
        assert len(files(tmp_path)) == 4
        assert {file.stat().st_mode & 0o777 for file in files(tmp_path)} == {0o600}
        store.is_down = False
        await outbox.flush()
        assert len(store.rows) == BATCH_ROWS * 3 + 7
        assert [file.stat().st_size for file in files(tmp_path)] == [0]
    assert list(tmp_path.iterdir()) == []


async def test_a_row_that_is_appended_again_while_it_waits_is_the_newer_one(tmp_path):
    store = Store()
    store.is_down = True
    async with Outbox("test", store.write, 100_000, tmp_path / "box", durable=True) as outbox:
        for status in ("begun", "ok"):
            for number in range(BATCH_ROWS):
                outbox.append({"id": f"r{number}", "created": NOW, "status": status})
        last = {row[0]: row[2] for file in files(tmp_path) for row in read(file)}
        assert all(b'"ok"' in record for record in last.values())
        store.is_down = False
        await outbox.flush()
    assert all(b'"ok"' in record for record in store.rows.values())
    assert list(tmp_path.iterdir()) == []


def test_files_are_bounded_by_what_waits(tmp_path):
    ahead = Ahead(tmp_path / "box")
    for number in range(FILE_ROWS * 20):
        ahead.add(row(number), is_new=True)
        if number >= 700:
            ahead.written(1)
    assert len(files(tmp_path)) <= 3
    left = [found[0] for file in files(tmp_path) for found in read(file)]
    assert {f"r{number}" for number in range(FILE_ROWS * 20 - 700, FILE_ROWS * 20)} <= set(left)
    ahead.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_harms_nobody_and_is_said_once(tmp_path, caplog):
    ahead = Ahead(tmp_path / "none/box")
    for number in range(3):
        ahead.add(row(number), is_new=True)
    assert len(caplog.records) == 1
    (tmp_path / "none").mkdir()
    ahead.add(row(3), is_new=True)
    ahead.written(3)  # those that were in no file
    assert [found[0] for file in files(tmp_path / "none") for found in read(file)] == ["r3"]
    ahead.written(1)
    assert [file.stat().st_size for file in files(tmp_path / "none")] == [0]


def test_a_line_that_was_cut_takes_no_other_with_it(tmp_path, monkeypatch):
    ahead, write = Ahead(tmp_path / "box"), __import__("os").write
    ahead.add(row(0), is_new=True)
    monkeypatch.setattr("os.write", lambda file, data: write(file, data[:9]))
    ahead.add(row(1), is_new=True)
    monkeypatch.undo()
    ahead.add(row(2), is_new=True)
    assert [found[0] for found in read(files(tmp_path)[0])] == ["r0", "r2"]


def test_many_adopt_and_each_file_is_adopted_once(tmp_path):
    ahead = Ahead(tmp_path / "box")
    ahead.add(row(1), is_new=True)
    (tmp_path / "box.ahead-1-1").write_bytes(b'["r2",1.0,{}]\n')
    (tmp_path / "box.ahead-2-1").touch()
    (tmp_path / "boxes.ahead-1-1").touch()
    for _ in range(3):
        adopt(tmp_path / "box")
    assert [file.name for file in Spill(tmp_path / "box").files()] == ["box.spill-1-1"]
    assert len(files(tmp_path)) == 2

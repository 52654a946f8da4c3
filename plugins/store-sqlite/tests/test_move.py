"""`lynkr store move` from one file to another, and from and to other stores."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest

from lynkr_core import ConfigError
from lynkr_core.cli import store as command
from lynkr_core.stores import Balance, Hold, MemoryStore
from lynkr_core.testing import factories
from lynkr_store_sqlite import plugin

NOW = float(int(time.time()))


def sqlite(path: Path) -> Any:
    return factories.build(plugin, {"path": str(path)}, factories.context("main", "store"))


async def fill(store: Any) -> None:
    for number in range(30):
        await store.set(f"key/{number:02}", b"%d" % number, math.inf)
        await store.hold(f"h{number}", [Hold(f"budget/{number:02}", 5, 9, NOW + 3600 + number)], 60)
        await store.book(f"h{number}", {f"budget/{number:02}": number})
        store.append({"id": f"r{number}", "created": NOW + number // 12})
    await store.set("cached", b"x", 60)
    await store.flush()


async def standing(store: Any) -> tuple[Any, ...]:
    records = sorted(record["id"] for record in await store.query())
    return await store.scan(""), await store.balances(""), await store.windows(""), records


@pytest.mark.anyio
async def test_everything_is_moved_and_a_second_time_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "PAGE", 7)
    memory = MemoryStore()
    await fill(memory)
    await command.move({"a": memory, "b": sqlite(tmp_path / "b.db")}, "a", "b")
    assert capsys.readouterr().out.count("30 read from a, 30 written to b") == 2  # a counter of nothing needs no writing
    await command.move({"a": memory, "b": sqlite(tmp_path / "b.db")}, "a", "b")
    assert capsys.readouterr().out.count("30 read from a, 0 written to b") == 3
    await command.move({"b": sqlite(tmp_path / "b.db"), "c": sqlite(tmp_path / "c.db")}, "b", "c")
    async with sqlite(tmp_path / "c.db") as store:
        values, balances, windows, records = await standing(store)
    assert values == {f"key/{number:02}": b"%d" % number for number in range(30)}
    assert balances == {f"budget/{number:02}": Balance(number, 0) for number in range(1, 30)}
    assert windows["budget/07"] == NOW + 3607
    assert len(records) == 30


def test_the_command_finds_stores_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "lynkr.toml"
    lines = [f'[store.{name}]\nuse = "sqlite"\npath = "{tmp_path / name}.db"\n' for name in ("old", "new")]
    config.write_text("".join(lines) + "[provider.echo]\n")
    command.store("migrate", config=config)
    assert capsys.readouterr().out == "store.old: up to date\nstore.new: up to date\n"
    command.store("move", "old", "new", config=config)
    assert capsys.readouterr().out.splitlines()[0] == "keys: 0 read from old, 0 written to new"
    for names in (["old"], ["old", "old"], ["old", "nowhere"]):
        with pytest.raises(ConfigError):
            command.store("move", *names, config=config)

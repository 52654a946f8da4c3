"""`lynkr memory list|show|forget`, on the store itself: the gateway need not run."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from lynkr_core.cli.printing import print_json
from lynkr_core.cli.stored import run
from lynkr_core.errors import LynkrError
from lynkr_core.stores import KeyValue
from lynkr_extension_memory.desk import matches, shown
from lynkr_extension_memory.rows import Row
from lynkr_extension_memory.shelf import Shelf

if TYPE_CHECKING:
    from cyclopts import App

T = TypeVar("T")
NO_STORE = "memories are kept in the server's memory, where this command cannot see them; enable a store such as [store.sqlite]"


class Commands:
    def __init__(self, shelf: Shelf, values: KeyValue) -> None:
        self._shelf = shelf
        self._values = values

    def add_to(self, cli: App) -> None:
        from cyclopts import App

        memory = App(name="memory", help="See what is remembered of callers, and forget it.")
        for command in (self.list, self.show, self.forget):
            memory.command(command)
        cli.command(memory)

    def list(self, *, who: str = "", session: str = "", kind: str = "", json: bool = False) -> None:
        """List memories, the newest first.

        Args:
            who: Only of this caller.
            session: Only of this session.
            kind: Only of this kind: name, fact, preference, decision, project, note.
            json: Print JSON.
        """
        found = self._run(lambda: self._found(who=who, session=session, kind=kind))
        rows = sorted(found.values(), key=lambda row: (-row.at, row.id))
        if json:
            print_json([shown(row) for row in rows])
            return
        from rich.console import Console
        from rich.table import Table

        table = Table("id", "who", "session", "kind", "said", "text", box=None)
        for row in rows:
            day = time.strftime("%Y-%m-%d", time.gmtime(row.at))
            table.add_row(row.id, row.who, row.session[:20], row.kind, day, row.text)
        Console(width=None if sys.stdout.isatty() else 200, emoji=False, markup=False).print(table)

    def show(self, id: str) -> None:
        """Print one memory, as JSON.

        Args:
            id: The memory's id.
        """
        found = self._run(lambda: self._found(id=id))
        if not found:
            raise LynkrError(f"there is no memory {id!r}; `lynkr memory list` has them")
        print_json(shown(next(iter(found.values()))))

    def forget(self, id: str = "", *, who: str = "", session: str = "", all: bool = False) -> None:
        """Remove memories for good, from every conversation in which they were recalled, too.

        Args:
            id: The memory's id.
            who: All of this caller.
            session: All of this session, or of this session of the caller.
            all: Everybody's.
        """
        if not (id or who or session or all):
            raise LynkrError("say what is to be forgotten: an id, --who, --session, or --all")

        async def work() -> int:
            return await self._shelf.forget(await self._found(id=id, who=who, session=session))

        count = self._run(work)
        if id and not count:
            raise LynkrError(f"there is no memory {id!r}; `lynkr memory list` has them")
        sys.stdout.write(f"{count} forgotten\n")

    async def _found(self, **wanted: str) -> dict[str, Row]:
        given = {name: value for name, value in wanted.items() if value}
        return {key: row async for key, row in self._shelf.all() if matches(row, given)}

    def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        return run(work, self._values, hidden=NO_STORE)

"""The terminal: what is under way, what has ended, tiers, breakers and budgets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Footer, Static

from lynkr_extension_top.board import Board
from lynkr_extension_top.reading import WAIT, Reader, Unreachable

UNDER_WAY = ("age", "model", "tier", "stage", "who", "tries")
ENDED = ("status", "model", "tier", "took", "cost", "in", "out", "saved", "who", "why")
TIERS = ("tier", "requests", "share", "spent", "saved", "failed", "fallbacks")
AGAIN = 2.0
"""Seconds after a failure."""
SOON = 1.0
"""Seconds until ages are told anew of what is under way."""
NO_FEED = "live requests need [extension.dashboard] on the gateway; this is its health, and the last 24 hours of its journal"


class Top(App[None]):
    """Reads until it is left. What a gateway tells is shown as plain text, never as markup."""

    TITLE = "lynkr top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #headline { height: auto; padding: 0 1; text-style: bold; }
    #notice { height: auto; padding: 0 1; color: $warning; }
    #open { height: 1fr; min-height: 4; border: round $primary; }
    #finished { height: 2fr; min-height: 5; border: round $primary; }
    #below { height: 30%; min-height: 6; max-height: 12; }
    #tiers { width: 2fr; border: round $primary; }
    #side { width: 1fr; border: round $primary; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "quit", "Quit"), Binding("p", "hold", "Hold")]

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader
        self.board = Board()
        self.held = False

    def compose(self) -> ComposeResult:
        yield Static(id="headline")
        yield Static(id="notice")
        yield table("open", "under way", UNDER_WAY)
        yield table("finished", "finished", ENDED)
        with Horizontal(id="below"):
            yield table("tiers", "tiers", TIERS)
            with Vertical(id="side"):
                yield Static(id="state")
        yield Footer()

    def on_mount(self) -> None:
        self.notice("asking the gateway …")
        self.run_worker(self.follow(), exclusive=True)

    async def follow(self) -> None:
        async with self.reader as reader:
            while True:
                try:
                    self.board.take(await reader.poll(SOON if self.board.open else WAIT))
                except Unreachable as error:
                    reader.forget()
                    self.notice(f"{error}; trying again")
                    await asyncio.sleep(AGAIN)
                    continue
                if not self.held:
                    self.show()
                await asyncio.sleep(reader.pause)

    def show(self) -> None:
        board = self.board
        self.query_one("#headline", Static).update(Text(board.headline()))
        self.notice("" if self.reader.live else NO_FEED)
        self.fill("open", board.under_way())
        self.fill("finished", board.ended())
        self.fill("tiers", board.tiers())
        alone = board.breakers()
        state = ["left alone:", *alone] if alone else ["no model is left alone"]
        budgets = board.budgets()
        self.query_one("#state", Static).update(Text("\n".join([*state, *(["", "budgets:", *budgets] if budgets else [])])))

    def fill(self, id: str, rows: Sequence[tuple[str, ...]]) -> None:
        """The cursor stays where it is."""
        found = cast("DataTable[Any]", self.query_one(f"#{id}"))
        row, scrolled = found.cursor_row, found.scroll_y
        found.clear()
        found.add_rows([[Text(cell) for cell in cells] for cells in rows])
        found.move_cursor(row=min(row, max(len(rows) - 1, 0)), scroll=False)
        found.scroll_to(y=scrolled, animate=False)

    def notice(self, text: str) -> None:
        found = self.query_one("#notice", Static)
        found.update(Text(text))
        found.display = bool(text)

    def action_hold(self) -> None:
        """What comes is still read, and shown when it goes on."""
        self.held = not self.held
        self.notice("held; p goes on" if self.held else "")
        if not self.held:
            self.show()


def table(id: str, title: str, heads: Sequence[str]) -> DataTable[Any]:
    made: DataTable[Any] = DataTable(id=id, cursor_type="row", zebra_stripes=True)
    made.border_title = title
    made.add_columns(*heads)
    return made

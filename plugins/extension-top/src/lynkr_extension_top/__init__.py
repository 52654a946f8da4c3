"""`lynkr top`: live requests, spend, tiers and breakers of a gateway in the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from lynkr_core.plugins import Plugin
from lynkr_core.secret import Secret

if TYPE_CHECKING:
    from cyclopts import App

    from lynkr_extension_top.reading import Reader

__all__ = ["Config", "Top", "plugin"]

KEY = "LYNKR_ADMIN_KEY"


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[extension.top]`"""

    url: Annotated[str, Meta(description="The gateway that is looked at.")] = "http://127.0.0.1:8787"
    key: Annotated[
        Secret | None, Meta(description=f"The admin key, or one that sees its own only; else `{KEY}` of the environment.")
    ] = None


class Top:
    """Does nothing in the gateway: it adds a command."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def register_commands(self, cli: App) -> None:
        cli.command(self.top, name="top")

    def top(self, *, url: str = "", once: bool = False) -> None:
        """Show what the gateway is doing, as it happens.

        Args:
            url: The gateway; that of [extension.top] when left out.
            once: Print what there is now as text, and end.
        """
        from lynkr_extension_top.reading import Reader

        shown = os.environ.get(KEY)
        reader = Reader(url or self.config.url, self.config.key or (Secret(shown) if shown else None))
        if once or not sys.stdout.isatty():
            sys.stdout.write(asyncio.run(text(reader)))
            return
        from lynkr_extension_top.screen import Top as Screen

        Screen(reader).run()


async def text(reader: Reader) -> str:
    """Everything once, with tabs between cells. Raises `Unreachable`."""
    from lynkr_extension_top.board import Board

    board = Board()
    async with reader:
        board.take(await reader.poll(wait=0))
    blocks = [
        [board.headline()],
        ["under way:", *map("\t".join, board.under_way())],
        ["finished:", *map("\t".join, board.ended())],
    ]
    blocks += [["tiers:", *map("\t".join, board.tiers())], ["left alone:", *board.breakers()], ["budgets:", *board.budgets()]]
    return "".join(f"{line}\n" for block in blocks for line in block)


plugin = Plugin(api=1, config=Config, create=Top)

"""`lynkr budgets` and `lynkr runs stop|resume|list`, on the store itself: the gateway need not run."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from lynkr_core.cli.printing import print_json
from lynkr_core.cli.stored import run
from lynkr_core.stores import KeyValue, Ledger
from lynkr_policy_budget.balances import Standing
from lynkr_policy_budget.rules import shown
from lynkr_policy_budget.stopped import Run, Stopped

if TYPE_CHECKING:
    from cyclopts import App

T = TypeVar("T")
NO_STORE = "budgets are kept in the server's memory, where this command cannot see them; enable a store such as [store.sqlite]"


class Commands:
    def __init__(self, ledger: Ledger, values: KeyValue, standing: Standing, stopped: Stopped) -> None:
        self._stores = (ledger, values)
        self._standing = standing
        self._stopped = stopped

    def add_to(self, cli: App) -> None:
        from cyclopts import App

        cli.command(self.budgets, name="budgets")
        runs = App(name="runs", help="Stop runs of agents by hand, and let them go on.")
        for command in (self.stop, self.resume, self.list):
            runs.command(command)
        cli.command(runs)

    def budgets(self, subject: str = "", *, all: bool = False, json: bool = False) -> None:
        """Tell what budgets stand at, the fullest first.

        Args:
            subject: Only those whose subject begins so, as team: or key:one.
            all: Those whose window is over too.
            json: Print JSON; amounts in nano-dollars, tokens or requests.
        """
        rows = self._run(lambda: self._standing.rows(subject, all))
        if json:
            print_json(rows)
            return
        from rich.console import Console
        from rich.table import Table

        table = Table("subject", "per", "used", "held", "limit", "share", "resets", box=None)
        for row in rows:
            unit, limit = row["unit"], row["limit"]
            amounts = [shown(row["used"], unit), shown(row["held"], unit), "none" if limit is None else shown(limit, unit)]
            share = "" if row["share"] is None else f"{row['share']:.0%}"
            table.add_row(row["subject"], row["per"], *amounts, share, row["resets"] or "never")
        Console(width=None if sys.stdout.isatty() else 200, emoji=False, markup=False).print(table)

    def stop(self, session: str, *, caller: str = "", why: str = "") -> None:
        """Stop a run: its requests are refused until it is resumed, what is under way ends by itself.

        Args:
            session: The name of its session, as `lynkr usage --by session` has it.
            caller: Only of this caller: the id of a principal.
            why: Anything worth knowing of it.
        """
        self._run(lambda: self._stopped.stop(Run(session, caller, why)))
        sys.stdout.write(f"{session} is stopped; running servers know within seconds\n")

    def resume(self, session: str, *, caller: str = "") -> None:
        """Let a run go on that was stopped.

        Args:
            session: The name of its session.
            caller: As it was stopped.
        """
        was = self._run(lambda: self._stopped.resume(Run(session, caller)))
        sys.stdout.write(f"{session} goes on\n" if was else f"{session} was not stopped\n")

    def list(self) -> None:
        """Print the runs that are stopped, as JSON."""
        self._run(self._stopped.look)
        print_json([*self._stopped.runs.values()])

    def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        return run(work, *self._stores, hidden=NO_STORE)

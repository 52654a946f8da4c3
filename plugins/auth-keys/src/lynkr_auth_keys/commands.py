"""`lynkr keys create|list|show|rotate|revoke`, on the store itself: the gateway need not run."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lynkr_auth_keys.book import Book, Listed
from lynkr_auth_keys.key import Record, id_of
from lynkr_auth_keys.wanted import Wanted, seconds
from lynkr_core.cli.printing import print_json
from lynkr_core.cli.stored import run
from lynkr_core.errors import InvalidRequest, LynkrError
from lynkr_core.stores import KeyValue

if TYPE_CHECKING:
    from cyclopts import App

T = TypeVar("T")
NO_STORE = "keys are kept in the server's memory, where this command cannot see them; enable a store such as [store.sqlite]"


class Commands:
    def __init__(self, book: Book, store: KeyValue) -> None:
        self._book = book
        self._store = store

    def add_to(self, cli: App) -> None:
        from cyclopts import App

        keys = App(name="keys", help="Make, list, rotate and revoke callers' keys.")
        for command in (self.create, self.list, self.show, self.rotate, self.revoke):
            keys.command(command)
        cli.command(keys)

    def create(
        self, name: str = "", *, note: str = "", user: str | None = None, team: str | None = None, agent: str | None = None,
        class_: str | None = None, tag: Sequence[str] = (), model: Sequence[str] = (), tier: Sequence[str] = (),
        local_only: bool = False, expires: str | None = None, json: bool = False,
    ) -> None:  # fmt: skip
        """Make a key and print it, this once.

        Args:
            name: What the journal calls it.
            note: Anything worth knowing of it.
            user: Whose it is.
            team: Whose it is.
            agent: Which program uses it.
            class_: Class of its caller.
            tag: A tag of its caller; may be given several times.
            model: A model it may use, `provider/model` with `*` for anything; may be given several times.
            tier: A tier it may use; may be given several times.
            local_only: Whether only models on your own machines may serve it.
            expires: After how long it is no longer good: 30d, 12h, 90m.
            json: Print JSON.
        """
        fields = {
            "name": name, "note": note, "user": user, "team": team, "agent": agent, "class": class_, "tags": tag,
            "models": model, "tiers": tier, "local_only": local_only, "expires_in": expires,
        }  # fmt: skip
        try:
            wanted = msgspec.convert(fields, Wanted)
        except msgspec.ValidationError as error:
            raise LynkrError(str(error)) from None
        tell_key(*self._run(lambda: self._book.create(**wanted.fields())), json)

    def list(self, *, all: bool = False, json: bool = False) -> None:
        """List the keys.

        Args:
            all: Those that are revoked or have expired too.
            json: Print JSON.
        """
        now = time.time()
        found = [one for one in self._run(self._book.listed) if all or one.state(now) == "active"]
        if json:
            print_json([one.shown() for one in found])
            return
        from rich.console import Console
        from rich.table import Table

        table = Table("id", "name", "user", "team", "class", "may use", "expires", "last used", "state", box=None)
        for one in found:
            table.add_row(*row(one, now))
        Console(width=None if sys.stdout.isatty() else 200, emoji=False, markup=False).print(table)

    def show(self, id: str) -> None:
        """Print what is known of a key, as JSON.

        Args:
            id: The key's id.
        """
        print_json(self._run(lambda: self._book.show(checked(id))).shown())

    def rotate(self, id: str, *, grace: str = "24h", json: bool = False) -> None:
        """Make a new key in the place of one, and print it, this once.

        Args:
            id: The key's id.
            grace: For how long the old one is still good.
            json: Print JSON.
        """
        tell_key(*self._run(lambda: self._book.rotate(checked(id), seconds(grace, "grace"))), json)

    def revoke(self, id: str) -> None:
        """Make a key useless, for good.

        Args:
            id: The key's id, or the key.
        """
        self._run(lambda: self._book.revoke(checked(id)))
        sys.stdout.write(f"{checked(id)} is revoked\n")

    def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        return run(work, self._store, hidden=NO_STORE)


def checked(id: str) -> str:
    """The id, which may be given as the whole key. Raises `InvalidRequest`."""
    found = id_of(id)
    if found is None:
        raise InvalidRequest("that is no id of a key; `lynkr keys list` has them")
    return found


def tell_key(key: str, record: Record, json: bool) -> None:
    """The key alone goes to stdout, so that it can be piped on."""
    if json:
        print_json({"key": key, **Listed(record=record).shown()})
        return
    sys.stdout.write(f"{key}\n")
    sys.stderr.write(f"This is the only time it is shown. Its id is {record.id}.\n")


def row(one: Listed, now: float) -> Sequence[str]:
    record = one.record
    may = ", ".join([*record.models, *record.tiers, *(["local models"] if record.local_only else [])]) or "everything"
    names = [record.name, record.user or "", record.team or "", record.principal_class or ""]
    return [record.id, *names, may, day(record.expires), day(one.used), one.state(now)]


def day(at: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at)) if at else ""

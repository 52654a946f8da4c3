"""Writes down why each request went where it went, and tells it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from lynkr_core.errors import PluginError
from lynkr_core.exchange import Exchange, Outcome, Reply
from lynkr_core.plugins import Context, Plugin
from lynkr_core.process import ADMIN
from lynkr_core.routes import Route, RouteRequest
from lynkr_core.stores import Gathering, Written
from lynkr_sink_journal.record import Recorder
from lynkr_sink_journal.usage import told

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

LONG = 64 * 1024
"""Bytes of a request that is not kept any longer for its record."""
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(dict[str, Any]).decode


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    store: Annotated[str | None, Meta(description="Name of the store to write to; the first one when left out.")] = None
    texts: Annotated[
        bool,
        Meta(description="Keep the text that was scored, without keys and e-mail addresses. Never anything else of a message."),
    ] = False


class JournalSink:
    """Appends one record for each exchange, and serves it, and sums of them, to whoever made the requests."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a store that is not enabled."""
        self._record = Recorder(config.texts, context.tiers).record
        try:
            self._journal = context.stores.journal(config.store)
        except KeyError:
            raise PluginError(f"$.store: there is no [store.{config.store}]") from None
        self._later = self._journal.append_later if isinstance(self._journal, Gathering) else self._append

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        self._later(partial(self._record, exchange, outcome), len(exchange.body) > LONG)

    def _append(self, make: Callable[[], Written], at_once: bool) -> None:
        self._journal.append(decode(make()[2]))

    def register_routes(self, kernel: Kernel) -> Sequence[Route]:
        async def usage(query: RouteRequest) -> Reply:
            return await told(self._journal, kernel.catalog, query)

        return [
            Route(method="GET", path="/v1/decisions/{id}", endpoint=self.tell),
            Route(method="GET", path="/v1/usage", endpoint=usage),
        ]

    async def tell(self, query: RouteRequest) -> Reply:
        """The record; 404 when there is none, or when it is somebody else's. The admin key finds all."""
        id = query.params["id"]
        record = await self._journal.find(id)
        if record is not None and (query.principal is ADMIN or record.get("principal") == query.principal.id):
            return Reply(body=encode(record))
        told = {"message": f"there is no decision {id[:100]!r}", "type": "not_found_error", "param": "id", "code": "not_found"}
        return Reply(body=encode({"error": told}), status=404)


plugin = Plugin(api=1, config=Config, create=JournalSink)

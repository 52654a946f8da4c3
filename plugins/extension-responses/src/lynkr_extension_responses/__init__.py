"""Keeps responses, so that `previous_response_id` works over every provider, for each principal by itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal, Self

from msgspec import Meta, Raw, Struct

from lynkr_core.errors import GatewayError, InvalidRequest, PluginError, Unavailable
from lynkr_core.exchange import Exchange
from lynkr_core.plugins import Context, Plugin
from lynkr_core.routes import Route
from lynkr_extension_responses.collector import Collector
from lynkr_extension_responses.errors import NotFound
from lynkr_extension_responses.kept import Kept
from lynkr_extension_responses.record import input_items, is_set, text_of
from lynkr_extension_responses.routes import Routes

log = logging.getLogger("lynkr.extension.responses")
DIALECT = "openai.responses"
DAY = 86400.0
MiB = 1024 * 1024


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    store: Annotated[str | None, Meta(description="Name of the store to keep them in; the first one when left out.")] = None
    ttl_days: Annotated[float, Meta(gt=0, description="Days after which a response is forgotten.")] = 30.0
    max_bytes: Annotated[int, Meta(gt=0, description="Bytes of a response with its conversation; larger ones are not kept.")] = (
        8 * MiB
    )
    unknown: Annotated[
        Literal["provider", "refuse"],
        Meta(
            description="What happens to an id that lynkr does not know: it goes to a provider with the Responses API, or is refused."
        ),
    ] = "provider"


class Responses:
    """A known `previous_response_id` is replaced by the conversation it stands for; finished responses are collected as they leave."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a store that is not enabled or keeps no values."""
        try:
            values: Any = context.stores.key_value(config.store)
            assert callable(values.get)
        except (KeyError, AttributeError):
            raise PluginError(f"$.store: there is no [store.{config.store}] that keeps values") from None
        self._kept = Kept(values, config.ttl_days * DAY, config.max_bytes)
        self._lets_through = config.unknown == "provider"
        self._kernel: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._kept.settle()

    async def pre_route(self, exchange: Exchange) -> None:
        """A fault refuses the request: skipped, this plugin would let an id through that is not the caller's."""
        if exchange.dialect.name != DIALECT:
            return
        try:
            await self._admit(exchange)
        except GatewayError:
            raise
        except Exception as error:
            log.exception("request %s: %s", exchange.id, type(error).__name__)
            raise Unavailable("the plugin that keeps responses failed") from None

    async def _admit(self, exchange: Exchange) -> None:
        envelope = exchange.envelope
        if is_set(envelope.fields, "conversation"):
            raise InvalidRequest(
                "lynkr keeps no conversation objects, and those of a provider would be open to every caller; use previous_response_id",
                code="unsupported_parameter", param="conversation",
            )  # fmt: skip
        previous = text_of(envelope.fields, "previous_response_id")
        items: list[Raw] | None = input_items(envelope.fields)
        if previous is not None:
            earlier = await self._earlier(previous, exchange)
            items = None if earlier is None else [*earlier, *items]
        if previous is not None and items is not None:
            fields: dict[str, Any] = {**envelope.fields, "input": items}
            del fields["previous_response_id"]
            exchange.rewrite(fields)
        if self._is_wanted(exchange):
            exchange.tap(Collector(envelope.stream, partial(self._kept.keep, principal=exchange.principal, earlier=items)))

    async def _earlier(self, id: str, exchange: Exchange) -> Sequence[Raw] | None:
        """The conversation behind an id; None when only a provider has it. Raises `NotFound`, also for what is somebody else's."""
        record = await self._kept.find(id, patient=True)
        if record is not None and record.owner != exchange.principal.id:
            raise NotFound.previous(id)
        items = record.items() if record is not None else None
        if items is None and not (self._lets_through and self._goes_native(exchange)):
            raise NotFound.previous(id)
        return items

    def _goes_native(self, exchange: Exchange) -> bool:
        """Whether somebody who could serve this speaks the Responses API; nobody at all is the kernel's to tell."""
        asked = exchange.header(b"x-lynkr-tier") or exchange.envelope.model
        target = self._kernel.catalog.resolve(asked) if self._kernel is not None else None
        return target is None or any(DIALECT in one.provider.dialects_of(one.model) for one in target.candidates)

    def _is_wanted(self, exchange: Exchange) -> bool:
        """As OpenAI: kept unless the caller says no. What runs in the background is not finished when it is answered."""
        fields = exchange.envelope.fields
        unwanted = fields.get("store") == Raw(b"false") or fields.get("background") == Raw(b"true")
        return not (unwanted or exchange.dry_run)

    def register_routes(self, kernel: Any) -> Sequence[Route]:
        self._kernel = kernel
        return Routes(self._kept).all()


plugin = Plugin(api=1, config=Config, create=Responses)

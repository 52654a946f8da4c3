"""Anthropic: messages and token counts."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from lynkr_core.dialect import Dialect
from lynkr_core.exchange import Exchange
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.upstream import HeaderList

BETA = b"anthropic-beta"
VERSION: HeaderList = ((b"anthropic-version", b"2023-06-01"),)  # the one every client in the field still sends


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is.")] = "https://api.anthropic.com"
    auth: Annotated[
        Literal["auto", "key", "bearer"],
        Meta(description="How the key is sent: `x-api-key`, a bearer token, or as the key looks."),
    ] = "auto"
    betas: Annotated[list[str], Meta(description="`anthropic-beta` flags to send beside the caller's.")] = []


class Anthropic(HTTPProvider):
    """The API at api.anthropic.com. Keys go in `x-api-key`, OAuth tokens (`sk-ant-oat…`) in `Authorization`."""

    vendor = "anthropic"
    paths = {"anthropic.messages": "/v1/messages", "anthropic.count_tokens": "/v1/messages/count_tokens"}
    defaults = {"anthropic.messages": VERSION, "anthropic.count_tokens": VERSION}
    models_path = "/v1/models?limit=1000"

    def __init__(self, config: Config, context: Context) -> None:
        self._auth = config.auth
        self._betas = [beta.encode() for beta in config.betas]
        super().__init__(config, context)

    def auth(self) -> HeaderList:
        key = self.config.api_key
        if key is None or self._auth == "bearer" or (self._auth == "auto" and key.reveal().startswith("sk-ant-oat")):
            return super().auth()
        return ((b"x-api-key", key.reveal().encode()),)

    def forwarded(self, exchange: Exchange, dialect: Dialect) -> HeaderList:
        headers = super().forwarded(exchange, dialect)
        if not self._betas:
            return headers
        asked = [beta.strip() for name, value in headers if name == BETA for beta in value.split(b",")]
        flags = dict.fromkeys([*asked, *self._betas])
        return (*[pair for pair in headers if pair[0] != BETA], (BETA, b",".join(flags)))


plugin = Plugin(api=1, config=Config, create=Anthropic)

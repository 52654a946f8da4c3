"""Tokens of Microsoft Entra ID, for providers on Azure.

Scope and token endpoint are those of azure-identity 1.27 and the v2.0 endpoint of the identity platform.
"""

from __future__ import annotations

import asyncio
import time
from importlib import import_module
from typing import Annotated, Any

from msgspec import Meta, structs

from lynkr_core.errors import PluginError, UpstreamError
from lynkr_core.oauth.bearer import Bearer, Fetch, Token
from lynkr_core.oauth.client_credentials import ClientCredentials
from lynkr_core.oauth.transport import BearerTransport
from lynkr_core.plugins import Context
from lynkr_core.provider import HTTPConfig
from lynkr_core.secret import Secret
from lynkr_core.upstream import Transport

SCOPE = "https://cognitiveservices.azure.com/.default"


class EntraConfig(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    """A key, an app registration, or whatever azure-identity finds."""

    tenant: Annotated[
        str | None, Meta(description="Tenant of an app registration, used with `client_id` and `client_secret`.")
    ] = None
    client_id: Annotated[str | None, Meta(description="The registration's application id.")] = None
    client_secret: Annotated[Secret | None, Meta(description="The registration's secret.")] = None
    entra: Annotated[bool, Meta(description="Ask azure-identity: managed or workload identity, environment, `az login`.")] = False
    authority: Annotated[str, Meta(description="Where tokens are given; national clouds have another.")] = (
        "https://login.microsoftonline.com"
    )
    scope: Annotated[str, Meta(description="What the token is for.")] = SCOPE


class AzureIdentity:
    """Asks azure-identity's default credential, which blocks, in a thread. Raises `PluginError` when it is not installed."""

    def __init__(self, scope: str) -> None:
        try:
            identity: Any = import_module("azure.identity")
        except ImportError:
            raise PluginError("`entra = true` needs azure-identity; pip install azure-identity") from None
        self._credential = identity.DefaultAzureCredential()
        self._scope = scope

    async def __call__(self) -> Token:
        """Raises `UpstreamError` of kind `auth`: no credential was found, or the one that was is refused."""
        try:
            found = await asyncio.to_thread(self._credential.get_token, self._scope)
        except Exception as error:
            reason = str(error).strip().partition("\n")[0][:300]
            raise UpstreamError("auth", f"azure-identity gave no token: {type(error).__name__}: {reason}") from None
        return Token(value=Secret(found.token), lifetime=found.expires_on - time.time())


def source(config: EntraConfig, transport: Transport) -> Fetch | None:
    """None when the key is used. Raises `PluginError` for settings that contradict each other."""
    registration = [bool(value) for value in (config.tenant, config.client_id, config.client_secret)]
    if any(registration) and not all(registration):
        raise PluginError("tenant, client_id and client_secret are set together or not at all")
    if config.entra + any(registration) + bool(config.api_key) > 1:
        raise PluginError("set one of api_key, entra, and tenant with client_id and client_secret")
    if config.tenant and config.client_id and config.client_secret:
        url = f"{config.authority.rstrip('/')}/{config.tenant}/oauth2/v2.0/token"
        return ClientCredentials(transport, url, id=config.client_id, secret=config.client_secret, scope=config.scope)
    return AzureIdentity(config.scope) if config.entra else None


def with_tokens(config: EntraConfig, context: Context) -> Context:
    """The context whose transport adds the token, when there is one to add."""
    fetch = source(config, context.transport)
    return context if fetch is None else structs.replace(context, transport=BearerTransport(context.transport, Bearer(fetch)))

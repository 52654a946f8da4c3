"""Tokens that run out: fetched when they are first needed, renewed before their end, for providers that take no lasting key.

A provider wraps its transport: `BearerTransport(context.transport, Bearer(ClientCredentials(…)))`. The kernel knows nothing of this.
"""

from lynkr_core.oauth.bearer import Bearer, Fetch, Token
from lynkr_core.oauth.client_credentials import ClientCredentials
from lynkr_core.oauth.transport import BearerTransport

__all__ = ["Bearer", "BearerTransport", "ClientCredentials", "Fetch", "Token"]

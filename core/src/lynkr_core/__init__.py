"""lynkr: a microkernel LLM gateway. The names here are the public API for plugins."""

from lynkr_core.caller import presented_key
from lynkr_core.cards import ModelCard, Price
from lynkr_core.dialect import Dialect, Envelope, Fields, Headers, StreamDecoder, StreamEncoder
from lynkr_core.errors import (
    ClientGone,
    ConfigError,
    Forbidden,
    GatewayError,
    InvalidRequest,
    LynkrError,
    PluginError,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownModel,
    UpstreamError,
)  # fmt: skip
from lynkr_core.exchange import (
    Attempt,
    Candidate,
    Exchange,
    Key,
    Outcome,
    Principal,
    Reject,
    Removal,
    Reply,
    Reservation,
    Score,
    Selection,
    Verdict,
)  # fmt: skip
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider, Provider
from lynkr_core.secret import Secret
from lynkr_core.stores import Balance, Bucket, Full, Hold, Journal, KeyValue, Ledger, MemoryStore, Record, Stores, Wait

__version__ = "0.1.0"

__all__ = [
    "Attempt", "Balance", "Bucket", "Candidate", "ClientGone", "ConfigError", "Context", "Dialect", "Envelope", "Exchange",
    "Fields", "Forbidden", "Full", "GatewayError", "HTTPConfig", "HTTPProvider", "Headers", "Hold", "InvalidRequest", "Journal",
    "Key", "KeyValue", "Ledger", "LynkrError", "MemoryStore", "ModelCard", "Outcome", "Plugin", "PluginError", "Price",
    "Principal", "Provider", "RateLimited", "Record", "Reject", "Removal", "Reply", "Reservation", "Score", "Secret", "Selection",
    "Stores", "StreamDecoder", "StreamEncoder", "TooLarge", "Unauthenticated", "Unavailable", "UnknownModel", "UpstreamError",
    "Verdict", "Wait", "presented_key",
]  # fmt: skip

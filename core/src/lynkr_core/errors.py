"""What can go wrong, as one tree.

    LynkrError
    ├── ConfigError             lynkr.toml cannot be used; carries every mistake found
    ├── PluginError             a plugin cannot be loaded or broke its contract
    ├── GatewayError            answered to the caller, in the caller's dialect
    │   ├── InvalidRequest      400  the body or a header is wrong
    │   ├── Unauthenticated     401  nobody we know is calling
    │   ├── Forbidden           403  the principal may not do this
    │   ├── UnknownModel        404  no provider serves the requested model
    │   ├── TooLarge            413  the body is over `[server] max_body`
    │   ├── RateLimited         429  a limit or budget of ours is used up
    │   ├── Unavailable         503  a plugin that must not be skipped failed, or lynkr is stopping
    │   └── AllFailed           4xx or 5xx, no candidate answered; lists the attempts
    ├── UpstreamError           one attempt failed; its `kind` decides retry and fallback
    └── ClientGone              the caller left; nobody is there to be answered

Kinds of `UpstreamError` and what follows from each stand in `KINDS`; they are read from the providers' SDKs and documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from msgspec import Struct, structs

Kind = Literal[
    "unavailable", "timeout", "conflict", "server", "overloaded", "rate_limited", "quota", "auth",
    "not_found", "context", "content", "invalid", "warming", "cut", "rejected",
]  # fmt: skip


class Consequence(Struct, frozen=True):
    """What a failed attempt of one kind leads to.

    `retries`: tries of the same candidate that may follow, the first after about `pause` seconds, each later one after twice as long.
    `fallback`: whether the next candidate may be tried; `larger`: only one with a larger context window. `status`: the HTTP status told
    to the caller when the upstream gave none. `counts`: whether it speaks against the candidate's health.
    """

    retries: int
    fallback: bool
    status: int
    pause: float = 0.5
    counts: bool = False
    larger: bool = False


KINDS: dict[Kind, Consequence] = {
    "unavailable": Consequence(retries=1, fallback=True, status=502, pause=0.1, counts=True),
    "timeout": Consequence(retries=1, fallback=True, status=504, counts=True),
    "conflict": Consequence(retries=2, fallback=False, status=409, pause=0.25),
    "server": Consequence(retries=2, fallback=True, status=502, counts=True),
    "overloaded": Consequence(retries=1, fallback=True, status=503, pause=1.0, counts=True),
    "rate_limited": Consequence(retries=2, fallback=True, status=429, pause=1.0),
    "quota": Consequence(retries=0, fallback=True, status=429),
    "auth": Consequence(retries=0, fallback=True, status=502),
    "not_found": Consequence(retries=0, fallback=True, status=404),
    "context": Consequence(retries=0, fallback=True, status=400, larger=True),
    "content": Consequence(retries=0, fallback=False, status=400),
    "invalid": Consequence(retries=0, fallback=False, status=400),
    "warming": Consequence(retries=2, fallback=True, status=503, pause=4.0),
    "cut": Consequence(retries=1, fallback=True, status=502, counts=True),
    "rejected": Consequence(retries=1, fallback=True, status=502, pause=0.0),
}


def consequence(error: UpstreamError) -> Consequence:
    """What follows. An upstream that says it timed out may be asked again; one that kept silent for so long may not."""
    found = KINDS[error.kind]
    return structs.replace(found, retries=0) if error.kind == "timeout" and error.status is None else found


class LynkrError(Exception):
    """Everything lynkr raises on purpose."""


class ConfigError(LynkrError):
    """`lynkr.toml` cannot be used. `mistakes` has one line each, with file, path and suggestion."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = list(mistakes)


class PluginError(LynkrError):
    """A plugin cannot be loaded, or does not keep its contract."""


class GatewayError(LynkrError):
    """An answer to the caller: `status`, a `code` from the API's vocabulary, the parameter at fault if there is one."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after

    @property
    def http_status(self) -> int:
        return self.status


class InvalidRequest(GatewayError):
    status, type = 400, "invalid_request_error"


class Unauthenticated(GatewayError):
    status, type = 401, "authentication_error"


class Forbidden(GatewayError):
    status, type = 403, "permission_error"


class UnknownModel(GatewayError):
    status, type = 404, "not_found_error"


class TooLarge(GatewayError):
    status, type = 413, "request_too_large"


class RateLimited(GatewayError):
    status, type = 429, "rate_limit_error"


class Unavailable(GatewayError):
    status, type = 503, "server_error"


class Timeout(GatewayError):
    status, type = 504, "server_error"


class UpstreamError(LynkrError):
    """One attempt failed.

    `kind` decides what follows (`KINDS`), `status` is the upstream's HTTP status or None when none came,
    `retry_after` is in seconds, `code` and `type` are the upstream's own words. `reported`: it said so itself, in an answer or in an
    event of a stream; else lynkr found out. `mended`: the request may be sent again at once, without what was refused.
    """

    def __init__(
        self, kind: Kind, message: str, *, status: int | None = None, code: str | None = None, type: str | None = None,
        retry_after: float | None = None, reported: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.reported = reported
        self.mended = False
        self.kind: Kind = kind
        self.message = message
        self.status = status
        self.code = code
        self.type = type
        self.retry_after = retry_after


class AllFailed(GatewayError):
    """No candidate answered. The last attempt's error decides status and type; `tried` has a line for each attempt."""

    def __init__(self, last: UpstreamError, tried: Sequence[str]) -> None:
        lines = "; ".join(tried)
        message = last.message if len(tried) < 2 else f"{last.message} (tried {len(tried)}: {lines})"
        super().__init__(message, code=last.code, retry_after=last.retry_after)
        self.last = last
        self.tried = list(tried)

    @property
    def http_status(self) -> int:
        consequence = KINDS[self.last.kind]
        if self.last.kind == "auth":
            return consequence.status  # the caller's own key was fine: a 401 would send them looking at it
        told = self.last.status or 0  # below 400: an answer that began well, and was cut or was an error all the same
        return told if told >= 400 else consequence.status


class ClientGone(LynkrError):
    """The caller closed the connection."""
